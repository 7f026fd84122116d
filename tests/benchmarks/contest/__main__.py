"""Run the contest.

    python -m tests.benchmarks.contest [--size day] [--engines segue null] [--segments 500] [--phases ABCDE]
                                       [--rounds 3] [--rates 2000 5000] [--no-gate] [--before VERSION] [--write FOLDER]

Starts the embedded Kafka and Valkey. For each catalogue, every engine passes the gate and takes in 30 days of history;
then the engines take turns. `--before` adds another version of Segue, and says round by round what it
cost. Writes a table (Markdown), a picture (SVG) and all figures (JSON). docs/operations/speed.md
says what the phases are and how to read the table.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from streams.embedded import KafkaServer, ValkeyServer
from streams.embedded.kafka import STEADY
from tests.benchmarks.contest.figures import Found
from tests.benchmarks.contest.gate import judge, sample_size
from tests.benchmarks.contest.memory import used_bytes
from tests.benchmarks.contest.ratios import BEFORE
from tests.benchmarks.contest.results import write
from tests.benchmarks.contest.sizes import SIZES, Size
from tests.benchmarks.contest.turn import Servers, Turns
from tests.benchmarks.ending import end_in_order
from tests.benchmarks.load.plan import make_plan, with_probes
from tests.benchmarks.peers.engine import Engine, Ground
from tests.benchmarks.peers.registry import ENGINES, NULL
from tests.benchmarks.peers.segue import Segue
from tests.benchmarks.versions import tree_of
from tests.servers import running_kafka, running_valkey, temporary_folder, unique

PARTITIONS = 8
RESULTS = Path(__file__).parents[1] / "results"
GATE_SEGMENTS = 60
WARM_RATE = 2_000


def say(text: str) -> None:
    """Tell what goes on."""
    print(text, file=sys.stderr, flush=True)


class Contest:
    """One run: the servers, the size, the engines."""

    def __init__(self, options: argparse.Namespace, size: Size, kafka: KafkaServer, valkey: ValkeyServer) -> None:
        self._options = options
        self._size = size
        self._kafka = kafka
        self._valkey = valkey
        asked = [ENGINES[name] for name in options.engines] + earlier(options)
        self.absent = [f"{engine.name}: {reason}" for engine in asked if (reason := engine.absent()) is not None]
        self._engines: list[Engine] = [engine for engine in asked if engine.absent() is None]
        for one in self.absent:
            say(f"not run: {one}")

    def run(self, segments: int) -> list[Found]:
        """Measure every engine with a catalogue of so many segments. An engine that fails is out, with a note."""
        every = [self._turns(engine, segments, self._size) for engine in self._engines]
        entered = [turns for turns in every if self._goes_well(turns, self.begin)]
        if self._size.warm_s:
            size = replace(self._size, rate_s=self._size.warm_s)
            self._goes_well(self._turns(NULL, segments, size), self.warm)
        for _ in range(self._size.rounds):
            entered = [turns for turns in entered if self._goes_well(turns, self.round)]
            # the next round goes the other way round
            entered.reverse()
        for turns in entered:
            self._goes_well(turns, self.last)
        return [turns.found for turns in every]

    def _goes_well(self, turns: Turns, do: Callable[[Turns], None]) -> bool:
        """Let an engine do something, and stop it; False: it failed, and the finding says so."""
        try:
            do(turns)
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            turns.found.notes.append(f"out: {error}")
            say(f"{turns.engine.name} is out: {error}")
            return False
        finally:
            turns.stop()
        return True

    def begin(self, turns: Turns) -> None:
        """The gate, and the history."""
        engine, url = turns.engine, self._valkey.redis_url
        if engine.has_rules and not self._options.no_gate:
            turns.found.gate = self.gate(engine)
            say(f"{engine.name}: the gate: {turns.found.gate}")
        before = used_bytes(url)
        turns.preload()
        turns.found.store_bytes = round((used_bytes(url) - before) / self._size.profiles)
        say(f"{engine.name}: 30 days preloaded, {turns.found.store_bytes} bytes a profile")

    def warm(self, turns: Turns) -> None:
        """Let the null engine publish for a while: a broker that just began takes twice the time for everything."""
        turns.preload()
        turns.drain()
        turns.open_loop(WARM_RATE, "warm")
        say(f"the broker is warm: {turns.found.opens['warm'][0].cpu_s['broker']} s of CPU")

    def gate(self, engine: Engine) -> str:
        """Let an engine pass the gate."""
        turns = self._turns(engine, GATE_SEGMENTS, sample_size(self._size))
        try:
            return judge(turns)
        finally:
            turns.stop()

    def round(self, turns: Turns) -> None:
        """Phases A and B."""
        drain = turns.drain()
        name = f"{turns.engine.name}, round {len(turns.found.drains)}"
        say(f"{name}: A {drain.events_per_s:,.0f} events/s {drain.cpu_s}")
        if "B" not in self._options.phases:
            return
        rates = [(f"{rate:,}", rate) for rate in self._size.rates if rate < 0.95 * drain.events_per_s]
        if self._size.rate_share:
            rates.append((f"{self._size.rate_share:.0%} of A", int(self._size.rate_share * drain.events_per_s)))
        for label, rate in rates:
            at = turns.open_loop(rate, label)
            say(
                f"{name}: B {label} ({rate:,}/s): p50 {at.p50_ms} ms, p99 {at.p99_ms} ms of"
                f" {len(at.latencies_ms)}; loader {at.late_ms} ms late {at.cpu_s}"
            )

    def last(self, turns: Turns) -> None:
        """Phases C, D and E, once."""
        phases = set(self._options.phases)
        if not phases & set("CDE"):
            return
        turns.resume()
        name = turns.engine.name
        if "C" in phases and turns.engine.has_rules:
            wakes = turns.wakes()
            say(
                f"{name}: C {wakes.seen} of {wakes.wakes} wakes, p50 {wakes.p50_ms} ms, p99 {wakes.p99_ms} ms late"
                f"{'' if wakes.in_time else ', and their events came too late'} {wakes.cpu_s}"
            )
        if "D" in phases:
            say(f"{name}: D {turns.killed()}")
        if "E" in phases and turns.engine.adds_live:
            say(f"{name}: E {turns.added()}")

    def _turns(self, engine: Engine, segments: int, size: Size) -> Turns:
        folder = Path(tempfile.mkdtemp(dir=self._options.folder))
        ground = Ground(
            self._kafka.bootstrap,
            self._valkey.redis_url,
            unique(engine.name[:20]),
            self._options.partitions,
            folder,
            size.profiles,
        )
        return Turns(
            engine,
            ground,
            with_probes(make_plan(segments)),
            size,
            Servers(self._kafka.pid, self._valkey.pid),
            Found(engine.name, segments, gate="not asked" if engine.has_rules else "no rules"),
        )


def earlier(options: argparse.Namespace) -> list[Engine]:
    """Return the engine of an earlier version of Segue, if one is asked for."""
    if options.before is None:
        return []
    tree = tree_of(options.before, options.folder / "before")
    return [Segue(name=BEFORE, design=f"Segue at {options.before}", root=tree)]


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments; None: the command line's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="day")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["segue", "null"])
    parser.add_argument("--segments", type=int, nargs="+", help="catalogues; default: the size's")
    parser.add_argument("--before", metavar="VERSION", help="also this revision, or tree, of Segue, as an engine")
    parser.add_argument("--phases", default="ABCDE", help="which phases (ABCDE); A is always run")
    parser.add_argument("--rounds", type=int, help="repeats of A and B; default: the size's")
    parser.add_argument("--profiles", type=int)
    parser.add_argument("--backlog", type=int, help="events of A")
    parser.add_argument("--rates", type=int, nargs="*", help="events/s of B, besides 75 %% of A")
    parser.add_argument("--rate-seconds", type=float, help="how long each rate lasts")
    parser.add_argument("--partitions", type=int, default=PARTITIONS)
    parser.add_argument("--no-gate", action="store_true", help="do not compare with the naive evaluator")
    parser.add_argument("--write", type=Path, default=RESULTS, help="the folder of the results")
    return parser.parse_args(arguments)


def size_of(options: argparse.Namespace) -> Size:
    """Return the size, with what the arguments change of it."""
    size = SIZES[options.size]
    given = {
        "segments": tuple(options.segments) if options.segments else None,
        "rounds": options.rounds,
        "profiles": options.profiles,
        "backlog": options.backlog,
        "rates": None if options.rates is None else tuple(options.rates),
        "rate_s": options.rate_seconds,
    }
    return replace(size, **{name: value for name, value in given.items() if value is not None})


def main() -> None:
    """Run it."""
    end_in_order()
    options = options_of()
    size = size_of(options)
    with temporary_folder() as folder, running_kafka(STEADY) as kafka, running_valkey() as valkey:
        options.folder = folder
        contest = Contest(options, size, kafka, valkey)
        found = [one for segments in size.segments for one in contest.run(segments)]
    for file in write(found, options.size, size, options.write, contest.absent):
        say(f"written: {file}")


if __name__ == "__main__":
    main()

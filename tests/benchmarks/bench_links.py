"""Measure links: a great many of them from a backlog, some of them taken back, and how soon a link is felt under load.

    python -m tests.benchmarks.bench_links [--links 1000000] [--back 0.01] [--segments 50] [--workers 1]
                                           [--rate 2000] [--every 40] [--seconds 20] [--profiles 20000]

Starts the embedded Kafka and Valkey and workers on the benchmark's catalogue. Every person has two subjects with a fact
each (`tests.benchmarks.load.persons`). Four backlogs, each sent while no worker runs:

    facts    of every person, before any link: two profiles a person
    links    one a person: the alias leaves its segment, the canonical subject takes its stay over
    back     some of the links are taken back: both changes again, the other way round

Each is timed from its first change to its last, as a `read_committed` reader has them, and every change must come: two
a link. Bytes are the store's `used_memory` a person. Then, with workers running, events are sent at a rate, one in
`--every` a link of a further person. Timed from the link's scheduled send: to the exit of the alias, and to the entry
of the canonical subject. The load is a process of its own. Everything runs on the same cores. The last line is JSON.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from streams.embedded import KafkaServer
from streams.embedded.kafka import STEADY
from tests.benchmarks import cpu
from tests.benchmarks.contest.children import load
from tests.benchmarks.contest.figures import quantile
from tests.benchmarks.contest.loader import BATCH_BYTES, Job, Sender
from tests.benchmarks.contest.memory import used_bytes
from tests.benchmarks.ending import end_in_order
from tests.benchmarks.link_changes import Heard, listening
from tests.benchmarks.load import persons
from tests.benchmarks.load.events import Made
from tests.benchmarks.load.plan import make_plan, with_probes
from tests.benchmarks.peers.engine import Ground, Running
from tests.benchmarks.peers.segue import Segue
from tests.servers import running_kafka, running_valkey, unique

SETTLE_S: Final = 2.5
"""Until what is written behind is in the store."""
BEGIN_S: Final = 2.0
"""Of the open loop: its begin, which is not counted."""


@dataclass
class Bench:
    """A deployment, its reader, and what was measured of it."""

    ground: Ground
    engine: Segue
    heard: Heard
    broker: int
    running: Running | None = None
    found: dict[str, Any] = field(default_factory=dict)

    async def backlog(self, name: str, events: Iterable[Made], changes: int) -> None:
        """Send a backlog, start workers, wait for its changes, stop them; note what it took."""
        sent = await self._send(events)
        self.heard.begin()
        self.start()
        # the changes of MARKER_SEGMENT begin when the first record is applied
        await self.heard.wait(min(1, changes))
        before = self._cpu()
        await self.heard.wait(changes)
        spent = cpu.spent(before, self._cpu())
        seconds = max(0.001, self.heard.last_s - self.heard.first_s)
        await asyncio.sleep(SETTLE_S)
        self.stop()
        self.found[name] = {
            "events": sent,
            "changes": self.heard.count,
            "seconds": round(seconds, 2),
            "events_per_second": round(sent / seconds),
            "us_an_event": {part: round(value / sent * 1e6, 1) for part, value in spent.items()},
            "store_bytes": await asyncio.to_thread(used_bytes, self.ground.redis_url),
        }
        print(f"{name}: {self.found[name]}", flush=True)

    async def _send(self, events: Iterable[Made]) -> int:
        job = Job(
            "links", self.ground.bootstrap, self.engine.events_topic(self.ground), self.ground.partitions, 1, 0, ""
        )
        producer = AIOKafkaProducer(bootstrap_servers=job.bootstrap, acks="all", max_batch_size=BATCH_BYTES)
        await producer.start()
        try:
            sender = Sender(job, producer)
            await sender.send(events)
            return sender.sent
        finally:
            await producer.stop()

    async def open_loop(self, options: argparse.Namespace) -> None:
        """Send events at a rate, with links among them; note how soon they were felt."""
        self.start()
        assert self.running is not None
        await asyncio.to_thread(self.running.wait_ready)
        self.heard.begin()
        count = int(options.rate * options.seconds)
        name = "x"
        job = Job(
            "paced",
            self.ground.bootstrap,
            self.engine.events_topic(self.ground),
            self.ground.partitions,
            options.profiles,
            count,
            name,
            rate=options.rate,
            links_every=options.every,
            links_first=options.links,
        )
        job = replace(job, start_s=time.time() + 2.0 + count * 30e-6)
        result = await asyncio.to_thread(load(job).result)
        await self.heard.wait(2 * (count // options.every))
        self.stop()
        late = {
            what: [
                (at_s - job.start_s - place / options.rate) * 1000
                for event, at_s in times.items()
                if event.startswith(name) and (place := int(event[len(name) :])) >= options.rate * BEGIN_S
            ]
            for what, times in (("exit", self.heard.exited_s), ("take_over", self.heard.entered_s))
        }
        self.found["open_loop"] = {
            "rate": options.rate,
            "links_per_second": round(options.rate / options.every, 1),
            "timed": len(late["take_over"]),
            **{
                f"{what}_{label}_ms": quantile(values, share)
                for what, values in late.items()
                for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))
            },
            "loader_late_ms": result["late_ms"],
        }

    def start(self) -> None:
        """Start the workers."""
        self.running = self.engine.start(self.ground)

    def stop(self) -> None:
        """Stop them, if they run."""
        running, self.running = self.running, None
        if running is not None:
            running.stop()

    def _cpu(self) -> dict[str, float]:
        assert self.running is not None
        return {
            "worker": sum(cpu.of_session(pid) for pid in self.running.pids),
            "broker": cpu.of_process(self.broker),
        }


async def measure(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Run the backlogs and the open loop; returns the figures."""
    everyone = range(options.links)
    known = options.links + int(options.rate * options.seconds) // options.every
    now_ms = int(time.time() * 1000)
    empty = await asyncio.to_thread(used_bytes, bench.ground.redis_url)
    await bench.backlog("facts", persons.facts(range(known), now_ms), known)
    await bench.backlog("links", persons.links(everyone, now_ms), 2 * options.links)
    back = range(0, options.links, max(1, round(1 / options.back)))
    await bench.backlog("back", persons.unlinks(back, now_ms + 1), 2 * len(back))
    held = {name: round((found["store_bytes"] - empty) / known) for name, found in bench.found.items()}
    await bench.open_loop(options)
    return {**bench.found, "persons": known, "store_bytes_a_person": held}


async def run(options: argparse.Namespace, kafka: KafkaServer, redis_url: str) -> dict[str, Any]:
    """Make the deployment, and measure; returns the figures. The workers are stopped at the end."""
    engine = Segue(workers=options.workers)
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(kafka.bootstrap, redis_url, unique("links"), options.partitions, Path(folder), options.links)
        await asyncio.to_thread(engine.prepare, ground, with_probes(make_plan(options.segments)))
        async with listening(ground, engine.changes_topic(ground), Heard()) as heard:
            bench = Bench(ground, engine, heard, kafka.pid)
            try:
                return await measure(bench, options)
            finally:
                bench.stop()


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments; None: the command line's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", type=int, default=1_000_000, help="of the backlog (1,000,000)")
    parser.add_argument("--back", type=float, default=0.01, help="share of the links that are taken back (0.01)")
    parser.add_argument("--segments", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--rate", type=int, default=2_000, help="events/s of the open loop (2,000)")
    parser.add_argument("--every", type=int, default=40, help="one in so many of them is a link (40)")
    parser.add_argument("--seconds", type=float, default=20, help="how long the open loop lasts (20)")
    parser.add_argument("--profiles", type=int, default=20_000, help="profiles of its other events (20,000)")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure."""
    end_in_order()
    options = options_of()
    with running_kafka(STEADY) as kafka, running_valkey() as valkey:
        print(json.dumps(asyncio.run(run(options, kafka, valkey.redis_url))))


if __name__ == "__main__":
    main()

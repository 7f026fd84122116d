"""The turns of an engine: each starts it, measures phases, and stops it. Every method blocks.

A marker is an event whose change shows that all before it in its partition was published. A backlog has one in each
partition after its first part, which warms the engine up, and one at its end. A drain is timed from the first change of
the first markers to the last change of the second ones, as the reader has them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from tests.benchmarks import cpu
from tests.benchmarks.contest.children import Loader, Reader, load, read
from tests.benchmarks.contest.figures import Drain, Found, Open, Upset, Wakes, quantile
from tests.benchmarks.contest.loader import Job
from tests.benchmarks.contest.sizes import ADDED_SEGMENTS, Size
from tests.benchmarks.load.plan import Plan, make_plan
from tests.benchmarks.peers.engine import Engine, Ground, Running

DRAIN_LIMIT_S: Final = 3_600
MARKER_LIMIT_S: Final = 120
WARM_SHARE: Final = 5
"""The first part of a backlog: one event for so many of the rest."""
SETTLE_S: Final = 2.0
"""After a drain, until what is written behind is in the store."""
PREPARE_S: Final = 1.5
PREPARE_EVENT_S: Final = 20e-6
"""How long before its begin an open loop is started: it makes its events first."""
BEGIN_S: Final = 2.0
"""Of each rate of B: the begin, which is not counted. Broker and engine compile and fill their caches."""
COMMITS_MIN: Final = 3
"""Of a drain: commits of the engine. Its time is wrong by up to one of them."""
CAUGHT_UP_MS: Final = 1_000
"""After a kill, the engine has caught up when no later change is later than this."""


@dataclass(frozen=True, slots=True)
class Servers:
    """The processes of broker and store."""

    broker: int
    store: int


@dataclass
class Turns:
    """One engine with one catalogue, over the whole run."""

    engine: Engine
    ground: Ground
    plan: Plan
    size: Size
    servers: Servers
    found: Found
    _running: Running | None = None
    _number: int = field(default=0)
    _helpers: list[Loader | Reader] = field(default_factory=list)

    # -- the way through a run

    def preload(self) -> None:
        """Let the engine take in 30 days of history, and stop it."""
        self.engine.prepare(self.ground, self.plan)
        self._load(self._job("history", events=0, marker="history")).result()
        reader = self._read()
        self._start()
        reader.wait_marker("history", self.ground.partitions, DRAIN_LIMIT_S)
        time.sleep(SETTLE_S)
        reader.noted()
        self.stop()

    def drain(self) -> Drain:
        """Phase A. The engine is stopped before, and runs afterwards."""
        name = self._name("a")
        job = self._job("backlog", events=self.size.backlog, name=name, marker=name)
        self._load(replace(job, warm_events=self.size.backlog // WARM_SHARE)).result()
        reader = self._read()
        self._start()
        # the first of them: who reads one partition after another may have done most by the last one
        began_s = reader.wait_any_marker(f"{name}warm", self.ground.partitions, DRAIN_LIMIT_S)
        before = self._cpu(reader)
        ended_s = reader.wait_marker(name, self.ground.partitions, DRAIN_LIMIT_S)
        spent = cpu.spent(before, self._cpu(reader))
        reader.noted()
        # a short backlog may be done at once
        drain = Drain(self.size.backlog, max(0.001, ended_s - began_s), spent)
        refuse_short(drain, self.engine)
        self.found.drains.append(drain)
        time.sleep(SETTLE_S)
        return drain

    def open_loop(self, rate: int, label: str) -> Open:
        """Phase B at one rate; the engine runs."""
        reader = self._read()
        job = self._paced(rate, self.size.rate_s)
        loader = self._load(job)
        time.sleep(max(0.0, job.start_s - time.time()))
        before = {**self._cpu(reader), "loader": cpu.of_process(loader.process.pid)}
        time.sleep(max(0.0, job.start_s + self.size.rate_s - 0.2 - time.time()))
        spent = cpu.spent(before, {**self._cpu(reader), "loader": cpu.of_process(loader.process.pid)})
        late_ms = loader.result()["late_ms"]
        reader.wait_marker(job.marker, self.ground.partitions, MARKER_LIMIT_S)
        latencies = [one for one in latencies_of(reader, job) if one[0] >= rate * BEGIN_S]
        last = [ms for number, ms in latencies if number >= job.events - rate]
        kept_up = sum(ms > 1_000 for ms in last) <= len(last) / 2
        found = Open(rate, self.size.rate_s - 0.2, [ms for _, ms in latencies], late_ms, spent, kept_up)
        self.found.opens.setdefault(label, []).append(found)
        return found

    def wakes(self) -> Wakes:
        """Phase C; the engine runs."""
        reader = self._read()
        name = self._name("c")
        # time enough to send the events and to apply them
        margin_s = 3 + 2 * self.size.wakes / self._rate_of_drain()
        job = self._job("waking", events=self.size.wakes, name=name, marker=name)
        job = replace(job, start_s=time.time() + margin_s, span_s=self.size.wakes_s)
        self._load(job).result()
        in_time = reader.wait_marker(name, self.ground.partitions, MARKER_LIMIT_S) < job.start_s
        time.sleep(max(0.0, job.start_s - time.time()))
        before = self._cpu(reader)
        time.sleep(max(0.0, job.start_s + job.span_s + 5 - time.time()))
        spent = cpu.spent(before, self._cpu(reader))
        late = [(at_s - seconds_of(effective)) * 1000 for effective, at_s in reader.noted().wakes]
        self.found.wakes = Wakes(min(self.size.wakes, self.ground.profiles), len(late), late, spent, in_time)
        return self.found.wakes

    def killed(self) -> Upset:
        """Phase D: kill the engine in the middle of a load, and start it again at once; the engine runs."""

        def upset() -> None:
            assert self._running is not None
            self._running.kill()
            self._start()

        self.found.killed = self._upset(upset)
        return self.found.killed

    def added(self) -> Upset:
        """Phase E: add segments in the middle of a load; the engine runs, and its catalogue is another afterwards."""
        more = make_plan(ADDED_SEGMENTS, first=len(self.plan.segments))
        plan = Plan((*self.plan.segments, *more.segments), (*self.plan.activations, *more.activations))
        self.found.added = self._upset(lambda: self.engine.add(self.ground, plan))
        return self.found.added

    def tick(self) -> None:
        """Let the clock of every partition pass all that is due; the engine runs."""
        reader = self._read()
        name = self._name("t")
        self._load(self._job("backlog", events=0, name=name, marker=name)).result()
        reader.wait_marker(name, self.ground.partitions, MARKER_LIMIT_S)
        reader.noted()

    def resume(self) -> None:
        """Start the engine, and wait until it is ready."""
        self._start()
        assert self._running is not None
        self._running.wait_ready()

    def stop(self) -> None:
        """Stop the engine, if it runs, and loaders and readers that a phase left when it failed."""
        running, self._running = self._running, None
        helpers, self._helpers = self._helpers, []
        for helper in helpers:
            helper.process.kill()
            helper.process.wait()
        if running is not None:
            running.stop()

    # -- parts

    def _upset(self, happen: Callable[[], None]) -> Upset:
        rate = int(min(self.size.upset_rate, self._rate_of_drain() / 2))
        reader = self._read()
        job = self._paced(rate, self.size.upset_s)
        loader = self._load(job)
        time.sleep(max(0.0, job.start_s + self.size.upset_s / 3 - time.time()))
        at_s = time.time() - job.start_s
        happen()
        loader.result()
        reader.wait_marker(job.marker, self.ground.partitions, MARKER_LIMIT_S)
        latencies = latencies_of(reader, job)
        before = [ms for number, ms in latencies if 1 <= number / rate < at_s - 1]
        after = [ms for number, ms in latencies if number / rate >= at_s - 1]
        late = [
            number / rate + ms / 1000 for number, ms in latencies if ms > CAUGHT_UP_MS and number / rate > at_s - 10
        ]
        caught_up_s = max(0.0, max(late) - at_s) if late else 0.0
        return Upset(
            rate,
            round(at_s, 1),
            round(caught_up_s, 1),
            quantile(before, 0.99),
            quantile(after, 0.99),
            quantile(after, 1),
        )

    def _rate_of_drain(self) -> float:
        return self.found.drains[-1].events_per_s

    def _name(self, phase: str) -> str:
        self._number += 1
        return f"{phase}{self._number}x"

    def _job(self, kind: str, *, events: int, name: str = "", marker: str = "") -> Job:
        return Job(
            kind=kind,
            bootstrap=self.ground.bootstrap,
            topic=self.engine.events_topic(self.ground),
            partitions=self.ground.partitions,
            profiles=self.ground.profiles,
            events=events,
            name=name,
            marker=marker,
        )

    def _paced(self, rate: int, seconds: float) -> Job:
        name = self._name("b")
        events = int(rate * seconds)
        start_s = time.time() + PREPARE_S + events * PREPARE_EVENT_S + self.ground.profiles * 1e-6
        return replace(self._job("paced", events=events, name=name, marker=name), rate=rate, start_s=start_s)

    def _read(self) -> Reader:
        ground = self.ground
        file = Path(ground.folder / "noted.json")
        reader = read(ground.bootstrap, self.engine.changes_topic(ground), ground.partitions, file)
        self._helpers.append(reader)
        return reader

    def _load(self, job: Job) -> Loader:
        loader = load(job)
        self._helpers.append(loader)
        return loader

    def _start(self) -> None:
        self._running = self.engine.start(self.ground)

    def _cpu(self, reader: Reader) -> dict[str, float]:
        assert self._running is not None
        return {
            "engine": sum(cpu.of_session(pid) for pid in self._running.pids),
            "store": cpu.of_process(self.servers.store),
            "broker": cpu.of_process(self.servers.broker),
            "reader": cpu.of_process(reader.pid),
        }


def refuse_short(drain: Drain, engine: Engine) -> None:
    """Raise RuntimeError if a drain took too few of the engine's commits to say how fast it is.

    Changes can be read only when they are committed, so both ends of a drain are late by up to one interval.
    """
    least_s = COMMITS_MIN * engine.commit_s
    if drain.seconds < least_s:
        raise RuntimeError(
            f"A took {drain.seconds:.1f} s, and {engine.name} commits every {engine.commit_s:g} s: a drain must take"
            f" {least_s:g} s, so give it a longer backlog (--backlog; this one has {drain.events:,} events)"
        )


def latencies_of(reader: Reader, job: Job) -> list[tuple[int, float]]:
    """End the reader; returns (number of the event, ms from its scheduled send to the last of its changes)."""
    found: dict[int, float] = {}
    for name, at_s in reader.noted().events:
        if name.startswith(job.name):
            number = int(name[len(job.name) :])
            found[number] = max(found.get(number, 0.0), (at_s - job.start_s - number / job.rate) * 1000)
    return sorted(found.items())


def seconds_of(text: str) -> float:
    """Read an instant."""
    return datetime.fromisoformat(text).timestamp()

"""The loader: a process of its own that sends events, and prints what it did as one line of JSON.

    python -m tests.benchmarks.contest.loader JOB      (JOB: the fields of `Job` as JSON)

An open loop is made before it begins: while it runs, the loader only appends finished bytes to batches and sends them,
every `TICK_S`. An event is never sent before its instant; how long after it the loader was is reported (`late_ms`). The
benchmark measures latency from the instant of the schedule, so a late loader never flatters an engine.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import uvloop
from aiokafka import AIOKafkaProducer

from rules.ground.partitioning import partition_of
from tests.benchmarks.load.affiliations import with_probes
from tests.benchmarks.load.events import HISTORY_EVENTS, HISTORY_MS, Events, Made
from tests.benchmarks.load.persons import with_links
from tests.benchmarks.load.plan import MARKER, WAKING, WAKING_MS

TICK_S: Final = 0.005
BATCH_BYTES: Final = 200_000
"""A batch of a backlog: 650 events."""
FLIGHTS_MAX: Final = 64
"""Batches of a backlog that are under way."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to send."""

    kind: str
    """history, backlog, paced or waking."""
    bootstrap: str
    topic: str
    partitions: int
    profiles: int
    events: int
    name: str
    """Begins the ids of the events: `evt-` name number."""
    rate: float = 0
    """Events/s of a paced job."""
    start_s: float = 0
    """When a paced job begins, and when the first wake of a waking one is due: seconds since 1970."""
    span_s: float = 0
    """Of a waking job: within what time all are due."""
    warm_events: int = 0
    """Events of a backlog before it; then comes a first set of markers, named `marker` and `warm`."""
    links_every: int = 0
    """Of a paced job: one event in so many is the link of the next person (`load.persons`); 0: none is."""
    links_first: int = 0
    """The first of these persons."""
    probes_every: int = 0
    """Of a paced job: one event in so many is a probe (`load.affiliations`); 0: none is."""
    told_at: int = 0
    """Where probes are: the place of the event that the organisation is told."""
    told_status: str = ""
    """What it is told."""
    marker: str = ""
    """Ends the job with one marker in every partition, whose events are named `evt-` marker `-` partition."""


class Sender:
    """Sends events in batches."""

    def __init__(self, job: Job, producer: AIOKafkaProducer) -> None:
        self._job = job
        self._producer = producer
        self._places: dict[str, tuple[bytes, int]] = {}
        self._flights: set[asyncio.Future[Any]] = set()
        self.sent = 0

    def place(self, subject: str) -> tuple[bytes, int]:
        """Return a subject's key and partition."""
        found = self._places.get(subject)
        if found is None:
            key = subject.encode()
            found = self._places[subject] = key, partition_of(key, self._job.partitions)
        return found

    async def send(self, made: Iterable[Made]) -> None:
        """Send events in batches as large as they get, and wait for the broker."""
        builders: dict[int, Any] = {}
        for one in made:
            key, place = self.place(one.subject)
            builder = builders.get(place)
            if builder is None or builder.append(key=key, value=one.value, timestamp=None) is None:
                if builder is not None:
                    await self._fly(place, builder)
                builder = builders[place] = self._producer.create_batch()
                builder.append(key=key, value=one.value, timestamp=None)
            self.sent += 1
        for place, builder in builders.items():
            await self._fly(place, builder)
        await asyncio.gather(*self._flights)

    async def _fly(self, place: int, builder: Any) -> None:
        while len(self._flights) >= FLIGHTS_MAX:
            await asyncio.wait(self._flights, return_when=asyncio.FIRST_COMPLETED)
        delivery = await self._producer.send_batch(builder, self._job.topic, partition=place)
        self._flights.add(delivery)
        delivery.add_done_callback(self._flights.discard)

    async def pace(self, made: Sequence[tuple[bytes, int, bytes]]) -> float:
        """Send prepared events (key, partition, value) at the job's rate; returns how late the latest was, in ms."""
        rate, start_s = self._job.rate, self._job.start_s
        late_s = 0.0
        if time.time() > start_s:
            raise SystemExit("the loader was not ready in time")
        while self.sent < len(made):
            now_s = time.time()
            due = min(len(made), int((now_s - start_s) * rate) + 1) if now_s >= start_s else 0
            builders: dict[int, Any] = {}
            if due > self.sent:
                late_s = max(late_s, now_s - start_s - self.sent / rate)
            for key, place, value in made[self.sent : due]:
                builder = builders.get(place)
                if builder is None or builder.append(key=key, value=value, timestamp=None) is None:
                    if builder is not None:
                        await self._fly(place, builder)
                    builder = builders[place] = self._producer.create_batch()
                    builder.append(key=key, value=value, timestamp=None)
            self.sent = max(self.sent, due)
            for place, builder in builders.items():
                await self._fly(place, builder)
            await asyncio.sleep(max(0.0, TICK_S - (time.time() - now_s)))
        await asyncio.gather(*self._flights)
        return late_s * 1000


def markers(job: Job, source: Events, name: str) -> Iterator[Made]:
    """Make one marker for each partition, of a profile that has no other event."""
    missing = set(range(job.partitions))
    number = 0
    while missing:
        subject = f"hcp:{name}-{number}"
        number += 1
        partition = partition_of(subject.encode(), job.partitions)
        if partition in missing:
            missing.discard(partition)
            yield source.probe(f"{name}-{partition}", MARKER, subject, now_ms())


def waking(job: Job, source: Events) -> Iterator[Made]:
    """Make one event for each of so many profiles, whose membership ends within the job's span."""
    first_ms = int(job.start_s * 1000) - WAKING_MS
    for n in range(job.events):
        at_ms = first_ms + int(n * job.span_s * 1000 / job.events)
        yield source.probe(f"{job.name}{n}", WAKING, source.subject(n % job.profiles), at_ms)


def now_ms() -> int:
    """Return the instant."""
    return int(time.time() * 1000)


async def run(job: Job) -> dict[str, float]:
    """Do the job; returns what was sent, and how late the loader was."""
    source = Events(job.profiles)
    producer = AIOKafkaProducer(
        bootstrap_servers=job.bootstrap, acks="all", max_batch_size=BATCH_BYTES, enable_idempotence=True
    )
    await producer.start()
    sender = Sender(job, producer)
    late_ms = 0.0
    try:
        if job.kind == "history":
            last_ms = now_ms()
            await sender.send(source.history(last_ms - HISTORY_MS, last_ms, job.profiles * HISTORY_EVENTS))
        elif job.kind == "backlog":
            if job.warm_events:
                await sender.send(source.stream(job.warm_events, lambda _: now_ms(), name=f"{job.name}w"))
                await sender.send(markers(job, source, f"{job.marker}warm"))
            await sender.send(source.stream(job.events, lambda _: now_ms(), name=job.name))
        elif job.kind == "waking":
            await sender.send(waking(job, source))
        else:
            start_ms = job.start_s * 1000
            stream = source.stream(job.events, lambda n: int(start_ms + n * 1000 / job.rate), name=job.name)
            if job.links_every:
                stream = with_links(stream, job.links_every, job.name, first=job.links_first)
            if job.probes_every:
                stream = with_probes(stream, job.probes_every, job.told_at, job.name, job.told_status)
            late_ms = await sender.pace([(*sender.place(one.subject), one.value) for one in stream])
        if job.marker:
            await sender.send(markers(job, source, job.marker))
    finally:
        await producer.stop()
    return {"sent": sender.sent, "late_ms": round(late_ms, 1), "cpu_s": round(time.process_time(), 2)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(Job(**json.loads(sys.argv[1]))))))

"""Faust (faust-streaming 0.15): an agent and a table with a changelog topic.

    idiomatic   as its guide shows: an agent that takes one event at a time, a table of JSON, the default settings (the
                table is in memory), all segments asked about every event
    best        the same agent over packed profiles in RocksDB, written only if they changed; the index; uvloop; a
                producer that waits 20 ms for company

A timer cannot write a table: a table's key belongs to the partition of the event in hand. So what is due goes through a
topic of wakes. A heap in memory says which profiles are due, a timer sends their names, and the agent takes these like
events.

What a crash does: the changelog, the changes and the offsets are written apart. Events are applied again, and changes
come twice: at least once. (`processing_guarantee="exactly_once"` exists; its open issues speak of changes
that are sent outside of the transaction and of duplicates, faust-streaming/faust 177 and 517.)
"""

import heapq
import sys
from collections import defaultdict
from typing import Any, Final

import faust
import uvloop
from aiokafka.partitioner import murmur2

from tests.benchmarks.peers.python.clock import Clock
from tests.benchmarks.peers.python.evaluator import Evaluator, Profile, new_profile
from tests.benchmarks.peers.python.packed import Packed
from tests.benchmarks.peers.python.told import Told, ready, told
from tests.benchmarks.peers.python.wire import Change, read_event, write_change

WAKES_S: Final = 0.1
"""How often the timer looks."""


class Due:
    """Which profiles are due, by partition: a heap in memory beside the table."""

    def __init__(self, clock: Clock, partitions: int) -> None:
        """Go by this clock."""
        self._clock = clock
        self._partitions = partitions
        self._heaps: dict[int, list[tuple[int, str]]] = defaultdict(list)

    def add(self, subject: str, at_ms: int) -> None:
        """Remember a profile's next boundary; 0: none. One that no longer stands fires in vain."""
        if at_ms:
            partition = (murmur2(subject.encode()) & 0x7FFFFFFF) % self._partitions
            heapq.heappush(self._heaps[partition], (at_ms, subject))

    def pop(self) -> list[tuple[int, str]]:
        """Take what is due by each partition's time: (partition, subject)."""
        found = []
        for partition, heap in self._heaps.items():
            now_ms = self._clock.now_ms(partition)
            while heap and heap[0][0] <= now_ms:
                found.append((partition, heapq.heappop(heap)[1]))
        return found


class Profiles:
    """The table, read and written in either design, and the boundaries of what was written."""

    def __init__(self, table: Any, due: Due, *, packed: bool) -> None:
        """Take the table."""
        self._table = table
        self._due = due
        self._packed = Packed() if packed else None

    def read(self, subject: str) -> Profile:
        """Return a profile."""
        stored = self._table.get(subject)
        if self._packed is not None:
            return self._packed.read(subject, stored)
        return stored or new_profile()

    def write(self, subject: str, profile: Profile, next_ms: int) -> None:
        """Write a profile whose next boundary was `next_ms` when it was read."""
        if self._packed is None:
            self._table[subject] = profile
        else:
            kept = self._packed.write(subject, profile)
            if kept != self._table.get(subject):
                self._table[subject] = kept
        if profile["next_ms"] != next_ms:
            self._due.add(subject, profile["next_ms"])

    def refill(self) -> None:
        """Find the boundaries of all profiles, after a start."""
        for subject in self._table:
            self._due.add(subject, self.read(subject)["next_ms"])


def settings(given: Told) -> dict[str, Any]:
    """Return the settings: what every run needs, and what the best design sets besides."""
    needed = {
        "broker": f"kafka://{given.bootstrap}",
        "datadir": given.folder,
        "topic_partitions": given.partitions,
        "topic_replication_factor": 1,
        "consumer_auto_offset_reset": "earliest",
        "web_enabled": False,
        "topic_disable_leader": True,
    }
    best = {"store": "rocksdb://", "producer_linger": 0.02, "producer_max_batch_size": 131_072}
    return {**needed, **(best if given.best else {})}


def make_app(given: Told) -> faust.App:
    """Make the application."""
    app = faust.App(given.name, **settings(given))
    raw: dict[str, Any] = {"key_type": str, "key_serializer": "raw", "value_type": bytes, "value_serializer": "raw"}
    names = given.events, f"{given.name}.wakes"
    wakes = app.topic(names[1], **raw)
    changes = app.topic(given.changes, **raw)
    table = app.Table("profiles", key_type=str, value_type=bytes if given.best else None)
    evaluator, clock = Evaluator(given.plan(), indexed=given.best), Clock()
    due = Due(clock, given.partitions)
    profiles = Profiles(table, due, packed=given.best)

    def take(profile: Profile, event: Any) -> list[Change]:
        partition = event.message.partition
        if event.message.topic != given.events:
            return evaluator.pass_time(profile, event.key, clock.now_ms(partition))
        r_ms = clock.saw(partition, round(event.message.timestamp * 1_000))
        return evaluator.apply(profile, read_event(event.value), r_ms)

    @app.agent(app.topic(*names, **raw))
    async def keep(stream: Any) -> None:
        async for event in stream.events():
            profile = profiles.read(event.key)
            next_ms = profile["next_ms"]
            found = take(profile, event)
            profiles.write(event.key, profile, next_ms)
            for change in found:
                await changes.send(key=event.key, value=write_change(change), partition=event.message.partition)

    @app.timer(WAKES_S)  # type: ignore[untyped-decorator]
    async def wake() -> None:
        for partition, subject in due.pop():
            await wakes.send(key=subject, value=b"", partition=partition)

    @app.task  # type: ignore[untyped-decorator]
    async def start() -> None:
        profiles.refill()
        ready()

    return app


if __name__ == "__main__":
    mine = told()
    if mine.best:
        uvloop.install()
    made = make_app(mine)
    sys.argv = ["faust", "worker", "--loglevel", "warn"]
    made.main()

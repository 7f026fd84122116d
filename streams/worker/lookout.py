"""Looks now and then at what a worker's own work does not show, for its metrics only: nothing is decided by it.

- the ends of its partitions as another client sees them: a consumer that has gone silent does not know them;
- transactions that are open before the readers of a topic, and for how long;
- the age of a record that is not applied and was not even read: a stopped partition, an open transaction;
- how long the input is kept;
- how many members the segments have, after each checkpoint, at most every `MEMBERS_EVERY_MS`.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from rules.catalogue.catalogue import Catalogue
from streams.actions import told
from streams.clock import Clock
from streams.errors import NotReachable, StoreBug, Unanswered
from streams.intake.input import Input
from streams.log.watermarks import Watermarks
from streams.partition.runner import PartitionRunner
from streams.partition.status import READING, PartitionStatus
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics
from streams.worker.status import WorkerStatus

log = logging.getLogger(__name__)

EVERY_MS: Final = 5_000
FRESH_MS: Final = 3 * EVERY_MS
"""An end that was seen longer ago is not known any more."""
MEMBERS_EVERY_MS: Final = 10_000
RETENTION_EVERY_MS: Final = 600_000
"""The settings of a topic change seldom."""


class WatchedLog(Protocol):
    """What is asked of Kafka; `KafkaLog` is one. Raises NotReachable."""

    async def watermarks(self, partitions: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], Watermarks]:
        """Return the watermarks of (topic, partition); those that have no leader are left out."""
        ...

    async def stamp(self, topic: str, partition: int, offset: int) -> int | None:
        """Return the timestamp of the first record from an offset on; None: not found."""
        ...


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the input is kept; -1: for ever."""

    ms: int
    bytes: int


@dataclass(slots=True)
class Unstable:
    """An open transaction before the readers of a topic's partition."""

    stable: int
    since_ms: int
    records: int


@dataclass(slots=True)
class Seen:
    """What was seen. Partitions that were let go are forgotten at the next look."""

    input: dict[int, Watermarks] = field(default_factory=dict)
    input_ms: float = 0.0
    """When that was, by the steady clock."""
    unstable: dict[tuple[str, int], Unstable | None] = field(default_factory=dict)
    """By topic and partition; None: nothing holds its readers up."""
    stamps: dict[int, tuple[int, int]] = field(default_factory=dict)
    """By partition: (offset, timestamp of the first record from there on)."""
    members: dict[int, Mapping[str, int]] = field(default_factory=dict)
    """By partition: members by segment."""
    retention: Retention | None = None
    """None: not known."""


class Lookout:
    """Looks for one worker, and keeps what it saw last."""

    def __init__(
        self,
        source: WatchedLog,
        retention: Callable[[], Awaitable[Retention | None]],
        deployment: Deployment,
        status: WorkerStatus,
        reads: Input,
        catalogues: Callable[[], Iterable[Catalogue]],
        runners: Callable[[], Mapping[int, PartitionRunner]],
        clock: Clock,
    ) -> None:
        self._source = source
        self._retention = retention
        self._deployment = deployment
        self._status = status
        self._reads = reads
        self._catalogues = catalogues
        self._runners = runners
        self._clock = clock
        self._counted_at: dict[int, tuple[int, int]] = {}
        """By partition: the epoch and the checkpoint at which its members were counted."""
        self._members_ms = -float(MEMBERS_EVERY_MS)
        self._retention_ms = -float(RETENTION_EVERY_MS)
        self.seen = Seen()

    async def run(self) -> None:
        """Look without end. A bug here costs metrics, and never a worker that does its work."""
        failing = False
        while True:
            try:
                await self.look()
                failing = False
            except Exception:
                if not failing:
                    log.exception("a bug in what metrics look at", extra=told("bug"))
                failing = True
            await self._clock.sleep(EVERY_MS)

    async def look(self) -> None:
        """Look once. A server that is away leaves what was seen before; the metrics of its absence say so."""
        runners = self._runners()
        self._forget(runners.keys())
        with contextlib.suppress(NotReachable):  # the watch of the servers says so
            await self._look_at_log(runners.keys())
            await self._look_at_stamps(runners)
            await self._look_at_retention()
        await self._count_members(runners)

    def behind(self, status: PartitionStatus) -> int | None:
        """Return how many offsets are not applied, or not read, up to the end seen last; None: not known."""
        marks, next_offset = self.seen.input.get(status.partition), self._next(status)
        if marks is None or next_offset is None or self._clock.now_ms() - self.seen.input_ms > FRESH_MS:
            return None
        return max(0, marks.end - next_offset)

    def stamp(self, status: PartitionStatus) -> int | None:
        """Return the timestamp of the next record to read, or to apply where none is read; None: not known."""
        found = self.seen.stamps.get(status.partition)
        return found[1] if found is not None and found[0] == self._next(status) else None

    def _next(self, status: PartitionStatus) -> int | None:
        """Return the next record: of the consumer, which has passed markers; of the state where nothing is read."""
        if status.state in READING:
            return self._reads.offsets(status.partition).next
        return status.applied_offset if status.applied_offset >= 0 else None

    def _forget(self, held: Collection[int]) -> None:
        seen = self.seen
        for kept in (seen.input, seen.stamps, seen.members, self._counted_at):
            for partition in kept.keys() - held:
                del kept[partition]
        seen.unstable = {key: found for key, found in seen.unstable.items() if key[1] in held}

    async def _look_at_log(self, held: Collection[int]) -> None:
        events = self._deployment.events_topic
        asked = [(topic, number) for topic in self._topics() for number in held]
        found = await self._source.watermarks(asked) if asked else {}
        now_ms, self.seen.input_ms = self._clock.wall_ms(), self._clock.now_ms()
        for (topic, partition), marks in found.items():
            if topic == events:
                self.seen.input[partition] = marks
            before = self.seen.unstable.get((topic, partition))
            if not marks.unstable_records:
                self.seen.unstable[topic, partition] = None
            elif before is None or before.stable != marks.stable:
                self.seen.unstable[topic, partition] = Unstable(marks.stable, now_ms, marks.unstable_records)
            else:
                before.records = marks.unstable_records

    def _topics(self) -> list[str]:
        """Return the input, and the topics that platforms read."""
        deployment, catalogues = self._deployment, list(self._catalogues())
        channels = {each.channel for one in catalogues for each in one.approved_activations.values()}
        topics = [deployment.events_topic, deployment.membership_topic]
        if any(one.is_hidden(segment) for one in catalogues for segment in one.order):
            topics.append(restricted_topics(deployment)[0])
        return [*topics, *(channel_topics(deployment, channel)[0] for channel in sorted(channels))]

    async def _look_at_stamps(self, runners: Mapping[int, PartitionRunner]) -> None:
        """Ask for the age of the next record where the partition itself does not know it."""
        for partition, runner in runners.items():
            next_offset = self._next(runner.status)
            if next_offset is None or runner.status.oldest_unapplied_ms >= 0 or not self.behind(runner.status):
                continue
            if self.seen.stamps.get(partition, (-1, 0))[0] != next_offset:
                stamp = await self._source.stamp(self._deployment.events_topic, partition, next_offset)
                if stamp is not None:
                    self.seen.stamps[partition] = (next_offset, stamp)

    async def _look_at_retention(self) -> None:
        if self._clock.now_ms() - self._retention_ms >= RETENTION_EVERY_MS:
            self.seen.retention = await self._retention()
            self._retention_ms = self._clock.now_ms()

    async def _count_members(self, runners: Mapping[int, PartitionRunner]) -> None:
        if self._clock.now_ms() - self._members_ms < MEMBERS_EVERY_MS:
            return
        self._members_ms = self._clock.now_ms()
        by_hash = {one.hash: one for one in self._catalogues()}
        for partition, runner in runners.items():
            status = runner.status
            catalogue, at = by_hash.get(status.catalogue), (status.epoch, status.checkpoints)
            if catalogue is None or status.state != "running" or self._counted_at.get(partition) == at:
                continue
            try:
                sizes = await runner.sizes(catalogue.order)
            except (Unanswered, StoreBug):
                return  # its owner, and the watch of the servers, say so
            self.seen.members[partition] = dict(zip(catalogue.order, sizes, strict=True))
            self._counted_at[partition] = at

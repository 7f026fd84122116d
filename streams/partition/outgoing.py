"""The output that waits to be published, and what of it goes into the next transaction. No I/O, no waiting.

A transaction takes everything that is due, in whole slices, round robin over the partitions. The last record of each
partition in it is its progress. Progress without changes costs a transaction too. So it waits until it can ride along
(`ride_ms` of TransactionPace), for `quiet_ms` or `quiet_records_max`, or for a flush.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from streams.metrics.tally import Notes
from streams.partition.claim import Claimed
from streams.records import OutRecord
from streams.wire.progress import Progress, RefusedMemory, progress_record

BYTES_AS_A_CHANGE: Final = 8_192
"""Bytes of effects that count as one change: with 1,000 of them a transaction has 8 MB, which is sent in a fraction of
its time-out."""


@dataclass(frozen=True, slots=True)
class PublishSlice:
    """The output of one partition's records up to a record boundary, in order. Without records: only progress."""

    upto_offset: int
    """The next input record: this slice publishes the last changes of the records before it."""
    records: Sequence[OutRecord]
    """The slice's changes with their standing memberships, withdrawals and dead letters."""
    clock_ms: int
    catalogue: str
    digest: str
    changes: int = 0
    """How many changes the records hold."""
    effect_bytes: int = 0
    """How large the effects among the records are together."""
    notes: Notes | None = None
    """What the records are, for the metrics."""
    refused: RefusedMemory | None = None
    """What the guard of bad input remembers at the boundary."""
    behind: bool = False
    """Whether many records of the partition still wait to be applied."""

    @property
    def weight(self) -> int:
        """How much the slice counts towards `changes_max`: its changes, and its records that belong to none.

        An effect counts more than once where it is large: a contribution may have most of a megabyte.
        """
        return max(self.changes, len(self.records) - self.changes, self.effect_bytes // BYTES_AS_A_CHANGE)


@dataclass(frozen=True, slots=True)
class TransactionPace:
    """When transactions are made, and how large. Lengths in ms."""

    changes_max: int = 1_000
    """Changes in a transaction. A slice is never split, because progress cannot name half a record. So a single slice
    may exceed the limit: one record that passes many wakes may bring more changes."""
    quiet_ms: int = 2_000
    """Progress without changes is written after this long at the latest: Redis holds the state only up to it, and
    `explain`, `lag` and autoscalers should not see a quiet partition far behind …"""
    quiet_records_max: int = 10_000
    """… or after so many input records …"""
    ride_ms: int = 1_000
    """… and it rides along in a transaction of other partitions when the last progress is older than this."""
    linger_max_ms: int = 15
    """After a transaction for which several slices had gathered, one that is not full begins so long after it as it
    took, but no later than this. So a busy worker waits longer than an idle one: fewer transactions leave it, and the
    brokers, more time for each. One that took longer (a broker or this process was busy) kept what came meanwhile
    waiting enough …"""
    linger_behind_ms: int = 100
    """… unless every partition that has changes is behind its input. Nobody waits for a moment then, and a transaction
    begins so long after the last one. There are fewer, just where time is short: each costs the brokers about half a ms
    for every partition of every topic in it."""
    slow_ms: int = 1_000
    """A transaction that takes longer is slow: long against the usual few ms, short against its time-out."""
    waiting_max: int = 20
    """So many full transactions may wait. With more, who has more than a share of it brings no more: a record may bring
    hundreds of changes, each waits with its records, and until they are published their profiles stay in memory."""


class PartitionQueue:
    """The slices of one partition that wait to be published."""

    def __init__(self, claimed: Claimed, on_published: Callable[[Progress], None], now_ms: float) -> None:
        self.on_published = on_published
        self.epoch = claimed.epoch
        self.published = claimed.published
        self.written_ms = now_ms
        """When progress was written last, or the partition was begun."""
        self.slices: deque[PublishSlice] = deque()
        self.weight = 0
        """The weight of these slices together."""
        self.upto = claimed.published.offset
        """The `upto_offset` of the newest slice."""
        self.flushing = 0
        self.wanted = False
        """Its progress is wanted soon, also without changes."""
        self.failed = False
        """A transaction that touched it was not answered."""

    def add(self, new: PublishSlice) -> None:
        if new.upto_offset <= self.upto:
            raise ValueError(f"a slice up to {new.upto_offset} after one up to {self.upto}")
        self.upto = new.upto_offset
        self.weight += new.weight
        if self.slices and not (new.records and self.slices[-1].records):
            # one of them brings only progress: both go as one
            last = self.slices.pop()
            if last.records:
                new = replace(
                    new, records=last.records, changes=last.changes, effect_bytes=last.effect_bytes, notes=last.notes
                )
        self.slices.append(new)

    def loud(self) -> bool:
        """Whether the next slice has records to publish."""
        return bool(self.slices and self.slices[0].records)

    def due(self, pace: TransactionPace, now_ms: float) -> bool:
        """Whether something must be published by now, changes or progress."""
        return bool(self.slices) and (
            self.loud()
            or self.flushing > 0
            or self.wanted
            or now_ms >= self.written_ms + pace.quiet_ms
            or self.upto - self.published.offset >= pace.quiet_records_max
        )


@dataclass(slots=True)
class Transaction:
    """One transaction in the making."""

    records: list[OutRecord] = field(default_factory=list)
    progress: dict[int, tuple[PartitionQueue, Progress]] = field(default_factory=dict)
    weight: int = 0
    slices: int = 0
    """How many of its slices hold records."""
    notes: list[tuple[int, Notes]] = field(default_factory=list)
    """Of its slices that hold records, with their partitions."""


class Outgoing:
    """The queues of a worker's partitions."""

    def __init__(self, generation: str, progress_topic: str, pace: TransactionPace) -> None:
        self._generation = generation
        self._progress_topic = progress_topic
        self._pace = pace
        self._queues: dict[int, PartitionQueue] = {}
        self._turn = 0

    @property
    def queues(self) -> Mapping[int, PartitionQueue]:
        """The queue of each partition that was begun and not dropped."""
        return self._queues

    def begin(self, claimed: Claimed, on_published: Callable[[Progress], None], now_ms: float) -> None:
        """Make the queue of a partition that was claimed."""
        self._queues[claimed.partition] = PartitionQueue(claimed, on_published, now_ms)

    def drop(self, partition: int) -> PartitionQueue | None:
        """Forget the queue of a partition and return it; None: there is none."""
        return self._queues.pop(partition, None)

    def due(self, now_ms: float) -> bool:
        """Whether a transaction must be made by now."""
        return any(queue.due(self._pace, now_ms) for queue in self._queues.values())

    def hurried(self) -> bool:
        """Whether a transaction should not wait for more: it is full, or somebody flushes."""
        return self._weight() >= self._pace.changes_max or any(queue.flushing for queue in self._queues.values())

    def too_much(self, partition: int) -> bool:
        """Whether so much waits that a partition should bring no more: more than may, and more than its share of that.

        A partition of which little waits goes on, whatever others bring. It would hardly find the moment at which they
        have left it room.
        """
        queue = self._queues.get(partition)
        may = self._pace.waiting_max * self._pace.changes_max
        return queue is not None and queue.weight * len(self._queues) > may and self._weight() > may

    def _weight(self) -> int:
        return sum(queue.weight for queue in self._queues.values())

    def behind(self) -> bool:
        """Whether every partition whose changes wait is behind its input, and none is wanted soon: else none waits."""
        loud = [queue for queue in self._queues.values() if queue.loud()]
        wanted = any(queue.wanted for queue in self._queues.values())
        return bool(loud) and not wanted and all(queue.slices[-1].behind for queue in loud)

    def quiet_due_ms(self) -> float | None:
        """When progress without changes is due (clock of `now_ms`); None: no partition has any."""
        waiting = [queue.written_ms for queue in self._queues.values() if queue.slices]
        return min(waiting) + self._pace.quiet_ms if waiting else None

    def take(self, now_ms: float) -> Transaction:
        """Take what is due, whole slices, partitions in turn, up to the limit; then quiet progress that rides along."""
        transaction = Transaction()
        partitions = sorted(self._queues)
        start = self._turn % len(partitions) if partitions else 0
        self._turn += 1
        in_turn = partitions[start:] + partitions[:start]
        for partition in in_turn:
            queue = self._queues[partition]
            if queue.due(self._pace, now_ms):
                self._take_slices(partition, queue, transaction)
        for partition in in_turn:
            queue = self._queues[partition]
            riding = queue.slices and not queue.loud() and now_ms >= queue.written_ms + self._pace.ride_ms
            if transaction.records and riding and partition not in transaction.progress:
                self._take_slices(partition, queue, transaction)
        return transaction

    def _take_slices(self, partition: int, queue: PartitionQueue, transaction: Transaction) -> None:
        taken = None
        while queue.slices:
            weight = queue.slices[0].weight
            if transaction.weight and weight and transaction.weight + weight > self._pace.changes_max:
                break
            taken = queue.slices.popleft()
            queue.weight -= weight
            transaction.records.extend(taken.records)
            transaction.weight += weight
            transaction.slices += bool(taken.records)
            if taken.notes is not None and taken.records:
                transaction.notes.append((partition, taken.notes))
        if taken is not None:
            queue.wanted = queue.wanted and bool(queue.slices)
            progress = Progress(
                self._generation,
                queue.epoch,
                taken.upto_offset,
                taken.clock_ms,
                taken.catalogue,
                taken.digest,
                taken.refused,
            )
            transaction.records.append(progress_record(self._progress_topic, partition, progress))
            transaction.progress[partition] = (queue, progress)

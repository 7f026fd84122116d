"""Publish the changes of a worker's partitions, one transaction at a time, several partitions in each (design, 5).

A transaction takes whatever is ready, whole slices, round robin over the partitions; the last record of each partition
in it is its progress. Progress without changes costs a transaction too, so it waits: for company (`ride_ms` of
TransactionPace), or for `quiet_ms` or `quiet_records_max`, or for a `flush`.

The pace adapts: while a transaction is on its way, slices gather for the next; and one that is not full waits as long
as the last one took, so that transactions take half of the time at most while little is going on, and are ever larger
the slower the brokers are.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from streams.clock import Clock
from streams.errors import Doubt
from streams.log.terms import Ring
from streams.partition.claim import Claimed
from streams.records import OutRecord
from streams.wire.progress import Progress, progress_record


@dataclass(frozen=True, slots=True)
class PublishSlice:
    """The output of one partition's records up to a record boundary, in order. Without records: only progress."""

    upto_offset: int
    """Next input record: with this slice, the changes of every record before it are out."""
    records: Sequence[OutRecord]
    """Changes, what stands after them, withdrawals and dead letters of the slice."""
    clock_ms: int
    catalogue: str
    digest: str
    changes: int = 0
    """How many changes are in it."""

    @property
    def weight(self) -> int:
        """What counts towards `changes_max`: changes, each with what stands after it, and all other records."""
        return max(self.changes, len(self.records) - self.changes)


@dataclass(frozen=True, slots=True)
class TransactionPace:
    """How transactions are paced. Lengths in ms."""

    changes_max: int = 1_000
    """Changes a transaction. Slices are never split, so one alone may exceed it: progress cannot name half a record,
    and a single record that passes many wakes may carry more."""
    quiet_ms: int = 2_000
    """Progress without changes is written after this long at the latest: state is written to Redis only up to it, and
    `explain`, `lag` and autoscalers should not see a quiet partition a minute behind (design section 5 says a minute) …
    """
    quiet_records_max: int = 10_000
    """… or after so many input records …"""
    ride_ms: int = 1_000
    """… and rides along in a transaction of other partitions when the last is older than this."""
    linger_max_ms: int = 20
    """A transaction that is not full waits as long as the last one took, but no longer than this."""
    slow_ms: int = 1_000
    """A transaction that takes longer is slow: long against the usual few ms, short against its time-out."""


class _Queue:
    """What one partition has to publish."""

    def __init__(self, claimed: Claimed, now_ms: float) -> None:
        self.epoch = claimed.epoch
        self.published = claimed.published
        self.written_ms = now_ms
        """When progress was written last (or the partition taken)."""
        self.slices: deque[PublishSlice] = deque()
        self.upto = claimed.published.offset
        """The `upto_offset` of the newest slice."""
        self.flushing = 0
        self.failed = False
        """A transaction that touched it was not answered."""

    def add(self, new: PublishSlice) -> None:
        if new.upto_offset <= self.upto:
            raise ValueError(f"a slice up to {new.upto_offset} after one up to {self.upto}")
        self.upto = new.upto_offset
        if self.slices and not new.records:
            # nothing but later progress: the slice before it takes it over
            new = replace(new, records=self.slices[-1].records, changes=self.slices[-1].changes)
            self.slices.pop()
        elif self.slices and not self.slices[-1].records:
            self.slices.pop()
        self.slices.append(new)

    def loud(self) -> bool:
        """Whether there are changes to publish."""
        return bool(self.slices and self.slices[0].records)

    def due(self, pace: TransactionPace, now_ms: float) -> bool:
        """Whether something has to be published by now, changes or not."""
        return bool(self.slices) and (
            self.loud()
            or self.flushing > 0
            or now_ms >= self.written_ms + pace.quiet_ms
            or self.upto - self.published.offset >= pace.quiet_records_max
        )


@dataclass(slots=True)
class _Batch:
    """One transaction in the making."""

    records: list[OutRecord] = field(default_factory=list)
    progress: dict[int, tuple[_Queue, Progress]] = field(default_factory=dict)
    weight: int = 0


class Publisher:
    """One a worker and ring. Give it partitions (`begin`), slices (`submit`), and run it (`run`).

    `on_published(partition, progress)` is called after the commit was answered, in order for each partition. On a Doubt
    `on_doubt(error)` is called once, `run` returns, and nothing is published any more: the owner makes a new ring, a
    new publisher, and claims every partition anew; what was in hand counts as unpublished until those claims have read
    the progress. A Doubt that a claim or a hand-over met with the same ring ends it too: tell it by `doubt`.
    A RecordTooLarge is raised from `run` (our bug: stop the worker).
    """

    def __init__(
        self,
        ring: Ring,
        generation: str,
        progress_topic: str,
        on_published: Callable[[int, Progress], None],
        on_doubt: Callable[[BaseException], None],
        pace: TransactionPace,
        clock: Clock,
    ) -> None:
        self._ring = ring
        self._generation = generation
        self._progress_topic = progress_topic
        self._on_published = on_published
        self._on_doubt = on_doubt
        self._pace = pace
        self._clock = clock
        self._queues: dict[int, _Queue] = {}
        self._in_hand: frozenset[int] = frozenset()
        self._began_ms = 0.0
        """When the transaction in hand did."""
        self._turn = 0
        self._took_ms = 0.0
        self._over = False
        self._work = asyncio.Event()
        self._answered = asyncio.Condition()

    @property
    def over(self) -> bool:
        """Whether nothing is published any more: a Doubt, or `close`."""
        return self._over

    @property
    def slow(self) -> bool:
        """Whether the transaction in hand takes long. Then nobody should make more for the next one.

        It may be this process that is slow, and on a processor that has too much to do the applying of records would
        keep a transaction from being finished before its time-out, again and again.
        """
        return bool(self._in_hand) and self._clock.now_ms() - self._began_ms > self._pace.slow_ms

    def begin(self, claimed: Claimed) -> None:
        """Take a partition that was claimed with this publisher's ring. Call before its first `submit`."""
        self._queues[claimed.partition] = _Queue(claimed, self._clock.now_ms())

    def submit(self, partition: int, slice_: PublishSlice) -> None:
        """Queue a slice; its `upto_offset` is beyond the one before it (ValueError). Ignored once it is over."""
        if self._over:
            return
        self._queues[partition].add(slice_)
        self._work.set()

    def published(self, partition: int) -> Progress:
        """Up to where the partition's changes are out, as far as is known here."""
        return self._queues[partition].published

    def unpublished(self, partition: int) -> int:
        """How many input records are submitted and not published: for back-pressure. 0 for a partition not taken."""
        queue = self._queues.get(partition)
        return 0 if queue is None else queue.upto - queue.published.offset

    async def flush(self, partition: int) -> bool:
        """Publish everything submitted for the partition, quiet progress too, without waiting for the pace.

        True: all of it is out and answered. False: it is over, or the partition was dropped.
        """
        queue = self._queues.get(partition)
        if queue is None:
            return False
        upto = queue.upto
        queue.flushing += 1
        self._work.set()
        try:
            async with self._answered:
                await self._answered.wait_for(
                    lambda: queue.published.offset >= upto or self._over or self._queues.get(partition) is not queue
                )
        finally:
            queue.flushing -= 1
        return queue.published.offset >= upto

    async def drop(self, partition: int) -> bool:
        """Forget a partition and what is queued for it; wait for the transaction in hand if it touches it.

        True: every transaction that touched it was answered, so `hand_over` may follow. False: a Doubt.
        """
        queue = self._queues.pop(partition, None)
        async with self._answered:
            self._answered.notify_all()
            await self._answered.wait_for(lambda: partition not in self._in_hand)
        return queue is not None and not queue.failed and not self._ring.over

    async def run(self) -> None:
        """Publish until `close`, or a Doubt."""
        try:
            while await self._ready():
                batch = self._take()
                if batch.records:
                    await self._publish(batch)
        except Doubt as error:
            self.doubt(error)
        finally:
            self._over = True
            async with self._answered:
                self._answered.notify_all()

    def doubt(self, error: BaseException) -> None:
        """End it: no transaction begins any more, and `on_doubt` is called, once."""
        if not self._over:
            self._over = True
            self._work.set()
            self._on_doubt(error)

    async def close(self) -> None:
        """Stop after the transaction in hand. What is queued is not published. The ring is closed by its owner."""
        self._over = True
        self._work.set()
        async with self._answered:
            self._answered.notify_all()
            await self._answered.wait_for(lambda: not self._in_hand)

    async def _ready(self) -> bool:
        """Wait until something is due, and then for the pace. False: it is over."""
        while not self._over:
            self._work.clear()
            now_ms = self._clock.now_ms()
            if any(queue.due(self._pace, now_ms) for queue in self._queues.values()):
                await self._linger()
                return not self._over
            await self._until_work(now_ms)
        return False

    async def _linger(self) -> None:
        full = (
            sum(slice_.weight for queue in self._queues.values() for slice_ in queue.slices) >= self._pace.changes_max
        )
        if not full and not any(queue.flushing for queue in self._queues.values()):
            await self._clock.sleep(min(self._took_ms, self._pace.linger_max_ms))

    async def _until_work(self, now_ms: float) -> None:
        """Wait for a submit, or until quiet progress is due."""
        waiting = [queue.written_ms for queue in self._queues.values() if queue.slices]
        if waiting:
            await self._clock.wait(self._work, min(waiting) + self._pace.quiet_ms - now_ms)
        else:
            await self._work.wait()

    def _take(self) -> _Batch:
        """Take what is due, whole slices, partitions in turn, up to the limit; then quiet progress that rides along."""
        batch, now_ms = _Batch(), self._clock.now_ms()
        partitions = sorted(self._queues)
        start = self._turn % len(partitions) if partitions else 0
        self._turn += 1
        in_turn = partitions[start:] + partitions[:start]
        for partition in in_turn:
            queue = self._queues[partition]
            if queue.due(self._pace, now_ms):
                self._take_slices(partition, queue, batch)
        for partition in in_turn:
            queue = self._queues[partition]
            riding = queue.slices and not queue.loud() and now_ms >= queue.written_ms + self._pace.ride_ms
            if batch.records and riding and partition not in batch.progress:
                self._take_slices(partition, queue, batch)
        return batch

    def _take_slices(self, partition: int, queue: _Queue, batch: _Batch) -> None:
        taken = None
        while queue.slices:
            weight = queue.slices[0].weight
            if batch.weight and weight and batch.weight + weight > self._pace.changes_max:
                break
            taken = queue.slices.popleft()
            batch.records.extend(taken.records)
            batch.weight += weight
        if taken is not None:
            progress = Progress(
                self._generation, queue.epoch, taken.upto_offset, taken.clock_ms, taken.catalogue, taken.digest
            )
            batch.records.append(progress_record(self._progress_topic, partition, progress))
            batch.progress[partition] = (queue, progress)

    async def _publish(self, batch: _Batch) -> None:
        self._in_hand = frozenset(batch.progress)
        began_ms = self._began_ms = self._clock.now_ms()
        answered = False
        try:
            await self._ring.transaction(batch.records)
            answered = True
        finally:
            now_ms = self._clock.now_ms()
            self._took_ms = now_ms - began_ms
            self._in_hand = frozenset()
            for queue, progress in batch.progress.values():
                queue.failed = not answered
                queue.written_ms = now_ms
                if answered:
                    queue.published = progress
            async with self._answered:
                self._answered.notify_all()
        for partition, (queue, progress) in batch.progress.items():
            if self._queues.get(partition) is queue:
                self._on_published(partition, progress)

"""Publish the changes of a worker's partitions: one transaction at a time, each of several partitions.

The pace adapts: while a transaction is on its way, slices gather for the next one; and after one for which several had
gathered, one that is not full begins no sooner after it than that one took. So these take half of the time at most, and
grow with the time that the brokers take. Where changes come one by one, nothing would gather, and each is published at
once. Changes of a backlog gather longer: there will be fewer transactions just where time is short.
`outgoing` says what goes into each transaction.
"""

import asyncio
import math
from collections.abc import Callable

from streams.clock import Clock
from streams.errors import Doubt
from streams.log.terms import Ring
from streams.metrics.spans import Spans
from streams.metrics.tally import Tally
from streams.partition.claim import Claimed
from streams.partition.outgoing import Outgoing, PublishSlice, Transaction, TransactionPace
from streams.wire.progress import Progress


class Publisher:
    """One for each ring of a worker. Give it partitions (`begin`) and slices (`submit`), and run it (`run`).

    On a Doubt `on_doubt(error)` is called once, `run` returns, and nothing is published or told any more: the owner
    makes a new ring and a new publisher, and claims every partition anew. The transaction in hand counts as unpublished
    until those claims have read the progress. A Doubt that a claim or a hand-over met with the same ring ends the
    publisher too: call `doubt`. `run` raises RecordTooLarge (our bug: stop the worker).
    """

    def __init__(
        self,
        ring: Ring,
        generation: str,
        progress_topic: str,
        on_doubt: Callable[[BaseException], None],
        pace: TransactionPace,
        clock: Clock,
        tally: Tally | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._ring = ring
        self._outgoing = Outgoing(generation, progress_topic, pace)
        self._on_doubt = on_doubt
        self._pace = pace
        self._clock = clock
        self._tally = tally
        self._spans = spans
        self._in_hand: frozenset[int] = frozenset()
        self._began_ms = 0.0
        """When the transaction in hand began."""
        self._took_ms = 0.0
        """How long the last transaction took …"""
        self._gathered = False
        """… whether several slices with changes had gathered for it …"""
        self._ended_ms = -math.inf
        """… and when it ended."""
        self._over = False
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()
        self._hurry.set()
        """Clear only while a transaction waits for more; whoever sets it lets that wait be reckoned anew."""
        self._behind = False
        """Whether that wait is the longer one, of a backlog: what comes then may be of a partition that has none."""
        self._answered = asyncio.Condition()

    @property
    def over(self) -> bool:
        """Whether nothing is published any more: a Doubt, or `close`."""
        return self._over

    @property
    def _slow(self) -> bool:
        """Whether the transaction in hand takes long. Then apply no more records for the next one.

        The slow one may be this process: on a busy processor, applying records would keep a transaction from being
        finished before its time-out, again and again.
        """
        return bool(self._in_hand) and self._clock.now_ms() - self._began_ms > self._pace.slow_ms

    def congested(self, partition: int) -> bool:
        """Whether to apply no more of a partition for now: a transaction is slow, or too much waits to be published."""
        return self._slow or self._outgoing.too_much(partition)

    def hasten(self, partition: int) -> None:
        """Publish soon what was submitted for a partition, also where it is only progress."""
        queue = self._outgoing.queues.get(partition)
        if queue is not None and queue.slices and not queue.wanted:
            queue.wanted = True
            self._look_again()

    def begin(self, claimed: Claimed, on_published: Callable[[Progress], None]) -> None:
        """Take a partition that was claimed with this publisher's ring. Call before its first `submit`.

        `on_published` is called with each progress of the partition, in order, after its commit was answered.
        """
        self._outgoing.begin(claimed, on_published, self._clock.now_ms())

    def submit(self, partition: int, slice_: PublishSlice) -> None:
        """Queue a slice; its `upto_offset` is beyond the one before it (ValueError). Ignored once it is over."""
        if self._over:
            return
        self._outgoing.queues[partition].add(slice_)
        self._work.set()
        if not self._hurry.is_set() and (self._behind or self._outgoing.hurried()):
            self._hurry.set()

    def published(self, partition: int) -> Progress:
        """Return the last progress of the partition that was answered."""
        return self._outgoing.queues[partition].published

    async def flush(self, partition: int) -> bool:
        """Publish everything submitted for the partition, quiet progress too, without waiting for the pace.

        Returns True when all of it is answered; False when the publisher is over, or the partition was dropped.
        """
        queue = self._outgoing.queues.get(partition)
        if queue is None:
            return False
        upto = queue.upto
        queue.flushing += 1
        self._look_again()
        try:
            async with self._answered:
                await self._answered.wait_for(
                    lambda: (
                        queue.published.offset >= upto
                        or self._over
                        or self._outgoing.queues.get(partition) is not queue
                    )
                )
        finally:
            queue.flushing -= 1
        return queue.published.offset >= upto

    async def drop(self, partition: int) -> bool:
        """Forget a partition and its queue. If the transaction in hand touches the partition, wait for its end.

        Returns True when every transaction that touched it was answered: `hand_over` may follow. False: a Doubt.
        """
        queue = self._outgoing.drop(partition)
        async with self._answered:
            self._answered.notify_all()
            await self._answered.wait_for(lambda: partition not in self._in_hand)
        return queue is not None and not queue.failed and not self._ring.over

    async def run(self) -> None:
        """Publish until `close`, or a Doubt."""
        try:
            while await self._ready():
                transaction = self._outgoing.take(self._clock.now_ms())
                if transaction.records:
                    await self._publish(transaction)
        except Doubt as error:
            self.doubt(error)
        finally:
            self._over = True
            async with self._answered:
                self._answered.notify_all()

    def doubt(self, error: BaseException) -> None:
        """End the publisher: no transaction begins any more, and `on_doubt` is called, once."""
        if not self._over:
            self._over = True
            self._look_again()
            self._on_doubt(error)

    async def close(self) -> None:
        """Stop after the transaction in hand. Queued slices are not published. The owner of the ring closes it."""
        self._over = True
        self._look_again()
        async with self._answered:
            self._answered.notify_all()
            await self._answered.wait_for(lambda: not self._in_hand)

    def _look_again(self) -> None:
        """Let `run` look at once at what is due, also while a transaction waits for more."""
        self._work.set()
        self._hurry.set()

    async def _ready(self) -> bool:
        """Wait until something is due, and then as long as the pace says. False: the publisher is over."""
        while not self._over:
            self._work.clear()
            now_ms = self._clock.now_ms()
            if self._outgoing.due(now_ms):
                await self._linger()
                return not self._over
            await self._until_work(now_ms)
        return False

    async def _linger(self) -> None:
        """Wait for more, as long as the pace says, or until the transaction is full or somebody flushes."""
        while not self._over and not self._outgoing.hurried():
            self._behind = self._outgoing.behind()
            rest_ms = self._ended_ms + self._linger_ms() - self._clock.now_ms()
            if rest_ms <= 0:
                break
            self._hurry.clear()
            await self._clock.wait(self._hurry, rest_ms)
        self._hurry.set()

    def _linger_ms(self) -> float:
        if self._behind:
            return self._pace.linger_behind_ms
        return min(self._took_ms, self._pace.linger_max_ms) if self._gathered else 0.0

    async def _until_work(self, now_ms: float) -> None:
        """Wait for a submit, or until quiet progress is due."""
        due_ms = self._outgoing.quiet_due_ms()
        if due_ms is None:
            await self._work.wait()
        else:
            await self._clock.wait(self._work, due_ms - now_ms)

    async def _publish(self, transaction: Transaction) -> None:
        self._in_hand = frozenset(transaction.progress)
        began_ms = self._began_ms = self._clock.now_ms()
        answered = False
        try:
            await self._ring.transaction(transaction.records)
            answered = True
        finally:
            now_ms = self._ended_ms = self._clock.now_ms()
            self._took_ms, self._gathered = now_ms - began_ms, transaction.slices > 1
            self._tell_span(transaction, answered=answered)
            self._in_hand = frozenset()
            for queue, progress in transaction.progress.values():
                queue.failed = not answered
                queue.written_ms = now_ms
                if answered:
                    queue.published = progress
            async with self._answered:
                self._answered.notify_all()
        if self._tally is not None:
            self._tally.published(transaction.notes, self._took_ms, self._clock.wall_ms())
        for partition, (queue, progress) in transaction.progress.items():
            if self._outgoing.queues.get(partition) is queue and not self._over:
                queue.on_published(progress)

    def _tell_span(self, transaction: Transaction, *, answered: bool) -> None:
        if self._spans is not None:
            ended_ms = self._clock.wall_ms()
            partitions = len(transaction.progress)
            began_ms = ended_ms - self._took_ms
            self._spans.transaction(transaction.notes, partitions, began_ms, ended_ms, answered=answered)

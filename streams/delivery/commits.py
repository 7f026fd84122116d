"""How far the changes are answered for, kept in the group's offsets; and the lease that each commit renews."""

import asyncio
import contextlib
import logging
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError

from streams.actions import told
from streams.delivery.shared import DeliveryShared

log = logging.getLogger(__name__)

COMMIT_MS: Final = 3_000
"""How long a commit may take; the next one carries the same and more."""
AGAIN_MS: Final = 200
"""Between two attempts to renew the lease."""
POSITION_S: Final = 0.1
"""How long a question to the consumer may take that it answers from memory."""


class Commits:
    """The commits of one consumer."""

    def __init__(self, shared: DeliveryShared, consumer: Any) -> None:
        self._shared: Final = shared
        self._consumer: Final = consumer
        self._topic: Final = shared.route.topic
        self._committed: dict[int, int] = {}

    def forget(self) -> None:
        """Forget the offsets that were committed: the partitions are given up."""
        self._committed.clear()

    async def commit(self, limit_ms: int) -> None:
        """Commit how far changes are answered for. An offset that cannot be committed now goes with the next commit.

        Commits the same offsets again while a change is in hand: that renews the lease.
        """
        window = self._shared.hand.window
        progress = window.progress()
        if not progress or (progress == self._committed and not window.changes):
            return
        try:
            await self._commit(progress, limit_ms)
        except (KafkaError, TimeoutError) as error:
            # a rebalance has begun, or Kafka is away
            extra = told("commit_failed", topic=self._topic, why=type(error).__name__)
            log.debug("%s: a commit failed: %s", self._topic, type(error).__name__, extra=extra)

    async def renew_lease(self, offsets: dict[int, int]) -> None:
        """Commit offsets until the lease holds, or until the partitions are given up.

        A refused commit ends the lease: nothing is sent any more. The consumer hears of the refusal too, and gives the
        partitions up.
        """
        hand, lease = self._shared.hand, self._shared.lease
        epoch = hand.epoch
        while epoch == hand.epoch and not lease.holds():
            try:
                await self._commit(offsets, COMMIT_MS)
            except (KafkaError, TimeoutError):
                await self._shared.clock.sleep(AGAIN_MS)

    async def pass_markers(self, epoch: int) -> None:
        """Count the markers of transactions as read in partitions with nothing in hand: they leave no lag."""
        hand = self._shared.hand
        for tp in self._consumer.assignment():
            if not hand.window.idle(tp.partition):
                continue
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(POSITION_S):
                    position = await self._consumer.position(tp)
                # records read while partitions are given up are dropped, though the position has passed them
                if epoch == hand.epoch and not hand.closing.is_set():
                    hand.window.pass_by(tp.partition, position)

    async def _commit(self, offsets: dict[int, int], limit_ms: int) -> None:
        """Commit offsets, and begin or end the lease by the answer. Raises KafkaError, TimeoutError."""
        shared = self._shared
        window, began_ms = shared.hand.window, shared.clock.now_ms()
        try:
            async with asyncio.timeout(limit_ms / 1000):
                await self._consumer.commit(
                    {TopicPartition(self._topic, partition): offset for partition, offset in offsets.items()}
                )
        except CommitFailedError:
            if window is shared.hand.window:
                shared.lease.end()
            raise
        if window is shared.hand.window:
            self._committed.update(offsets)
            shared.lease.begin(began_ms)

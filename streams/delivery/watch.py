"""Look beside the reading: has the consumer gone silent, how far behind is it, were changes dropped unread?

Kafka's client can go silent after a broker's restart. The watch asks another client for the ends of the partitions: if
the log goes on and the consumer brings nothing for half a minute, a new consumer takes over.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streams.actions import told
from streams.delivery.shared import DeliveryShared
from streams.errors import NotReachable

log = logging.getLogger(__name__)

SILENT_MS: Final = 30_000
ASK_S: Final = 3.0
"""How long one question to Kafka may take."""
POSITION_S: Final = 0.1
"""How long a question to the consumer may take that it answers from memory."""


class Watch:
    """Watches one consumer."""

    def __init__(self, shared: DeliveryShared, consumer: Any) -> None:
        self._shared: Final = shared
        self._consumer: Final = consumer
        self._topic: Final = shared.route.topic
        self._heard_ms = shared.clock.now_ms()

    def heard(self) -> None:
        """Note that the consumer has brought something, or that there was nothing to bring."""
        self._heard_ms = self._shared.clock.now_ms()

    async def until_silent(self) -> None:
        """Return when the consumer has brought nothing for long though there is something to read."""
        while True:
            await self._shared.clock.sleep(SILENT_MS / 3)
            if await self._is_silent():
                extra = told("input_silent", topic=self._topic, seconds=SILENT_MS // 1000)
                log.warning(
                    "%s: nothing was read for %d s, though the log goes on", self._topic, SILENT_MS // 1000, extra=extra
                )
                return

    async def _is_silent(self) -> bool:
        status = self._shared.status
        for tp in self._consumer.assignment():
            try:
                _, end = await self._shared.kafka.offsets(tp.topic, tp.partition)
                async with asyncio.timeout(ASK_S):
                    position = await self._consumer.position(tp)
            except (NotReachable, KafkaError, TimeoutError) as error:
                status.log_away = str(error) or type(error).__name__
                self.heard()
                return False
            status.log_away = ""
            if end <= position:
                continue
            paused = tp in self._consumer.paused() or self._shared.hand.closing.is_set()
            if paused or await self._is_held_up(tp, position):
                self.heard()
            elif self._shared.clock.now_ms() - self._heard_ms >= SILENT_MS:
                return True
        return False

    async def _is_held_up(self, tp: TopicPartition, position: int) -> bool:
        """Tell whether an open transaction is all that there is to read."""
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(ASK_S):
                # of a read_committed consumer, this is the last stable offset
                return bool((await self._consumer.end_offsets([tp]))[tp] <= position)
        return False

    async def measure(self) -> None:
        """Set the status's lag: the changes that are not delivered, as far as this consumer has heard."""
        unread = 0
        for tp in self._consumer.assignment():
            with contextlib.suppress(KafkaError, TimeoutError):
                end = self._consumer.last_stable_offset(tp) or 0
                async with asyncio.timeout(POSITION_S):
                    unread += max(0, end - await self._consumer.position(tp))
        self._shared.status.lag_changes = self._shared.hand.window.changes + unread

    async def tell_losses(self, partitions: Sequence[int]) -> None:
        """Log and count the changes that retention dropped before they were delivered."""
        for partition in partitions:
            tp = TopicPartition(self._topic, partition)
            with contextlib.suppress(KafkaError, NotReachable, TimeoutError):
                async with asyncio.timeout(ASK_S):
                    committed = await self._consumer.committed(tp)
                start, _ = await self._shared.kafka.offsets(self._topic, partition)
                if committed is not None and committed < start:
                    self._shared.status.lost += start - committed
                    log.error(
                        "%s partition %d: offsets %d to %d were dropped by the topic's retention before they were"
                        " delivered; the platform may hold old activations: compare it with %s.current",
                        self._topic,
                        partition,
                        committed,
                        start - 1,
                        self._topic,
                        extra=told(
                            "changes_lost",
                            topic=self._topic,
                            partition=partition,
                            offset=committed,
                            end_offset=start,
                            count=start - committed,
                        ),
                    )

# ruff: noqa: SLF001 - the race lies within
"""A partition that is being given up: what was read of it and not taken in hand is for whoever goes on.

No server: what is looked at lies between two answers of Kafka, where no server can be held still.
"""

import asyncio
from typing import Any

from aiokafka import TopicPartition

from streams.delivery.deliverer import Deliverer, Route
from streams.delivery.endpoint import Endpoint
from streams.delivery.plan import Window
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.status import DeliveryStatus
from streams.log.client import KafkaLog
from streams.settings import Deployment, Settings
from tests.streams.delivery.platform import SECRET
from tests.streams.delivery.world import CHANNEL

PARTITION = TopicPartition(f"activation.{CHANNEL}", 0)
DONE, READ = 7, 12
"""Up to where changes are answered for, and up to where they were read."""


class Consumer:
    """Stands where it has read to; a rebalance may begin while it is asked."""

    def __init__(self, meanwhile: asyncio.Event | None = None) -> None:
        self.meanwhile = meanwhile

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def position(self, _: TopicPartition) -> int:
        if self.meanwhile is not None:
            self.meanwhile.set()
        return READ


async def progress(*, closed: bool, closes: bool) -> dict[int, int]:
    """Let a deliverer that has answered for all in hand look past markers; give where the next one would begin."""
    settings = DeliverySettings.model_validate({"url": "http://127.0.0.1:9/hooks", "secrets": SECRET})
    shape = shape_of(settings)
    endpoint = Endpoint(settings, shape.path)
    route = Route(CHANNEL, Deployment(), Settings(), settings, shape)
    try:
        deliverer: Any = Deliverer(route, KafkaLog("127.0.0.1:9"), endpoint, DeliveryStatus(CHANNEL, "", "standard"))
        deliverer._window = Window(shape.limits)
        deliverer._window.seen(0, DONE - 1)
        (deliverer._closing.set if closed else deliverer._closing.clear)()
        deliverer._consumer = Consumer(deliverer._closing if closes else None)
        await deliverer._look_past_markers(deliverer._epoch)
        return dict(deliverer._window.progress())
    finally:
        await endpoint.close()


async def test_markers_are_passed_where_nothing_is_in_hand() -> None:
    assert await progress(closed=False, closes=False) == {0: READ}


async def test_nothing_is_passed_once_a_partition_is_given_up() -> None:
    assert await progress(closed=True, closes=False) == {0: DONE}
    assert await progress(closed=False, closes=True) == {0: DONE}

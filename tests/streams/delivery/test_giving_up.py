"""A partition that is being given up: records that were read and not taken in hand are for its next owner.

No server: the race lies between two answers of Kafka, where no server can be held still.
"""

import asyncio

from aiokafka import TopicPartition

from streams.delivery.commits import Commits
from streams.delivery.deliverer import make_shared
from streams.delivery.endpoint import Endpoint
from streams.delivery.route import Route
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.status import DeliveryStatus
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.settings import Deployment, Settings
from tests.streams.delivery.platform import SECRET
from tests.streams.delivery.world import CHANNEL

PARTITION = TopicPartition(f"activation.{CHANNEL}", 0)
DONE, READ = 7, 12
"""The offset up to which changes are answered for, and the offset up to which they were read."""


class Consumer:
    """Stands at READ. A rebalance may begin while it is asked."""

    def __init__(self, meanwhile: asyncio.Event | None = None) -> None:
        self.meanwhile = meanwhile

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def position(self, _: TopicPartition) -> int:
        if self.meanwhile is not None:
            self.meanwhile.set()
        return READ


async def progress(*, closed: bool, closes: bool) -> dict[int, int]:
    """Pass markers with nothing in hand; return where the partition's next owner would begin."""
    settings = DeliverySettings.model_validate({"url": "http://127.0.0.1:9/hooks", "secrets": SECRET})
    shape = shape_of(settings)
    endpoint = Endpoint(settings, shape.path)
    route = Route(CHANNEL, Deployment(), Settings(), settings, shape)
    try:
        shared = make_shared(
            route, KafkaLog(KafkaConnection("127.0.0.1:9")), endpoint, DeliveryStatus(CHANNEL, "", "standard")
        )
        hand = shared.hand
        hand.window.seen(0, DONE - 1)
        (hand.closing.set if closed else hand.closing.clear)()
        await Commits(shared, Consumer(hand.closing if closes else None)).pass_markers(hand.epoch)
        return dict(hand.window.progress())
    finally:
        await endpoint.close()


async def test_markers_are_passed_where_nothing_is_in_hand() -> None:
    assert await progress(closed=False, closes=False) == {0: READ}


async def test_nothing_is_passed_once_a_partition_is_given_up() -> None:
    assert await progress(closed=True, closes=False) == {0: DONE}
    assert await progress(closed=False, closes=True) == {0: DONE}

"""Delivery whole: real Kafka, real HTTP, a platform that is strict and fails by a seeded plan."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from streams.delivery.deliverer import Deliverer, Route
from streams.delivery.endpoint import Endpoint
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.status import DeliveryStatus
from streams.embedded import KafkaServer
from streams.log.kafka import KafkaLog
from streams.settings import Settings
from tests.delivery.platform import API_KEY, SECRET, SITE_ID, Platform, failing, judge, running
from tests.delivery.world import CHANNEL, Channel, changes, channel, told

pytestmark = pytest.mark.servers
SHAPES = ("standard", "braze", "customerio")
LIMIT_S = 60


@dataclass
class Running:
    """A deliverer in this process."""

    status: DeliveryStatus
    stop: asyncio.Event
    task: "asyncio.Task[None]"

    async def ends(self) -> None:
        self.stop.set()
        async with asyncio.timeout(12):
            await self.task


@asynccontextmanager
async def delivering(to: Platform, of: Channel, **settings: object) -> AsyncIterator[Running]:
    """Deliver, until the end of the block."""
    values = {
        "url": to.url,
        "shape": to.shape,
        "secrets": SECRET,
        "api_key": API_KEY,
        "site_id": SITE_ID,
        "retry_first_ms": 20,
        "retry_most_ms": 200,
        "timeout_ms": 700,
    }
    delivery = DeliverySettings.model_validate({**values, **settings})
    shape = shape_of(delivery)
    endpoint = Endpoint(delivery, shape.path)
    status = DeliveryStatus(CHANNEL, endpoint.host, delivery.shape)
    kafka = KafkaLog(of.kafka)
    group = of.segue.environment["SEGUE_GROUP"]
    route = Route(
        CHANNEL,
        of.deployment,
        Settings(kafka_bootstrap_servers=of.kafka, group=group, session_timeout_ms=3_000, stop_deadline_ms=2_000),
        delivery,
        shape,
    )
    stop = asyncio.Event()
    task = asyncio.create_task(Deliverer(route, kafka, endpoint, status).run(stop))
    run = Running(status, stop, task)
    try:
        yield run
        await run.ends()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await endpoint.close()
        await kafka.close()


async def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < end, "it took too long"
        await asyncio.sleep(0.02)


def all_there(platform: Platform, ids: set[str]) -> Callable[[], bool]:
    return lambda: ids <= {each.id for each in platform.taken}


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_change_arrives_once_in_order_where_nothing_fails(kafka: KafkaServer, shape: str) -> None:
    made = changes(1, 600, 80)
    async with channel(kafka.bootstrap) as of, running(shape) as platform:
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
            await until(lambda: run.status.lag_changes == 0)
            assert run.status.ready
        judge(platform, told(made))
        assert len(platform.taken) == len(made), "something came twice"
        assert platform.at_once_most <= 4
        assert len(platform.requests) < len(made) / 3, "batches are small"
        # what was committed is all: nothing comes again
        before = len(platform.taken)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.lag_changes == 0)
        assert len(platform.taken) == before


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_lost_or_overtaken_where_a_third_of_the_requests_fail(
    kafka: KafkaServer, shape: str, seed: int
) -> None:
    made = changes(seed, 500, 60)
    plan = failing(seed, 0.35)
    async with channel(kafka.bootstrap) as of, running(shape, plan=plan) as platform:
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
        judge(platform, told(made))
        assert run.status.retries > 0
        assert len(platform.taken) > len(made), "no duplicate was made: the plan is too mild"
        assert await of.dead_letters() == []

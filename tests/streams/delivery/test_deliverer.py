"""The whole delivery: real Kafka, real HTTP, a strict platform that fails by a seeded plan."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from streams.delivery.deliverer import Deliverer, make_shared
from streams.delivery.endpoint import Endpoint
from streams.delivery.route import Route
from streams.delivery.sender import Stopped
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import shape_of
from streams.delivery.status import DeliveryStatus
from streams.embedded import KafkaServer
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.settings import Settings
from tests.streams.delivery.platform import (
    API_KEY,
    OLD_SECRET,
    SECRET,
    SITE_ID,
    Action,
    Platform,
    failing,
    judge,
    running,
)
from tests.streams.delivery.world import CHANNEL, Channel, changes, channel, told

pytestmark = pytest.mark.servers
SHAPES = ("standard", "braze", "customerio")
LIMIT_S = 120
QUICK: tuple[Action, ...] = ("429", "500", "503", "reset", "take, then 500", "take, then reset")
"""Failures that need no time-out."""
CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""A certificate for 127.0.0.1, signed by itself, with its key: for this test only."""


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
    kafka = KafkaLog(KafkaConnection(of.kafka))
    group = of.segue.environment["SEGUE_GROUP"]
    route = Route(
        CHANNEL,
        of.deployment,
        Settings(kafka_bootstrap_servers=of.kafka, group=group, session_timeout_ms=3_000, stop_deadline_ms=2_000),
        delivery,
        shape,
    )
    stop = asyncio.Event()
    task = asyncio.create_task(Deliverer(make_shared(route, kafka, endpoint, status)).run(stop))
    run = Running(status, stop, task)
    try:
        yield run
        await run.ends()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await endpoint.close()
        await kafka.close()


async def until(done: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + limit_s
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
            assert run.status.ready(0)
        judge(platform, told(made))
        assert len(platform.taken) == len(made), "something came twice"
        assert platform.at_once_most <= 4
        assert len(platform.requests) < len(made) / 3, "batches are small"
        # all changes were committed: none comes again
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


@pytest.mark.parametrize("shape", SHAPES)
async def test_what_is_refused_for_good_is_a_dead_letter_and_nothing_else_is(kafka: KafkaServer, shape: str) -> None:
    made = changes(3, 300, 60)
    bad = {each.id: each for each in made[7::60]}
    assert len(bad) == 5
    async with (
        channel(kafka.bootstrap) as of,
        running(shape, plan=failing(3, 0.1, QUICK), refuses=lambda each: each.id in bad) as platform,
    ):
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered + run.status.refused == len(made))
        judge(platform, told(made), dead=frozenset(bad))
        found = await of.dead_letters()
        assert {value for _, value, _ in found} == {each.value for each in bad.values()}
        reason = "http_422" if shape == "standard" else {"braze": "item_refused", "customerio": "item_refused"}[shape]
        for key, value, headers in found:
            assert key is not None
            assert orjson.loads(value or b"")["profile"] == key.decode()
            assert headers["segue_reason"] == reason
            assert headers["segue_topic"] == of.topic
            assert "hcp:" not in str(headers)


async def test_a_batch_that_is_too_large_goes_in_halves(kafka: KafkaServer) -> None:
    made = changes(4, 300, 200)
    async with channel(kafka.bootstrap) as of, running("standard", changes_max=10) as platform:
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
        assert "413 too many changes" in platform.broken
        platform.broken.clear()
        judge(platform, told(made))
        assert await of.dead_letters() == []


@pytest.mark.parametrize("status", [401, 403, 404, 302])
async def test_wrong_credentials_or_address_stop_it_and_cost_nothing(kafka: KafkaServer, status: int) -> None:
    made = changes(5, 100, 50)
    async with channel(kafka.bootstrap) as of, running("braze") as platform:
        await of.publish(made)
        platform.says = status
        with pytest.raises(Stopped, match=f"HTTP {status}") as stopped:
            async with delivering(platform, of) as run:
                await run.task
        assert API_KEY not in str(stopped.value)
        assert await of.dead_letters() == []
        platform.says = None
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
        judge(platform, told(made), lives=2)


async def test_an_endpoint_that_refuses_everything_does_not_get_a_whole_channel_buried(kafka: KafkaServer) -> None:
    made = changes(6, 300, 200)
    async with channel(kafka.bootstrap) as of, running("standard", refuses=lambda _: True) as platform:
        await of.publish(made)
        with pytest.raises(Stopped, match="SEGUE_DELIVER_SHAPE"):
            async with delivering(platform, of, refused_in_a_row_max=20, concurrency=1) as run:
                await run.task
        assert len(await of.dead_letters()) == 20


async def test_retry_after_holds_for_every_request(kafka: KafkaServer) -> None:
    made = changes(7, 300, 200)
    plan: list[Action] = ["take", "429 seconds"]
    async with (
        channel(kafka.bootstrap) as of,
        running("braze", plan=lambda n: plan[n] if n < len(plan) else "take") as platform,
    ):
        await of.publish(made)
        async with delivering(platform, of, concurrency=1) as run:
            await until(lambda: bool(run.status.waiting))
            assert not run.status.ready(0)
            assert run.status.why_waiting == "HTTP 429 Too Many Requests"
            await until(lambda: run.status.delivered == len(made))
            assert run.status.ready(0)
        _, refused_s, next_s, *_ = platform.arrived_s
        assert 1.0 <= next_s - refused_s < 3.0
        judge(platform, told(made))


async def test_changes_in_hand_are_bounded_while_an_endpoint_hangs(kafka: KafkaServer) -> None:
    made = changes(8, 1_000, 300)
    hangs = True
    async with (
        channel(kafka.bootstrap) as of,
        running("standard", plan=lambda _: "hang" if hangs else "take") as platform,
    ):
        await of.publish(made)
        async with delivering(platform, of, window_changes_max=60) as run:
            await until(lambda: run.status.in_hand == 60)
            for _ in range(30):
                await asyncio.sleep(0.1)
                assert run.status.in_hand <= 60
            assert run.status.why_waiting == "no answer within 0.7 s"
            hangs = False
            await until(lambda: run.status.delivered == len(made))
        judge(platform, told(made))


async def test_what_is_no_change_or_fits_into_no_request_is_a_dead_letter_unsent(kafka: KafkaServer) -> None:
    made = changes(9, 20, 10)
    huge = changes(9, 1, 10, asset="x" * 40_000)[0]
    async with channel(kafka.bootstrap) as of, running("customerio") as platform:
        await of.publish(made)
        await of.producer.begin_transaction()
        await of.producer.send_and_wait(of.topic, b"not JSON", b"hcp:000001", partition=0)
        await of.producer.send_and_wait(of.topic, None, b"hcp:000002", partition=0)
        await of.producer.send_and_wait(of.topic, huge.value, huge.subject.encode(), partition=of.partition_of(huge))
        await of.producer.commit_transaction()
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered + run.status.refused == len(made) + 3)
            await until(lambda: run.status.lag_changes == 0)
        judge(platform, told(made))
        found = await of.dead_letters()
        assert sorted((headers["segue_reason"], value) for _, value, headers in found if value) == [
            ("too_large", huge.value),
            ("unreadable", b"not JSON"),
        ]
        assert len(found) == 3


async def test_a_certificate_that_is_not_trusted_gets_nothing(kafka: KafkaServer) -> None:
    made = changes(10, 20, 10)
    async with channel(kafka.bootstrap) as of, running("standard", certificate=CERTIFICATE) as platform:
        assert platform.url.startswith("https://")
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.retries > 2)
            assert run.status.why_waiting == "its certificate cannot be verified"
        assert platform.arrived_s == []
        async with delivering(platform, of, ca_file=CERTIFICATE) as run:
            await until(lambda: run.status.delivered == len(made))
        judge(platform, told(made))


async def test_a_secret_is_replaced_without_a_gap(kafka: KafkaServer) -> None:
    made = changes(11, 60, 10)
    async with channel(kafka.bootstrap) as of, running("standard", secrets=(OLD_SECRET,)) as platform:
        await of.publish(made[:30])
        async with delivering(platform, of, secrets=f"{SECRET} {OLD_SECRET}") as run:
            await until(lambda: run.status.delivered == 30)
            platform.secrets = (SECRET,)
            await of.publish(made[30:])
            await until(lambda: run.status.delivered == 60)
        judge(platform, told(made))


async def test_a_stop_is_quick_while_an_endpoint_hangs(kafka: KafkaServer) -> None:
    made = changes(12, 100, 50)
    async with channel(kafka.bootstrap) as of, running("standard", plan=lambda _: "take, then hang") as platform:
        await of.publish(made)
        async with delivering(platform, of, timeout_ms=60_000) as run:
            await until(lambda: platform.at_once > 0)
            began_s = time.monotonic()
            await run.ends()
            # the deadline of this test is 2 s
            assert time.monotonic() - began_s < 4.5
        platform.plan = lambda _: "take"
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
        judge(platform, told(made), lives=2)

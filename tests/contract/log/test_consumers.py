"""A consumer stops in the middle of any fetch, and its caller goes on."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition

from streams.client.connection import running
from streams.embedded import KafkaServer
from streams.log.consumers import Consumer
from tests.contract.log.test_kafka import make_topic
from tests.servers import unique

pytestmark = pytest.mark.servers

WAIT_S = 20
LONG_MS = 60_000


async def failing(kafka: KafkaServer) -> Consumer:
    """Return a consumer, not started, whose fetches time out: the broker holds them longer than the client waits."""
    topic = await make_topic(kafka.bootstrap, unique("t"))
    consumer = Consumer(
        bootstrap_servers=kafka.bootstrap,
        fetch_max_wait_ms=LONG_MS,
        request_timeout_ms=1_500,
        retry_backoff_ms=LONG_MS,
        enable_auto_commit=False,
    )
    consumer.assign([TopicPartition(topic, 0)])
    return consumer


async def failed(caplog: pytest.LogCaptureFixture) -> None:
    """Wait until a fetch has failed. The next try comes much later."""
    caplog.set_level(logging.ERROR, "aiokafka")  # a command that ran in this process has silenced it
    async with asyncio.timeout(WAIT_S):
        while "Failed fetch" not in caplog.text:  # noqa: ASYNC110 - aiokafka tells nobody but its log
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)


@asynccontextmanager
async def ours(consumer: Consumer) -> AsyncIterator[Consumer]:
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


@pytest.mark.parametrize("way", [ours, running], ids=["segue", "client"])
async def test_a_consumer_stops_in_the_middle_of_a_fetch_that_failed(
    kafka: KafkaServer, way: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made = await failing(kafka)
    if way is running:
        # the client's is aiokafka's own
        made.stop = super(Consumer, made).stop  # type: ignore[method-assign]
    async with way(made) as consumer:
        await failed(caplog)
    assert not [each for each in consumer._client._conns.values() if each.connected()]  # noqa: SLF001


async def test_a_stop_that_is_cut_off_says_so(kafka: KafkaServer, caplog: pytest.LogCaptureFixture) -> None:
    consumer = await failing(kafka)
    await consumer.start()
    await failed(caplog)
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert consumer._fetcher._fetch_task.done()  # noqa: SLF001
    assert not [each for each in consumer._client._conns.values() if each.connected()]  # noqa: SLF001

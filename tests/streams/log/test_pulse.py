"""Does Kafka answer? One broker that stands still is not Kafka being away."""

import asyncio
import socket
import time

import pytest

from streams.embedded import KafkaServer
from streams.errors import NotReachable
from streams.log.connection import KafkaConnection
from streams.log.pulse import KafkaPulse

pytestmark = pytest.mark.servers


async def test_the_next_broker_is_asked_while_one_takes_the_connection_and_says_nothing(kafka: KafkaServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        pulse = KafkaPulse(KafkaConnection(f"127.0.0.1:{deaf.getsockname()[1]},{kafka.bootstrap}"))
        try:
            began_s = time.monotonic()
            await asyncio.wait_for(pulse.ask(), 5)
            assert time.monotonic() - began_s < 2
            began_s = time.monotonic()
            await asyncio.wait_for(pulse.ask(), 5)
            assert time.monotonic() - began_s < 0.4, "the broker that answered is asked first"
        finally:
            await pulse.close()


async def test_where_no_broker_takes_a_connection_the_answer_says_which_was_asked() -> None:
    pulse = KafkaPulse(KafkaConnection("127.0.0.1:1"))
    with pytest.raises(NotReachable, match=r"127\.0\.0\.1:1 refuses the connection"):
        await asyncio.wait_for(pulse.ask(), 5)
    await pulse.close()

"""A server that is away is told as it is away: refused, of no known name, silent, or answering something else."""

import asyncio
import socket

import pytest

from streams.operations.errors import KafkaAway, RedisAway
from streams.operations.reach import Reach, host_and_port, reach_of
from streams.store.access import RedisConnection


async def test_a_connection_that_is_refused_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert await reach_of([free.getsockname()]) == "refused"


async def test_of_several_addresses_the_one_that_came_furthest_tells() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await reach_of([("127.0.0.1", 1), ("127.0.0.1", port)]) == "open"
    assert await reach_of([("nowhere.invalid", 9092)]) == "unknown"
    assert await reach_of([]) == "silent"


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        ("refused", "Kafka at here:1 refuses the connection: is it up, and is SEGUE_KAFKA_BOOTSTRAP_SERVERS right?"),
        (
            "unknown",
            "Kafka at here:1 cannot be found: there is no host of that name; is SEGUE_KAFKA_BOOTSTRAP_SERVERS right?",
        ),
        (
            "silent",
            "Kafka at here:1 did not answer within 10 s (why): is it up, and is SEGUE_KAFKA_BOOTSTRAP_SERVERS right?",
        ),
        (
            "open",
            "Kafka at here:1 takes the connection but did not answer as it must (why): is it frozen or overloaded, or"
            " is SEGUE_KAFKA_BOOTSTRAP_SERVERS another server's?",
        ),
    ],
)
def test_the_sentence_says_what_happened_and_what_to_look_at(reach: Reach, said: str) -> None:
    assert str(KafkaAway("here:1", "why", 10_000, reach)) == said
    assert "SEGUE_REDIS_URL" in str(RedisAway("here:1", "why", 10_000, reach))


def test_addresses_are_read_as_the_settings_write_them() -> None:
    assert host_and_port("kafka:9093", 9092) == ("kafka", 9093)
    assert host_and_port("kafka", 9092) == ("kafka", 9092)
    assert host_and_port("[::1]:9093", 9092) == ("::1", 9093)
    assert host_and_port("::1", 9092) == ("::1", 9092)
    assert RedisConnection.at("redis://user:secret@a:1,b/0").reached_first == [("a", 1), ("b", 6379)]
    assert RedisConnection.at("unix:///run/redis.sock").reached_first == []

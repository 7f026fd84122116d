"""Who is active now, read from a channel's snapshot topic (`activation.<channel>.current`); who is a member, likewise.

A snapshot is compacted: the last record of a key stands, and a tombstone ends it. Reading a partition to its end gives
the exact answer and unpacks no profile.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, records
from streams.wire.names import channel_topics


async def standing(servers: Servers, channel: str) -> AsyncGenerator[set[tuple[str, str]], None]:
    """Yield (subject, activation) of all that is active on a channel: a set for each partition, in order.

    Raises WrongInput where the channel has no snapshot topic.
    """
    _, topic = channel_topics(servers.deployment, channel)
    await servers.expect_topics(topic)
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, partitions):
        for partition in partitions:
            found = set[tuple[str, str]]()
            async for subject, activation, value in _entries(servers, consumer, partition):
                (found.discard if value is None else found.add)((subject, activation))
            yield found


async def standing_changes(servers: Servers, topic: str, partition: int, name: str) -> dict[str, Mapping[str, Any]]:
    """Return the standing changes of one segment or activation in a partition of a snapshot topic, by subject.

    Each is the published change that made the profile a member, or the activation active.
    """
    await servers.expect_topics(topic)
    found: dict[str, Mapping[str, Any]] = {}
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, partitions):
        async for subject, named, value in _entries(servers, consumer, partitions[partition]):
            if named != name:
                continue
            if value is None:
                found.pop(subject, None)
            else:
                found[subject] = orjson.loads(value)
    return found


async def _entries(
    servers: Servers, consumer: AIOKafkaConsumer, partition: TopicPartition
) -> AsyncIterator[tuple[str, str, bytes | None]]:
    """Yield (subject, segment or activation, value) of a snapshot's partition, up to the end that it has now."""
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    _, end = await servers.log.offsets(partition.topic, partition.partition)
    async for record in records(consumer, partition, end):
        subject, _, name = (record.key or b"").decode().rpartition("|")
        yield subject, name, record.value

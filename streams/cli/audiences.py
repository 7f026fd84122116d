"""Audiences, over all partitions: members as Redis has them, who is active as the channels' snapshots say.

A snapshot is a compacted topic: its last record of a key stands, a tombstone ends it. It is read to its end a partition
at a time, which is exact and costs no profile to be unpacked.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from streams.cli.render.progress import progress
from streams.operations.errors import WrongInput
from streams.operations.naming import channels_of, resolve
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, records
from streams.store.redis import RedisStore
from streams.wire.names import channel_topics

SCANNED_AT_ONCE: Final = 1_000


async def list_members(
    servers: Servers, name: str, limit: int | None, write: Callable[[str], None], *, activation: bool
) -> None:
    """Write every member of a segment, or everyone for whom an activation is active, once; a partition after the other.

    `activation`: take the name for the activation's, where a segment has it too.
    """
    named = resolve(await servers.catalogue(), name)
    if named.activation is not None and (activation or named.segment is None):
        await _list_active(servers, named.activation, limit, write)
    elif named.segment is not None and not activation:
        await _list_members(servers, named.segment.id, limit, write)
    else:
        raise WrongInput(f"{name!r} is a segment; the catalogue in force has no such activation")


async def _list_members(servers: Servers, segment: str, limit: int | None, write: Callable[[str], None]) -> None:
    left = limit
    for partition in range(servers.deployment.partitions):
        async with servers.stored(partition) as store:
            cursor, seen = 0, set[str]()
            while True:
                cursor, found = await store.members(segment, cursor, SCANNED_AT_ONCE)
                for subject in found:
                    # a scan may meet a member twice while the set is moving
                    if subject in seen:
                        continue
                    seen.add(subject)
                    write(subject)
                    if left is not None:
                        left -= 1
                        if left == 0:
                            return
                if cursor == 0:
                    break


async def _list_active(
    servers: Servers, activation: Activation, limit: int | None, write: Callable[[str], None]
) -> None:
    _, topic = channel_topics(servers.deployment, activation.channel)
    await servers.expect_topics(topic)
    left = limit
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, partitions):
        for partition in partitions:
            for subject in sorted(await _active(servers, consumer, partition, activation.id)):
                write(subject)
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


async def _active(servers: Servers, consumer: AIOKafkaConsumer, partition: TopicPartition, activation: str) -> set[str]:
    """Read who is active for one activation in one partition of a snapshot."""
    found = set[str]()
    async for subject, name, stands in _standing(servers, consumer, partition):
        if name == activation:
            (found.add if stands else found.discard)(subject)
    return found


async def _standing(
    servers: Servers, consumer: AIOKafkaConsumer, partition: TopicPartition
) -> AsyncIterator[tuple[str, str, bool]]:
    """Read a partition of a snapshot to the end that it has now: (subject, activation, whether it begins or ends)."""
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    _, end = await servers.log.offsets(partition.topic, partition.partition)
    async for record in records(consumer, partition, end):
        subject, _, activation = (record.key or b"").decode().rpartition("|")
        yield subject, activation, record.value is not None


async def count(servers: Servers) -> dict[str, Any]:
    """Count the members of every approved segment, and the profiles of every approved activation and channel."""
    catalogue = await servers.catalogue()
    counted = await _count_members(servers, catalogue)
    return {**counted, **await _count_active(servers, catalogue)}


async def _count_members(servers: Servers, catalogue: Catalogue) -> dict[str, Any]:
    async def each(_: int, store: RedisStore) -> list[int]:
        return [await store.size(segment) for segment in catalogue.order]

    totals = [sum(found) for found in zip(*await servers.in_each(each), strict=True)]
    counted = sorted(zip(totals, catalogue.order, strict=True), key=lambda each: (-each[0], each[1]))
    segments = [
        {
            "segment": name,
            "members": size,
            "audience": catalogue.approved[name].layers.audience,
            "title": catalogue.approved[name].title,
        }
        for size, name in counted
    ]
    return {"catalogue": catalogue.hash, "segments": segments, "memberships": sum(totals)}


async def _count_active(servers: Servers, catalogue: Catalogue) -> dict[str, Any]:
    active = Counter[str]()
    channels = []
    for channel in channels_of(catalogue):
        profiles, found = await _count_channel(servers, channel)
        active.update(found)
        channels.append({"channel": channel, "profiles": profiles})
    approved = [each for each in catalogue.activations.values() if each.status == "approved"]
    activations = [
        {
            "activation": each.id,
            "channel": each.channel,
            "active": active[each.id],
            "audience": each.audience,
            "journey": each.journey,
            "exclusive_group": each.exclusive_group,
        }
        for each in sorted(approved, key=lambda each: (each.channel, -active[each.id], each.id))
    ]
    return {"activations": activations, "channels": channels}


async def _count_channel(servers: Servers, channel: str) -> tuple[int, Counter[str]]:
    """Count one channel: its profiles, and those of each of its activations."""
    _, topic = channel_topics(servers.deployment, channel)
    await servers.expect_topics(topic)
    profiles, active = 0, Counter[str]()
    with progress() as shown:
        task = shown.add_task(f"Reading who is active on {channel} (partitions)", total=None, note="")
        async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, partitions):
            for partition in shown.track(partitions, task_id=task):
                standing = set[tuple[str, str]]()
                async for subject, name, stands in _standing(servers, consumer, partition):
                    (standing.add if stands else standing.discard)((subject, name))
                profiles += len({subject for subject, _ in standing})
                active.update(name for _, name in standing)
    return profiles, active

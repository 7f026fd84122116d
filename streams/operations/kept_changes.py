"""The changes of one profile that the output topics still have: for a log whose beginning is gone."""

from collections.abc import Mapping
from heapq import merge
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.ground.instants import parse_instant
from streams.operations.errors import OperationError
from streams.operations.happened import Happened, InForceThen
from streams.operations.in_force import History, history
from streams.operations.partitions import OnOffset
from streams.operations.rule_texts import RuleTexts
from streams.operations.servers import Servers, compiled
from streams.operations.shadow import FETCH_BYTES, records
from streams.wire.names import channel_topics, restricted_topics

RANKS: Final = {"entered": 0, "exited": 0, "deactivated": 1, "activated": 2}
"""The order of one evaluation's changes: memberships, then deactivations, then activations."""


async def kept_changes(
    servers: Servers, subject: str, partition: int, on_offset: OnOffset
) -> tuple[list[Happened], list[Catalogue]]:
    """Return the changes in order, and the catalogues that load under the rules of this version, the latest first.

    Reads the partition in the topics of memberships and of every channel that a catalogue ever used.
    """
    past, rules = await history(servers), RuleTexts(servers)
    catalogues = [each for each in map(_loaded, reversed(past.catalogues.values())) if each is not None]
    topics, key = await _topics(servers, catalogues), subject.encode()
    found = [await _changes(servers, TopicPartition(topic, partition), key, on_offset) for topic in topics]
    told: list[Happened] = []
    for change in merge(*found, key=lambda each: (each["effective_at"], RANKS[each["change"]])):
        conditions: list[str] = []
        if "segment" in change:
            conditions = await rules.say(change["segment"], change["segment_version"], change["reason"]["conditions"])
        told.append(Happened(change, _in_force(past, parse_instant(change["effective_at"])), tuple(conditions)))
    return told, catalogues


def _loaded(stored: bytes) -> Catalogue | None:
    try:
        return compiled(stored)
    except (OperationError, ValueError):
        return None


def _in_force(past: History, t_ms: int) -> InForceThen | None:
    found = past.at(t_ms)
    return None if found is None else InForceThen(found.catalogue, found.at_ms, found.applied)


async def _topics(servers: Servers, catalogues: list[Catalogue]) -> list[str]:
    deployment = servers.deployment
    channels = {each.channel for catalogue in catalogues for each in catalogue.activations.values()}
    names = [deployment.membership_topic, restricted_topics(deployment)[0]]
    names += [channel_topics(deployment, channel)[0] for channel in sorted(channels)]
    async with servers.cluster() as cluster:
        existing = await cluster.existing(names)
    return [name for name in names if name in existing]


async def _changes(
    servers: Servers, partition: TopicPartition, key: bytes, on_offset: OnOffset
) -> list[Mapping[str, Any]]:
    async with servers.reading(partition.topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        _, end = await servers.log.offsets(partition.topic, partition.partition)
        read = records(consumer, partition, end, lambda offset: on_offset(partition.partition, offset, end))
        return [orjson.loads(record.value) async for record in read if record.key == key and record.value is not None]

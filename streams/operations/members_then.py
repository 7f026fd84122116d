"""The members of a segment or the profiles of an activation at an instant in the past: the log applied up to then.

One partition after the other; all profiles of a partition are in memory meanwhile (about 3 KB each in the example
catalogue).
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any

import orjson
from aiokafka import TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.engine.profile import Profile
from rules.ground.instants import format_instant
from streams.clock import SystemClock
from streams.intake.decoding import decoder_of
from streams.operations.errors import CatalogueUnusable, OperationError, UnknownName, WrongRequest
from streams.operations.member_rows import Asked, Page, Wanted, wanted_of
from streams.operations.partitions import OnOffset
from streams.operations.past_errors import NoCutThen, OtherRulesThen, PastGone
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, CataloguesOnly
from streams.operations.until import Reading
from streams.partition.driver import Driver


async def pages_then(servers: Servers, asked: Asked, t_ms: int, on_offset: OnOffset) -> AsyncGenerator[Page, None]:
    """Yield the members at t_ms, a page a partition, sorted by subject.

    Raises WrongRequest (t_ms is ahead of now, a column is wrong), UnknownName (the catalogue then in force has not the
    name), Restricted; PastGone, OtherRulesThen, NoCutThen, CatalogueNotStored; Unreachable.
    """
    if t_ms > SystemClock().wall_ms():
        raise WrongRequest(f"{format_instant(t_ms)} is in the future: who will be a member then, no log tells")
    await servers.expect_topics(servers.deployment.events_topic)
    now = await servers.catalogue()
    missing: OperationError | None = None
    told = False
    for partition in range(servers.deployment.partitions):
        try:
            page = await _then(servers, partition, asked, t_ms, now, on_offset)
        except (NoCutThen, UnknownName) as error:
            # the cuts of one apply are milliseconds apart: another partition may have been past its own
            missing = missing or error
            continue
        told = True
        yield page
    if missing is not None and not told:
        raise missing


async def _then(servers: Servers, partition: int, asked: Asked, t_ms: int, now: Catalogue, on_offset: OnOffset) -> Page:
    deployment = servers.deployment
    start, end = await servers.log.offsets(deployment.events_topic, partition)
    if start > 0:
        raise PastGone(partition, start)
    engine = Partition(deployment.generation, decoder_of(partition, deployment.partitions))
    driver = Driver(engine, CataloguesOnly(servers.catalogue_of))
    inputs = TopicPartition(deployment.events_topic, partition)
    changes: dict[str, AnyChange] = {}
    async with servers.reading(inputs.topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        await consumer.seek_to_beginning(inputs)
        try:
            async for record in Reading(consumer, inputs, t_ms, end).records(on_offset=on_offset):
                _note((await driver.feed(record)).changes, asked.name, changes)
        except CatalogueUnusable:
            raise OtherRulesThen from None
    _note(changes_of(whole(engine.pass_time(t_ms + 1)).items), asked.name, changes)
    if engine.current is None:
        raise NoCutThen(partition, t_ms)
    wanted = wanted_of(engine.current.catalogue, asked, [now])
    found = [engine.profiles[each] for each in sorted(engine.profiles) if _is_member(wanted, engine.profiles[each])]
    return Page(wanted, [wanted.row(each.subject, each, _told(changes, wanted, each.subject)) for each in found])


def _note(found: list[AnyChange], name: str, changes: dict[str, AnyChange]) -> None:
    """Keep the latest change of a name that made a profile a member, or its activation active, by its key."""
    for change in found:
        if isinstance(change, ActivationChange):
            if change.activation == name and change.activated:
                changes[f"activation {change.subject}"] = change
        elif change.segment == name and change.entered:
            changes[f"segment {change.subject}"] = change


def _told(changes: Mapping[str, AnyChange], wanted: Wanted, subject: str) -> Mapping[str, Any] | None:
    change = changes.get(f"{wanted.of} {subject}")
    if change is None:
        return None
    told: Mapping[str, Any] = orjson.loads(change.value)
    return told


def _is_member(wanted: Wanted, profile: Profile) -> bool:
    if wanted.of == "segment":
        return profile.member_since(wanted.name) is not None
    standing = profile.activations.get(wanted.name)
    return standing is not None and standing.active

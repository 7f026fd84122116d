"""The members of a segment or the profiles of an activation at an instant in the past: the log applied up to then.

One partition after the other, in as many passes as memory asks for (`streams.operations.shares`).
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
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
from streams.operations.erased_since import erased_by, erasures_of
from streams.operations.errors import CatalogueUnusable, OperationError, UnknownName, WrongRequest
from streams.operations.member_rows import READ_AT_ONCE, Asked, Page, Wanted, wanted_of
from streams.operations.partitions import OnOffset
from streams.operations.past_errors import NoCutThen, OtherRulesThen, PastGone
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, CataloguesOnly
from streams.operations.shares import PROFILES_AT_ONCE, Share, TooMany, in_shares
from streams.operations.until import ALL, Reading
from streams.partition.driver import Driver


async def pages_then(servers: Servers, asked: Asked, t_ms: int, on_offset: OnOffset) -> AsyncGenerator[Page, None]:
    """Yield the members at t_ms, one or several pages a partition.

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
        then = _Then(servers, partition, asked, t_ms, now, on_offset)
        try:
            async with aclosing(in_shares(then.page)) as pages:
                async for page in pages:
                    told = True
                    yield page
        except (NoCutThen, UnknownName) as error:
            # the cuts of one apply are milliseconds apart: another partition may have been past its own
            missing = missing or error
    if missing is not None and not told:
        raise missing


@dataclass(frozen=True, slots=True)
class _Then:
    """One partition at an instant."""

    servers: Servers
    partition: int
    asked: Asked
    t_ms: int
    now: Catalogue
    on_offset: OnOffset

    async def page(self, share: Share) -> Page:
        """Return the members of one share. Raises TooMany."""
        deployment = self.servers.deployment
        engine = Partition(deployment.generation, decoder_of(self.partition, deployment.partitions))
        changes: dict[str, AnyChange] = {}
        try:
            await self._apply(engine, share, changes)
        except CatalogueUnusable:
            raise OtherRulesThen from None
        _note(changes_of(whole(engine.pass_time(self.t_ms + 1)).items), self.asked.name, changes)
        if engine.current is None:
            raise NoCutThen(self.partition, self.t_ms)
        wanted = wanted_of(engine.current.catalogue, self.asked, [self.now])
        found = [profile for _, profile in sorted(engine.profiles.items()) if _is_member(wanted, profile)]
        found = await self._not_erased_since(found)
        return Page(wanted, [wanted.row(each.subject, each, _told(changes, wanted, each.subject)) for each in found])

    async def _not_erased_since(self, profiles: list[Profile]) -> list[Profile]:
        """Leave out those that were erased after the instant."""
        found = []
        for start in range(0, len(profiles), READ_AT_ONCE):
            some = profiles[start : start + READ_AT_ONCE]
            erasures = await erasures_of(self.servers, self.partition, [each.subject for each in some])
            found += [each for each, erased in zip(some, erasures, strict=True) if erased == erased_by(each)]
        return found

    async def _apply(self, engine: Partition, share: Share, changes: dict[str, AnyChange]) -> None:
        inputs = TopicPartition(self.servers.deployment.events_topic, self.partition)
        start, end = await self.servers.log.offsets(inputs.topic, self.partition)
        if start > 0:
            raise PastGone(self.partition, start)
        driver = Driver(engine, CataloguesOnly(self.servers.catalogue_of))
        keep = ALL if share.of == 1 else share
        async with self.servers.reading(inputs.topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
            consumer.assign([inputs])
            await consumer.seek_to_beginning(inputs)
            async for record in Reading(consumer, inputs, self.t_ms, end).records(keep, self.on_offset):
                _note((await driver.feed(record)).changes, self.asked.name, changes)
                if len(engine.profiles) > PROFILES_AT_ONCE:
                    raise TooMany


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

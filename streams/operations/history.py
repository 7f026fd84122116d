"""All that ever changed for one profile: memberships and activations, with the definitions then in force.

The log of its partition is applied up to the published offset. So every published change is told, with the same
bytes, although retention may have dropped it from the output topics.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import TopicPartition

from rules.catalogue.applied import Applied
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.ground.partitioning import partition_of
from streams.intake.decoding import decoder_of
from streams.operations.appliers import Appliers
from streams.operations.errors import NothingPublished, UnknownProfile
from streams.operations.naming import resolve
from streams.operations.partitions import OnOffset
from streams.operations.past_errors import PastGone
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, CataloguesOnly
from streams.operations.sight import Kind, Sight
from streams.operations.steps import Step, steps
from streams.operations.until import Reading
from streams.operations.verify import published
from streams.partition.driver import Driver


@dataclass(frozen=True, slots=True)
class InForceThen:
    """A catalogue, and its cut in the partition."""

    catalogue: Catalogue
    since_ms: int
    """The instant of the cut."""
    applied: Applied | None
    """Who applied it, and why; None: its record does not say, or is gone."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One change, as it was published."""

    change: Mapping[str, Any]
    in_force: InForceThen
    conditions: tuple[str, ...]
    """What `reason.conditions` names, in the words of the version then in force."""


@dataclass(frozen=True, slots=True)
class History:
    """The changes of one profile, in the order in which they were published."""

    subject: str
    partition: int
    offset: int
    """The published offset up to which the log was applied."""
    changes: tuple[Happened, ...]
    not_shown: Mapping[str, int] = field(default_factory=dict)
    """How many restricted segments and activations were left out."""
    note: str = ""
    """The same as a sentence; "": nothing was left out."""


async def history(
    servers: Servers, subject: str, name: str | None, on_offset: OnOffset, *, restricted: bool = False
) -> History:
    """Return all changes of a profile, or those of the segment and the activation of one name.

    Raises UnknownProfile, UnknownName (no change has the name, and the catalogue in force has it not), Restricted;
    NothingPublished, PastGone, CatalogueNotStored, CatalogueUnusable; Unreachable.
    """
    appliers = await Appliers.read(servers)
    found: list[tuple[AnyChange, Step]] = []
    async with told_log(servers, subject) as log:
        async for step in steps(log.driver, log.reading, subject, on_offset=on_offset):
            found += [(change, step) for change in step.changes]
        if subject not in log.driver.engine.profiles:
            raise UnknownProfile(log.reading.partition.partition)
    catalogues = {step.plan.catalogue.hash: step.plan.catalogue for _, step in found}
    now = await servers.catalogue()
    sight = Sight(restricted, [now, *reversed(catalogues.values())])
    if name is not None:
        _expect(sight, now, name, [change for change, _ in found])
        found = [(change, step) for change, step in found if name_of(change)[1] == name]
    seen = {kind: set(sight.shown(kind, names)) for kind, names in _names([change for change, _ in found]).items()}
    return History(
        subject=subject,
        partition=log.reading.partition.partition,
        offset=log.reading.end,
        changes=tuple(
            happened(change, step, appliers) for change, step in found if name_of(change)[1] in seen[name_of(change)[0]]
        ),
        not_shown=sight.as_json(),
        note=sight.note,
    )


@dataclass(frozen=True, slots=True)
class ToldLog:
    """The log of one profile's partition up to the published offset, and an empty engine for it."""

    driver: Driver
    reading: Reading


@asynccontextmanager
async def told_log(servers: Servers, subject: str) -> AsyncIterator[ToldLog]:
    """Have the log of a profile. Raises NothingPublished, PastGone."""
    deployment = servers.deployment
    partition = partition_of(subject.encode(), deployment.partitions)
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic)
    progress = await published(servers, partition)
    if progress is None:
        raise NothingPublished(partition)
    start, _ = await servers.log.offsets(deployment.events_topic, partition)
    if start > 0:
        raise PastGone(partition, start)
    engine = Partition(deployment.generation, decoder_of(partition, deployment.partitions))
    inputs = TopicPartition(deployment.events_topic, partition)
    async with servers.reading(inputs.topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        await consumer.seek_to_beginning(inputs)
        yield ToldLog(
            Driver(engine, CataloguesOnly(servers.catalogue_of)), Reading(consumer, inputs, None, progress.offset)
        )


def happened(change: AnyChange, step: Step, appliers: Appliers) -> Happened:
    """Tell a change of a step with what was in force. Only the plan and the cut of the step are looked at."""
    told, plan = orjson.loads(change.value), step.plan
    in_force = InForceThen(plan.catalogue, step.cut_ms, appliers.of(plan.catalogue.hash, step.cut_ms))
    conditions = (
        () if isinstance(change, ActivationChange) else _words(plan, change.segment, told["reason"]["conditions"])
    )
    return Happened(told, in_force, conditions)


def name_of(change: AnyChange) -> tuple[Kind, str]:
    """Return what changed: its kind and its name."""
    if isinstance(change, ActivationChange):
        return "activation", change.activation
    return "segment", change.segment


def _names(changes: Sequence[AnyChange]) -> dict[Kind, list[str]]:
    names: dict[Kind, list[str]] = {"segment": [], "activation": []}
    for kind, name in map(name_of, changes):
        names[kind].append(name)
    return names


def _expect(sight: Sight, now: Catalogue, name: str, changes: Sequence[AnyChange]) -> None:
    """See that a name stands for something, now or in a change, and that the reader may read it."""
    kinds: set[Kind] = {kind for kind, each in map(name_of, changes) if each == name}
    if not kinds:
        named = resolve(now, name)
        kinds |= {"segment"} if named.segment is not None else set()
        kinds |= {"activation"} if named.activation is not None else set()
    for kind in sorted(kinds):
        sight.expect(kind, name)


def _words(plan: Plan, segment: str, paths: Sequence[str]) -> tuple[str, ...]:
    rules = plan.by_id.get(segment)
    texts: dict[str, str] = {}
    for rule, node in () if rules is None else (("enter", rules.enter), ("exit", rules.exit)):
        if node is not None:
            texts |= {path: leaf.describe() for path, leaf, _ in leaves(node, rule)}
    return tuple(texts.get(path, path) for path in paths)

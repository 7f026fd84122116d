"""All that ever changed for one profile: memberships and activations, with the definitions then in force.

The log of its partition is applied up to the published offset. So every published change is told, with the same
bytes, although retention may have dropped it from the output topics.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import orjson
from aiokafka import TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.ground.partitioning import partition_of
from streams.intake.decoding import decoder_of
from streams.operations.appliers import Appliers
from streams.operations.errors import CatalogueUnusable, NothingPublished, UnknownProfile
from streams.operations.happened import Happened, InForceThen
from streams.operations.kept_changes import kept_changes
from streams.operations.naming import resolve
from streams.operations.partitions import OnOffset
from streams.operations.past_errors import PastGone
from streams.operations.person_moves import PersonMove
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, CataloguesOnly
from streams.operations.sight import Kind, Sight
from streams.operations.steps import Step, steps
from streams.operations.until import Reading
from streams.operations.verify import published
from streams.partition.driver import Driver

Told: TypeAlias = Happened | PersonMove
KEPT_ONLY: Final = "these are the changes that the output topics still have"


@dataclass(frozen=True, slots=True)
class History:
    """The changes of one profile, in the order in which they were published."""

    subject: str
    partition: int
    offset: int
    """The published offset up to which changes are told."""
    told: tuple[Happened | PersonMove, ...]
    """The changes, and between them the links and the erasures; nothing from before the last erasure."""
    kept_only: str = ""
    """Why `changes` are only those that the output topics still have; "": they are all that there ever were."""
    not_shown: Mapping[str, int] = field(default_factory=dict)
    """How many restricted segments and activations were left out."""
    notes: tuple[str, ...] = ()
    """The same, and `kept_only`, as sentences."""

    @property
    def changes(self) -> tuple[Happened, ...]:
        """The changes alone."""
        return tuple(each for each in self.told if isinstance(each, Happened))

    @property
    def moves(self) -> tuple[PersonMove, ...]:
        """The links and the erasures alone."""
        return tuple(each for each in self.told if isinstance(each, PersonMove))


async def history(
    servers: Servers, subject: str, name: str | None, on_offset: OnOffset, *, restricted: bool = False
) -> History:
    """Return all changes of a profile, or those of the segment and the activation of one name.

    Where the log cannot tell (`History.kept_only`), they are those that the output topics still have. Raises
    UnknownProfile, UnknownName (no change has the name, and the catalogue in force has it not), Restricted;
    NothingPublished, CatalogueNotStored; Unreachable.
    """
    now = await servers.catalogue()
    partition = partition_of(subject.encode(), servers.deployment.partitions)
    kept_only = ""
    found: Sequence[Told]
    try:
        found, catalogues, offset = await _from_the_log(servers, subject, on_offset)
    except PastGone as gone:
        kept_only = f"retention has dropped the log before offset {gone.start:,}"
    except CatalogueUnusable:
        kept_only = "the log holds a catalogue of other rules than this version of Segue has"
    if kept_only:
        found, catalogues = await kept_changes(servers, subject, partition, on_offset)
        progress = await published(servers, partition)
        offset = 0 if progress is None else progress.offset
    found = _since_erasure(found)
    sight = Sight(restricted, [now, *catalogues])
    changes = [each for each in found if isinstance(each, Happened)]
    if name is not None:
        _expect(sight, now, name, changes)
        changes = [each for each in changes if each.names[1] == name]
    seen = {kind: set(sight.shown(kind, names)) for kind, names in _names(changes).items()}
    shown = {id(each) for each in changes if each.names[1] in seen[each.names[0]]}
    notes = (f"{kept_only}: {KEPT_ONLY}" if kept_only else "", sight.note)
    return History(
        subject=subject,
        partition=partition,
        offset=offset,
        told=tuple(each for each in found if isinstance(each, PersonMove) or id(each) in shown),
        kept_only=kept_only,
        not_shown=sight.as_json(),
        notes=tuple(note for note in notes if note),
    )


def _since_erasure(found: Sequence[Told]) -> Sequence[Told]:
    """Leave out what was before the last erasure, and what it ended: memberships, and links of other subjects."""
    erased = [number for number, each in enumerate(found) if _is_erasure(each)]
    if not erased:
        return found
    # its own changes come right after it; where only changes are kept, the last one of it is where to begin
    moves = [found[number] for number in erased if isinstance(found[number], PersonMove)]
    return [*moves[-1:], *_without_old_links(found[erased[-1] + 1 :])]


def _without_old_links(found: Sequence[Told]) -> Iterator[Told]:
    """Leave out that a subject no longer stands for the profile where it came to do so before: it would be named."""
    joined: set[str | None] = set()
    for each in found:
        if isinstance(each, PersonMove) and each.kind == "joined":
            joined.add(each.other)
        if not (isinstance(each, PersonMove) and each.kind == "left" and each.other not in joined):
            yield each


def _is_erasure(each: Told) -> bool:
    if isinstance(each, PersonMove):
        return each.kind == "erased"
    return bool(each.change["reason"]["kind"] == "erased")


async def _from_the_log(servers: Servers, subject: str, on_offset: OnOffset) -> tuple[list[Told], list[Catalogue], int]:
    """Return what there is to tell, the catalogues it was made under (the latest first), and the published offset."""
    appliers = await Appliers.read(servers)
    found: list[Told] = []
    catalogues: dict[str, Catalogue] = {}
    async with told_log(servers, subject) as log:
        async for step in steps(log.driver, log.reading, subject, on_offset=on_offset, on_move=found.append):
            found += [happened(change, step, appliers) for change in step.changes]
            catalogues[step.plan.catalogue.hash] = step.plan.catalogue
        if subject not in log.driver.engine.profiles:
            raise UnknownProfile(log.reading.partition.partition)
    return found, list(reversed(catalogues.values())), log.reading.end


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
    in_force = InForceThen(plan.catalogue.hash, step.cut_ms, appliers.of(plan.catalogue.hash, step.cut_ms))
    conditions: tuple[str, ...] = ()
    if not isinstance(change, ActivationChange):
        conditions = _words(plan, change.segment, told["reason"]["conditions"])
    return Happened(told, in_force, conditions)


def _names(found: Sequence[Happened]) -> dict[Kind, list[str]]:
    names: dict[Kind, list[str]] = {"segment": [], "activation": []}
    for each in found:
        kind, name = each.names
        names[kind].append(name)
    return names


def _expect(sight: Sight, now: Catalogue, name: str, found: Sequence[Happened]) -> None:
    """See that a name stands for something, now or in a change, and that the reader may read it."""
    kinds: set[Kind] = {each.names[0] for each in found if each.names[1] == name}
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

"""`segue preview`: what a catalogue would change, counted over the real log, beside the live system.

Each partition's input is applied again in memory, as `segue verify` does; the profiles are copied and cut to the new
catalogue by the engine itself (`rules.preview`). Nothing is written, and nothing is asked of the workers.

A partition that takes too much memory is read in several passes, each over a range of its subjects: a pass that grows
too large keeps the lower half of its range, and the upper half becomes a pass of its own.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import Difference, differences
from rules.catalogue.stored import OtherRules, load_catalogue_json
from rules.engine.outcome import NeedCatalogue
from rules.engine.partition import Partition
from rules.ground.instants import MS_PER_DAY
from rules.language.problems import CatalogueErrors
from rules.preview.found import Found
from rules.preview.interactions import Interaction, interactions
from rules.preview.lookback import Lookback, Question
from rules.preview.parts import PARTS_MAX, Part, parts_of
from rules.preview.subjects import Range, sampled
from rules.preview.tally import Kind, Shows
from rules.preview.wanted import wanted_types
from streams.clock import SystemClock
from streams.intake.decoding import decoder_of
from streams.operations.partitions import OnOffset
from streams.operations.preview_name import PreviewName, name_of
from streams.operations.servers import Servers, compiled
from streams.operations.shadow import FETCH_BYTES, records
from streams.operations.sight import Sight
from streams.operations.verify import check_whole
from streams.settings import assignment_keys

MEMORY_MB: Final = 1_024
"""Memory that the profiles and events of one pass may take, about."""
DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a preview."""

    days: int = DAYS
    """Length of the window; 0: no window."""
    one_in: int = 1
    """The sample: one subject in so many."""
    memory_mb: int = MEMORY_MB
    people: int = 0
    """How many profiles of each way to name."""
    restricted: bool = False
    """Whether the reader may read what uses restricted data."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a catalogue would change."""

    name: PreviewName
    before: Catalogue | None
    """The catalogue in force; None: there is none."""
    after: Catalogue
    """The new catalogue."""
    at_ms: int
    """The instant of the cut."""
    from_ms: int | None
    """The beginning of the window; None: there is no window."""
    one_in: int
    offsets: tuple[tuple[int, int], ...]
    """By partition: the first record of the log, and the first that was not read."""
    differences: tuple[Difference, ...]
    parts: tuple[Part, ...]
    found: Found
    """Counts of the sample, not scaled."""
    records: int
    passes: int
    """Readings of a partition, in all."""
    seconds: float
    shows: Shows
    """Tells what the reader may see."""
    not_shown: Mapping[str, int]
    """How many restricted segments and activations were left out."""
    note: str
    """The same as a sentence; "": nothing was left out."""

    @property
    def interactions(self) -> list[Interaction]:
        """Where the parts of the change do together what none of them does alone."""
        return interactions(self.found.cut, self.found.parts)


async def preview(servers: Servers, new: Catalogue, wanted: Wanted, on_offset: OnOffset) -> Preview:
    """Count what putting a catalogue into force would change. Raises WrongInput, Unreachable."""
    deployment = servers.deployment
    await servers.expect_topics(deployment.events_topic, deployment.catalogues_topic)
    began_ms = SystemClock().now_ms()
    stored = await servers.latest_catalogue()
    old = None if stored is None or stored.value is None else compiled(stored.value)
    at_ms = SystemClock().wall_ms()
    parts = parts_of(old, new)
    counted = {each.key: each.catalogue for each in parts[:PARTS_MAX] if each.catalogue is not None}
    sight = Sight(wanted.restricted, [new] if old is None else [old, new])
    question = Question(
        to=new,
        parts=counted,
        wanted=wanted_types([new, *counted.values()], await _known(servers)),
        from_ms=at_ms - wanted.days * MS_PER_DAY if wanted.days else None,
        t_ms=at_ms,
        people=wanted.people,
        shows=sight.shows,
    )
    reading = _Reading(servers, question, wanted, on_offset)
    offsets = [
        await servers.log.offsets(deployment.events_topic, partition) for partition in range(deployment.partitions)
    ]
    for kind, names in _names(old, new).items():
        sight.shown(kind, names)  # counts those that are left out
    found = Found(people_max=wanted.people)
    for partition, (_, end) in enumerate(offsets):
        await check_whole(servers, partition)
        found.add(await reading.partition(partition, end))
    return Preview(
        name=name_of(None if old is None else old.hash, new.hash, [offsets, wanted.one_in, question.from_ms, at_ms]),
        before=old,
        after=new,
        at_ms=at_ms,
        from_ms=question.from_ms,
        one_in=wanted.one_in,
        offsets=tuple(offsets),
        differences=tuple(differences(old, new)),
        parts=tuple(parts),
        found=found.only(sight.shows),
        records=reading.records,
        passes=reading.passes,
        seconds=(SystemClock().now_ms() - began_ms) / 1000,
        shows=sight.shows,
        not_shown=sight.as_json(),
        note=sight.note,
    )


def _names(old: Catalogue | None, new: Catalogue) -> dict[Kind, list[str]]:
    both = [each for each in (old, new) if each is not None]
    activations = [each for catalogue in both for each in catalogue.activations.values() if each.status == "approved"]
    return {
        "segment": sorted({name for catalogue in both for name in catalogue.approved}),
        "activation": sorted({each.id for each in activations}),
    }


async def _known(servers: Servers) -> list[Catalogue]:
    """Return the catalogues that were ever in force, those that this version can load."""
    found: dict[bytes, Catalogue] = {}
    for stored in await servers.log.read_to_end(servers.deployment.catalogues_topic, 0):
        if stored.key is None or stored.value is None or stored.key in found:
            continue
        with suppress(OtherRules, CatalogueErrors, ValueError):
            found[stored.key] = load_catalogue_json(stored.value, assignment_keys())
    return list(found.values())


class _Reading:
    """The passes over partitions."""

    def __init__(self, servers: Servers, question: Question, wanted: Wanted, on_offset: OnOffset) -> None:
        self._servers = servers
        self._question = question
        self._wanted = wanted
        self._on_offset = on_offset
        self.records = 0
        self.passes = 0

    async def partition(self, partition: int, end: int) -> Found:
        """Read a partition up to `end`, in as many passes as it takes."""
        found = Found(people_max=self._wanted.people)
        waiting = [sampled(self._wanted.one_in)]
        while waiting:
            self.passes += 1
            lookback = await self._pass(partition, end, waiting.pop(), waiting)
            if lookback is not None:
                found.add(lookback.end())
        return found

    async def _pass(self, partition: int, end: int, subjects: Range, waiting: list[Range]) -> Lookback | None:
        """Apply a partition's records to a range; None: it took too much memory after its window began.

        What is left to do is put to those that wait.
        """
        servers, deployment = self._servers, self._servers.deployment
        decode = decoder_of(partition, deployment.partitions)
        lookback = Lookback(self._question, subjects, decode, Partition(deployment.generation, decode))
        inputs = TopicPartition(deployment.events_topic, partition)
        async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
            consumer.assign([inputs])
            await consumer.seek_to_beginning(inputs)
            async for record in records(consumer, inputs, end, lambda offset: self._on_offset(partition, offset, end)):
                self.records += 1
                need = lookback.feed(record)
                while need is not None:
                    assert isinstance(need, NeedCatalogue)
                    lookback.give_catalogue(need.catalogue, await servers.catalogue_of(need.catalogue))
                    need = lookback.feed(record)
                if lookback.weight_bytes > self._wanted.memory_mb << 20:
                    if not lookback.can_narrow:
                        waiting += reversed(lookback.subjects.halves())
                        return None
                    waiting.append(lookback.narrow())
        return lookback

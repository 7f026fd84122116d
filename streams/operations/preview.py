"""`segue preview`: what a catalogue would change, counted over the real log, beside the live system.

Each partition's input is applied again in memory, as `segue verify` does; the profiles are copied and cut to the new
catalogue by the engine itself (`rules.preview`). Nothing is written, and nothing is asked of the workers.

A partition that takes too much memory is read in several passes, each over a range of its subjects: a pass that grows
too large keeps the lower half of its range, and the upper half becomes a pass of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from rules.language.problems import CatalogueErrors, Problem
from rules.preview.found import Found
from rules.preview.interactions import Interaction, interactions
from rules.preview.lookback import Lookback, Question
from rules.preview.parts import PARTS_MAX, Part, parts_of
from rules.preview.past import Wish, wish_for
from rules.preview.subjects import Range, sampled
from rules.preview.tally import Kind, Shows
from streams.clock import SystemClock
from streams.intake.decoding import decoder_of
from streams.operations.applying.pilots import complete
from streams.operations.applying.situation import read_in_force
from streams.operations.applying.versions import ledger_of, wrong_versions
from streams.operations.errors import CatalogueNotStored, CatalogueUnusable, WrongInput, WrongRequest
from streams.operations.in_force import history
from streams.operations.partitions import OnOffset
from streams.operations.preview_name import DIGITS, PreviewName, name_of
from streams.operations.preview_pick import picker
from streams.operations.preview_state import Resumed, look_for_erased, resumed
from streams.operations.servers import Servers, compiled
from streams.operations.shadow import FETCH_BYTES, records
from streams.operations.sight import Sight
from streams.settings import assignment_keys

MEMORY_MB: Final = 1_024
"""Memory that the profiles and events of one pass may take, about."""
DAYS: Final = 30
APART_MS: Final = 600_000
"""Clocks of the machines that apply catalogues differ by less than this."""


class NoWindow(WrongRequest):
    """Retention has dropped the log's beginning, so the state at the window's beginning is not known."""

    def __init__(self, partition: int, start: int) -> None:
        super().__init__(
            f"partition {partition}: retention has dropped the input before offset {start}, so how the last days would"
            " have gone cannot be told exactly: give --days 0 for the cut alone"
        )
        self.partition = partition
        self.start = start


class OldCatalogue(WrongInput):
    """The log holds a cut to a catalogue that this version cannot load, so its past cannot be applied again."""

    def __init__(self, catalogue: str) -> None:
        super().__init__(
            f"the log has catalogue {catalogue[:DIGITS]}, which this version of Segue cannot load, so how the last days"
            " went cannot be told: give --days 0 for the cut alone"
        )
        self.catalogue = catalogue


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a preview."""

    days: int | None = None
    """Length of the window; 0: no window. None: DAYS, or none where the log has lost its beginning."""
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
    unknown: tuple[str, ...]
    """What the log cannot tell, in sentences."""
    shows: Shows
    """Tells what the reader may see."""
    not_shown: Mapping[str, int]
    """How many restricted segments and activations were left out."""
    note: str
    """The same as a sentence; "": nothing was left out."""
    to_version: tuple[Problem, ...]
    """What `segue apply` will ask for first: versions to be raised, each with the number to write."""

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
    in_force = read_in_force(stored)
    old = None if stored is None or stored.value is None else compiled(stored.value)
    new = complete(new, old, readable=True)
    at_ms = SystemClock().wall_ms()
    offsets = [
        await servers.log.offsets(deployment.events_topic, partition) for partition in range(deployment.partitions)
    ]
    truncated = [partition for partition, (start, _) in enumerate(offsets) if start > 0]
    if wanted.days and truncated:
        raise NoWindow(truncated[0], offsets[truncated[0]][0])
    days = (0 if truncated else DAYS) if wanted.days is None else wanted.days
    from_ms = at_ms - days * MS_PER_DAY if days else None
    parts = parts_of(old, new)
    counted = {each.key: each.catalogue for each in parts[:PARTS_MAX] if each.catalogue is not None}
    before = [old] if from_ms is None else [*await _in_force_around(servers, from_ms), old]
    wish = wish_for([new, *counted.values()], before, [at_ms] if from_ms is None else [from_ms, at_ms])
    sight = Sight(wanted.restricted, [new] if old is None else [old, new])
    question = Question(
        to=new,
        parts=counted,
        from_ms=from_ms,
        t_ms=at_ms,
        people=wanted.people,
        shows=sight.shows,
    )
    reading = _Reading(servers, question, wish, wanted, on_offset)
    for kind, names in _names(old, new).items():
        sight.shown(kind, names)  # counts those that are left out
    found = Found(people_max=wanted.people)
    for partition, (start, end) in enumerate(offsets):
        found.add(await reading.partition(partition, start, end))
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
        unknown=tuple(_unknown(truncated, wanted, found.of_several)),
        not_shown=sight.as_json(),
        note=sight.note,
        to_version=tuple(wrong_versions(new, in_force, await ledger_of(servers, in_force))),
    )


def _names(old: Catalogue | None, new: Catalogue) -> dict[Kind, list[str]]:
    both = [each for each in (old, new) if each is not None]
    return {
        "segment": sorted({name for catalogue in both for name in catalogue.approved}),
        "activation": sorted({name for catalogue in both for name in catalogue.approved_activations}),
    }


async def _in_force_around(servers: Servers, t_ms: int) -> list[Catalogue | None]:
    """Return the catalogues that may be in force at an instant; None: there may be none, or one that does not load.

    The instants of applies are those of other machines' clocks: so what was applied a little earlier or later counts.
    """
    known = await history(servers)
    digests = {each.catalogue for each in known.applies if abs(each.at_ms - t_ms) <= APART_MS}
    names: set[str | None] = {*digests}
    for instant_ms in (t_ms - APART_MS, t_ms + APART_MS):
        apply = known.at(instant_ms)
        names.add(None if apply is None else apply.catalogue)
    return [None if name is None else _loaded(known.catalogues.get(name)) for name in sorted(names, key=str)]


def _loaded(data: bytes | None) -> Catalogue | None:
    with suppress(OtherRules, CatalogueErrors, ValueError):
        return None if data is None else load_catalogue_json(data, assignment_keys())
    return None


def _unknown(truncated: Sequence[int], wanted: Wanted, of_several: int) -> Iterator[str]:
    if of_several:
        profiles = "1 profile has" if of_several == 1 else f"{of_several:,} profiles have"
        yield (
            f"{profiles} facts of other subjects: what these were told before the cut is not counted here for"
            " conditions that come in. `segue apply` brings it."
        )
    if not truncated:
        return
    where = f"partition{'' if len(truncated) == 1 else 's'} {', '.join(map(str, truncated))}"
    yield (
        f"Retention has dropped the beginning of {where}: the cut is counted from the state in Redis, and history is"
        " filled in as far as the log reaches back."
    )
    if wanted.days is None:
        yield f"How the last {DAYS} days would have gone is not known: the state at their beginning is gone."


class _Reading:
    """The passes over partitions."""

    def __init__(self, servers: Servers, question: Question, wish: Wish, wanted: Wanted, on_offset: OnOffset) -> None:
        self._servers = servers
        self._question = question
        self._wish = wish
        self._wanted = wanted
        self._on_offset = on_offset
        self.records = 0
        self.passes = 0

    async def _catalogue(self, digest: str) -> Catalogue:
        try:
            return await self._servers.catalogue_of(digest)
        except (CatalogueUnusable, CatalogueNotStored):
            if self._question.from_ms is None:
                raise
            raise OldCatalogue(digest) from None

    async def partition(self, partition: int, start: int, end: int) -> Found:
        """Read a partition up to `end`, in as many passes as it takes."""
        found = Found(people_max=self._wanted.people)
        waiting = [sampled(self._wanted.one_in)]
        while waiting:
            self.passes += 1
            lookback = await self._pass(partition, start, end, waiting.pop(), waiting)
            if lookback is not None:
                found.add(lookback.end())
        return found

    async def _pass(
        self, partition: int, start: int, end: int, subjects: Range, waiting: list[Range]
    ) -> Lookback | None:
        """Apply a partition's records to a range; None: it took too much memory after its window began.

        What is left to do is put to those that wait.
        """
        servers, deployment = self._servers, self._servers.deployment
        decode = decoder_of(partition, deployment.partitions)
        pick = picker(self._wish, self._question.to.dictionary, partition, deployment.partitions)
        state: Resumed | None = None
        if self._question.from_ms is not None:
            lookback = Lookback(self._question, subjects, decode, Partition(deployment.generation, decode), pick)
        else:
            state = await resumed(servers, partition, subjects, decode, start)
            lookback = Lookback(self._question, subjects, decode, state.engine, pick, state.starts)
            lookback.catalogues |= state.catalogues
        truncated = start > 0
        inputs = TopicPartition(deployment.events_topic, partition)
        async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
            consumer.assign([inputs])
            await consumer.seek_to_beginning(inputs)
            async for record in records(consumer, inputs, end, lambda offset: self._on_offset(partition, offset, end)):
                self.records += 1
                if truncated and lookback.past.since_ms is None:
                    lookback.past.since_ms = record.timestamp_ms
                if state is not None and record.key is not None and subjects.has(record.key):
                    await look_for_erased(servers, partition, state, record.key, record.offset)
                need = lookback.feed(record)
                while need is not None:
                    assert isinstance(need, NeedCatalogue)
                    lookback.give_catalogue(need.catalogue, await self._catalogue(need.catalogue))
                    need = lookback.feed(record)
                if lookback.weight_bytes > self._wanted.memory_mb << 20:
                    if not lookback.can_narrow:
                        waiting += reversed(lookback.subjects.halves())
                        return None
                    waiting.append(lookback.narrow())
        return lookback

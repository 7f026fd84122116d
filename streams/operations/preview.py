"""`segue preview`: what a catalogue would change, counted over the real log, beside the live system.

Each partition's input is applied again in memory, as `segue verify` does; the profiles are copied and cut to the new
catalogue by the engine itself (`rules.preview`). Nothing is written, and nothing is asked of the workers.

A partition that takes too much memory is read in several passes, each over a range of its subjects: a pass that grows
too large keeps the lower half of its range, and the upper half becomes a pass of its own.
"""

from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson
from aiokafka import TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.differences import Difference, differences
from rules.catalogue.stored import OtherRules, load_catalogue_json
from rules.engine.outcome import NeedCatalogue
from rules.engine.partition import Partition
from rules.ground.instants import MS_PER_DAY
from rules.language.problems import CatalogueErrors
from rules.preview.found import Found
from rules.preview.lookback import Lookback, Question
from rules.preview.parts import PARTS_MAX, Part, parts_of
from rules.preview.subjects import Range, sampled
from rules.preview.wanted import wanted_types
from streams.clock import SystemClock
from streams.intake.decoding import decoder_of
from streams.operations.partitions import OnOffset
from streams.operations.servers import Servers, compiled
from streams.operations.shadow import FETCH_BYTES, records
from streams.operations.verify import check_whole

MEMORY_MB: Final = 1_024
"""Memory that the profiles and events of one pass may take, about."""
DAYS: Final = 30
NAMED: Final = 12
"""Characters of each hash in the name of a preview."""
NOTHING_IN_FORCE: Final = "0" * NAMED


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a preview."""

    days: int = DAYS
    """Length of the window; 0: no window."""
    one_in: int = 1
    """The sample: one subject in so many."""
    memory_mb: int = MEMORY_MB


@dataclass(frozen=True, slots=True)
class Preview:
    """What a catalogue would change."""

    hash: str
    """Names what was compared: catalogue in force, new catalogue, and all that was read."""
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
    question = Question(
        to=new,
        parts=counted,
        wanted=wanted_types([new, *counted.values()], await _known(servers)),
        from_ms=at_ms - wanted.days * MS_PER_DAY if wanted.days else None,
        t_ms=at_ms,
    )
    reading = _Reading(servers, question, wanted, on_offset)
    offsets = [
        await servers.log.offsets(deployment.events_topic, partition) for partition in range(deployment.partitions)
    ]
    found = Found()
    for partition, (_, end) in enumerate(offsets):
        await check_whole(servers, partition)
        found.add(await reading.partition(partition, end))
    return Preview(
        hash=name_of(None if old is None else old.hash, new.hash, [offsets, wanted.one_in, question.from_ms, at_ms]),
        before=old,
        after=new,
        at_ms=at_ms,
        from_ms=question.from_ms,
        one_in=wanted.one_in,
        offsets=tuple(offsets),
        differences=tuple(differences(old, new)),
        parts=tuple(parts),
        found=found,
        records=reading.records,
        passes=reading.passes,
        seconds=(SystemClock().now_ms() - began_ms) / 1000,
    )


def name_of(before: str | None, after: str, read: object) -> str:
    """Name a preview: the catalogue in force, the new one, and a digest of all that was compared."""
    digest = sha256(orjson.dumps([before, after, read])).hexdigest()
    return "-".join((NOTHING_IN_FORCE if before is None else before[:NAMED], after[:NAMED], digest[:NAMED]))


async def _known(servers: Servers) -> list[Catalogue]:
    """Return the catalogues that were ever in force, those that this version can load."""
    found: dict[bytes, Catalogue] = {}
    for stored in await servers.log.read_to_end(servers.deployment.catalogues_topic, 0):
        if stored.key is None or stored.value is None or stored.key in found:
            continue
        with suppress(OtherRules, CatalogueErrors, ValueError):
            found[stored.key] = load_catalogue_json(stored.value)
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
        found = Found()
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

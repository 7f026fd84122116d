"""`segue fill`: bring the history that conditions need from before their cut (docs/operations/changing-rules.md).

`segue.fills` says which cuts are not filled. They are filled oldest first, one partition after the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.engine.wanted import Wanted, wanted_history
from streams.clock import SystemClock
from streams.operations.filling.filler import Filled, Filler
from streams.operations.filling.pace import Pace, Reached
from streams.operations.filling.past import First, KafkaPast
from streams.operations.servers import Servers, compiled_anyhow
from streams.wire.fills import StoredFill, read_fills
from streams.wire.maker import RecordMaker
from streams.wire.progress import read_progress

APART_MS: Final = 10 * 60_000
"""The cuts of one apply have instants that are less apart: they are of one transaction. The past that a cut wants is
counted from so long before the cut in the first partition."""

OnShare: TypeAlias = Callable[[int, float], None]
"""Is called with (partition, share of its work done from 0 to 1)."""
OnWait: TypeAlias = Callable[[int, bool], None]
"""Is called with (partition, whether writing waits for its worker) when that changes."""


@dataclass(frozen=True, slots=True)
class FillOutcome:
    """What a fill did, in the order in which it did it."""

    filled: tuple[Filled, ...]
    seconds: float
    waited_seconds: float
    """How long writing waited for workers, of `seconds`."""

    def said(self) -> list[str]:
        """In one sentence, for people."""
        if not self.filled:
            return []
        profiles = sum(each.subjects for each in self.filled)
        events = sum(each.events for each in self.filled)
        return [f"Its history is filled in: {events:,} events of {profiles:,} profiles, in {self.seconds:.1f} s."]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "filled": [asdict(each) for each in self.filled],
            "seconds": round(self.seconds, 3),
            "waited_seconds": round(self.waited_seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class LogSince:
    """Since when the log can tell, over all partitions."""

    first_ms: int | None
    """The instant of its first record; None: it is empty."""
    dropped_ms: int | None
    """The instant from which on every partition is whole; None: none has dropped its beginning."""


async def log_since(servers: Servers) -> LogSince:
    """Ask since when the input can tell. Raises Unreachable."""
    topic = servers.deployment.events_topic
    async with servers.reading(topic) as (consumer, partitions):
        starts = await consumer.beginning_offsets(partitions)
        firsts = await consumer.offsets_for_times(dict.fromkeys(partitions, 0))
    found = {tp: each.timestamp for tp, each in firsts.items() if each is not None}
    dropped = [t_ms for tp, t_ms in found.items() if starts[tp] > 0]
    return LogSince(min(found.values(), default=None), max(dropped, default=None))


async def open_fills(servers: Servers, partition: int) -> list[StoredFill]:
    """Return the cuts of a partition whose history is not filled in, oldest first."""
    fills = read_fills(await servers.log.read_to_end(servers.deployment.fills_topic, partition))
    return [each for each in fills if not each.fill.filled]


async def fill(servers: Servers, on_share: OnShare = lambda *_: None, on_wait: OnWait = lambda *_: None) -> FillOutcome:
    """Fill in the history of every cut that has none yet; return what was done.

    Raises NoCatalogue, CatalogueUnusable, TopicMissing, WrongPartitionCount; Unreachable.
    """
    deployment, settings, clock = servers.deployment, servers.settings, SystemClock()
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic, deployment.fills_topic)
    in_force = await servers.catalogue()
    began_ms = clock.now_ms()

    async def reached(partition: int) -> Reached:
        _, end = await servers.log.offsets(deployment.events_topic, partition)
        last = await servers.log.last(deployment.progress_topic, partition)
        return Reached(end, 0 if last is None else read_progress(last.value).offset)

    pace = Pace(settings.fill_records_per_s_max, settings.fill_lag_records_max, reached, clock, on_wait)
    filler = Filler(
        servers.log,
        KafkaPast(servers),
        RecordMaker(deployment),
        deployment,
        pace,
        clock,
        settings.fill_memory_bytes_max,
        on_share,
    )
    wanted = _CutsWant(servers)
    work = [(p, each) for p in range(deployment.partitions) for each in await open_fills(servers, p)]
    await pace.begin(sorted({partition for partition, _ in work}))
    filled = []
    for partition in sorted({partition for partition, _ in work}):
        ends = CutsOfOneInstant(filler, partition)
        for stored in [each for number, each in work if number == partition]:
            cut = await filler.find(partition, stored)
            await ends.before(cut)
            if cut is None:
                filled.append(await filler.close(partition, stored))
                continue
            of_cut = await wanted.of(stored, cut.timestamp_ms)
            start, _ = await servers.log.offsets(deployment.events_topic, partition)
            # the first catalogue over an empty log wants nothing
            if of_cut and not (of_cut.everything and cut.offset == start):
                filled.append(await filler.fill(partition, stored, cut, of_cut, in_force.dictionary))
                await ends.add(stored, filled[-1])
            else:
                await filler.close(partition, stored)
        await ends.before(None)
    return FillOutcome(tuple(filled), (clock.now_ms() - began_ms) / 1_000, pace.waited_ms / 1_000)


class Ends(Protocol):
    """Says that cuts of one instant are filled: see `Filler.end`."""

    async def end(self, partition: int, written: Sequence[tuple[StoredFill, Filled]]) -> None: ...


class CutsOfOneInstant:
    """Ends the fills of one partition, cut after cut; those of one instant together.

    `segue.filled` names an instant. After the histories of the first of two cuts of that instant it would say that the
    other cut, whose history is still to come, is filled, too.
    """

    def __init__(self, filler: Ends, partition: int) -> None:
        self._filler = filler
        self._partition = partition
        self._written: list[tuple[StoredFill, Filled]] = []

    async def before(self, cut: First | None) -> None:
        """End the fills that are written, unless the cut that comes next may have their instant. None: none comes."""
        if self._written and (cut is None or cut.timestamp_ms > (self._written[-1][1].cut_ms or 0)):
            await self._end()

    async def add(self, stored: StoredFill, done: Filled) -> None:
        """Take a fill whose histories are written."""
        if self._written and self._written[-1][1].cut_ms != done.cut_ms:
            await self._end()
        self._written.append((stored, done))

    async def _end(self) -> None:
        written, self._written = self._written, []
        await self._filler.end(self._partition, written)


class _CutsWant:
    """Says what each cut wants of the past; remembers it, because a cut stands in every partition."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._known: dict[tuple[str | None, str], Wanted | None] = {}

    async def of(self, stored: StoredFill, cut_ms: int) -> Wanted | None:
        """Return what a cut wants, or a little more; None: its catalogue does not load here."""
        pair = stored.fill.before, stored.fill.catalogue
        if pair not in self._known:
            before = None if pair[0] is None else await self._compiled(pair[0])
            catalogue = await self._compiled(pair[1])
            t_ms = cut_ms - APART_MS
            self._known[pair] = None if catalogue is None else wanted_history(before, catalogue, t_ms)
        return self._known[pair]

    async def _compiled(self, digest: str) -> Catalogue | None:
        """Compile a stored catalogue, of any rules version; None where that cannot be done here."""
        data = await self._servers.log.find(self._servers.deployment.catalogues_topic, digest.encode())
        return None if data is None else compiled_anyhow(data)

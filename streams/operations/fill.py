"""`segue fill`: bring the history that conditions need from before their cut (docs/operations/changing-rules.md).

`segue.fills` says which cuts are not filled. Their histories are written oldest first, one partition after the other.
When all are written, and workers have taken them in, the fills are ended: a history that a link brings into another
partition is there by then (`streams.operations.filling.settling`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from rules.catalogue.catalogue import Catalogue
from rules.engine.wanted import Wanted, wanted_history
from rules.ground.words import count
from streams.clock import SystemClock
from streams.operations.filling.before_first import Early, read_early
from streams.operations.filling.filler import Filled, Filler
from streams.operations.filling.pace import Pace, Reached
from streams.operations.filling.past import First, KafkaPast
from streams.operations.filling.settling import Settling
from streams.operations.filling.waits import OnWait, untold
from streams.operations.owners import owner_of
from streams.operations.servers import Servers, compiled_anyhow
from streams.wire.fills import StoredFill, read_fills
from streams.wire.maker import RecordMaker
from streams.wire.progress import read_progress

APART_MS: Final = 10 * 60_000
"""The cuts of one apply have instants that are less apart: they are of one transaction. The past that a cut wants is
counted from so long before the cut in the first partition."""

OnShare: TypeAlias = Callable[[int, float], None]
"""Is called with (partition, share of its work done from 0 to 1)."""


@dataclass(frozen=True, slots=True)
class FillOutcome:
    """What a fill did, in the order in which it did it."""

    filled: tuple[Filled, ...]
    seconds: float
    waited_seconds: float
    """How long it waited for workers, of `seconds`."""
    not_waited_for: tuple[int, ...] = ()
    """The partitions whose worker had not taken the histories in when the fill was ended."""

    links_before: int = 0
    """Subjects that stand for another by links from before the first catalogue, which were told again."""
    spared: tuple[str, ...] = ()
    """Subjects whose erasure came before the first catalogue and was not told again: it would erase others, too."""

    def said(self) -> list[str]:
        """In a few sentences, for people."""
        if not self.filled:
            return []
        profiles = sum(each.subjects for each in self.filled)
        events = sum(each.events for each in self.filled)
        said = f"{count(events, 'event')} of {count(profiles, 'profile')}"
        return [f"Its history is filled in: {said}, in {self.seconds:.1f} s.", *self.said_besides()]

    def said_besides(self) -> list[str]:
        """Say which links came with it, whom to erase, and which partitions were not waited for."""
        return [*self._said_of_links(), *self._said_of_spared(), *self._said_of_waiting()]

    def _said_of_links(self) -> list[str]:
        if not self.links_before:
            return []
        subjects = "1 subject stands" if self.links_before == 1 else f"{self.links_before:,} subjects stand"
        return [f"{subjects} for another by links from before the first catalogue."]

    def _said_of_spared(self) -> list[str]:
        if not self.spared:
            return []
        return [
            f"Erased before the first catalogue, and linked since with somebody who was not: {', '.join(self.spared)}."
            " These erasures were not told again: they would erase both. Take wrong links back, then use `segue erase`."
        ]

    def _said_of_waiting(self) -> list[str]:
        if not self.not_waited_for:
            return []
        partitions = ", ".join(map(str, self.not_waited_for))
        several = len(self.not_waited_for) > 1
        return [
            f"No worker took it in meanwhile in {'partitions' if several else 'partition'} {partitions}. A person with"
            " several subjects may be judged before all of it is there; the person is judged again when it is."
        ]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "filled": [asdict(each) for each in self.filled],
            "seconds": round(self.seconds, 3),
            "waited_seconds": round(self.waited_seconds, 3),
            "not_waited_for": list(self.not_waited_for),
            "links_before": self.links_before,
            "spared": list(self.spared),
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


async def fill(servers: Servers, on_share: OnShare = lambda *_: None, on_wait: OnWait = untold) -> FillOutcome:
    """Fill in the history of every cut that has none yet; return what was done.

    Raises NoCatalogue, CatalogueUnusable, TopicMissing, WrongPartitionCount; Unreachable.
    """
    deployment, settings, clock = servers.deployment, servers.settings, SystemClock()
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic, deployment.fills_topic)
    in_force = await servers.catalogue()
    began_ms = clock.now_ms()

    async def published(partition: int) -> int:
        last = await servers.log.last(deployment.progress_topic, partition)
        return 0 if last is None else read_progress(last.value).offset

    async def reached(partition: int) -> Reached:
        _, end = await servers.log.offsets(deployment.events_topic, partition)
        return Reached(end, await published(partition))

    async def end(partition: int) -> int:
        # the end of the log lies behind the markers of transactions, which nobody publishes anything up to
        last = await servers.log.last(deployment.events_topic, partition)
        return 0 if last is None else last.offset + 1

    async def claimed(partition: int) -> bool:
        claims = await servers.log.read_to_end(deployment.owners_topic, partition)
        return owner_of(claims, -1, 0) is not None

    past = KafkaPast(servers)
    pace = Pace(settings.fill_records_per_s_max, settings.fill_lag_records_max, reached, clock, on_wait)
    settling = Settling(deployment.partitions, end, published, claimed, past, clock, on_wait)
    filler = Filler(
        servers.log,
        past,
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
    done: list[Filled] = []
    written: list[Written] = []
    wanting: list[_Wanting] = []
    for partition, stored in work:
        cut = await filler.find(partition, stored)
        if cut is None:
            done.append(await filler.close(partition, stored))
            continue
        of_cut = await wanted.of(stored, cut.timestamp_ms)
        start, _ = await servers.log.offsets(deployment.events_topic, partition)
        if of_cut:
            wanting.append(_Wanting(partition, stored, cut, of_cut, of_cut.everything and cut.offset == start))
        else:
            await filler.close(partition, stored)
    early, old = Early(), any(each.of_cut.everything and not each.empty for each in wanting)
    if old:
        ends = {each: await end(each) for each in range(deployment.partitions)}
        firsts = {each: await _first_cut(servers, filler, each) for each in ends}
        policy = in_force.policy
        early = await read_early(past, firsts, ends, in_force.dictionary, begins_anew=policy.begins_anew)
        await filler.tell(early.erasures(deployment.events_topic, deployment.partitions))
        await filler.tell(early.link_events(deployment.events_topic, deployment.partitions))
    for each in wanting:
        if each.empty and not old:  # else links may bring something of the past from elsewhere
            await filler.close(each.partition, each.stored)
            continue
        takes = early.takes if each.of_cut.everything else Early().takes
        done.append(await filler.fill(each.partition, each.stored, each.cut, each.of_cut, in_force.dictionary, takes))
        written.append((each.stored, done[-1]))
    if any(each.histories for each in done):
        await settling.settle()
    for cuts in of_one_instant(written):
        await filler.end(cuts[0][1].partition, cuts)
    return FillOutcome(
        tuple(done),
        (clock.now_ms() - began_ms) / 1_000,
        (pace.waited_ms + settling.waited_ms) / 1_000,
        tuple(sorted(settling.left_out)),
        early.aliases,
        tuple(sorted(early.spared)),
    )


class _Wanting(NamedTuple):
    """A cut in one partition that wants something of the past."""

    partition: int
    stored: StoredFill
    cut: First
    of_cut: Wanted
    empty: bool
    """Whether it is the first, and nothing came before it."""


async def _first_cut(servers: Servers, filler: Filler, partition: int) -> tuple[int, int]:
    """Return where the log of a partition begins, and where its first cut stands."""
    start, _ = await servers.log.offsets(servers.deployment.events_topic, partition)
    fills = read_fills(await servers.log.read_to_end(servers.deployment.fills_topic, partition))
    for each in fills:
        cut = await filler.find(partition, each) if each.fill.before is None else None
        if cut is not None:
            return start, cut.offset
    return start, start


Written: TypeAlias = tuple[StoredFill, Filled]
"""A cut in one partition, and what was written for it."""


def of_one_instant(written: Sequence[Written]) -> Iterator[list[Written]]:
    """Group cuts, in their order in each partition, by their instant: those of one instant are ended together.

    `segue.filled` names an instant, so it speaks of all of them.
    """
    group: list[Written] = []
    for each in written:
        if group and (group[-1][1].partition, group[-1][1].cut_ms) != (each[1].partition, each[1].cut_ms):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


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

"""Filling in the history of one cut in one partition.

(1) Read the log from its first record up to the cut, and keep the events that the cut wants, of one range of subjects.
    A crash leaves nothing.
(2) Append `segue.history` records for these subjects, and await every delivery. A crash leaves histories without an
    end: until (4) they decide nothing, and the next filler writes them again, which changes nothing.
(3) Repeat (1) and (2) for the next range, until every subject had its turn. So for every cut and every partition; then
    wait until workers have taken all of it in (`streams.operations.filling.settling`).
(4) Append `segue.filled`. It names an instant, so it comes after the histories of all cuts of that instant (`end`). A
    crash leaves the record in `segue.fills` as it was: the next filler fills the cut again.
(5) Append to `segue.fills` that the cut is filled.

No transaction is used, because an open one would hold up the workers. `segue.filled` comes after every history of the
same filler, so two fillers at once do no harm: the first one that says `filled` has written everything.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

import orjson

from rules.engine.record import CATALOGUE_TYPE
from rules.engine.wanted import Wanted
from rules.language.dictionary import Dictionary
from streams.clock import Clock
from streams.errors import NotReachable
from streams.log.terms import Log
from streams.operations.filling.gathered import HASHES, Gathered
from streams.operations.filling.histories import RECORD_BYTES_MAX, histories
from streams.operations.filling.pace import Pace
from streams.operations.filling.past import First, Past
from streams.operations.filling.selection import Selection, Takes
from streams.records import Fetched, OutRecord
from streams.retry import Patience, until_answered
from streams.settings import Deployment
from streams.wire.fills import UNKNOWN, Fill, StoredFill, fill_record
from streams.wire.maker import RecordMaker

TELL_MS: Final = 1_000
"""How often a filler writes how far it has come."""
PATIENCE_MS: Final = 60_000
"""How long a filler asks again while Kafka is away: a broker restarts in less."""
GROUP_BYTES_MAX: Final = 4 << 20
"""The size of the records that are on their way together."""
COUNTED_BYTES: Final = 512
"""Of each so many bytes a history counts as one more record against the pace: what takes a worker time is the events in
it."""
SEARCH_MS: Final = 60_000
"""Where the offset of a cut is not known, the search begins so long before the record in `segue.fills` about it. Both
are of one transaction, but brokers' clocks may differ."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling one cut of one partition came to."""

    partition: int
    catalogue: str
    """Hash of the catalogue that the cut put into force."""
    cut_ms: int | None
    """The instant of the cut; None: the log has dropped the cut, and nothing was written."""
    since_ms: int | None = None
    """The instant from which on the log was whole; None: it was whole from its first record."""
    read: int = 0
    """Records read, over all passes."""
    passes: int = 0
    subjects: int = 0
    histories: int = 0
    """Records written."""
    events: int = 0
    bytes_peak: int = 0
    """The most that the events took in memory, about."""


@dataclass(slots=True)
class _Work:
    """One cut of one partition under way."""

    stored: StoredFill
    partition: int
    offset: int
    wanted: Wanted
    selection: Selection
    done: Filled
    told_ms: float = 0.0
    share: float = 0.0


class Filler:
    """Fills in histories, one cut of one partition after the other."""

    def __init__(
        self,
        log: Log,
        past: Past,
        wire: RecordMaker,
        deployment: Deployment,
        pace: Pace,
        clock: Clock,
        memory_bytes_max: int,
        on_share: Callable[[int, float], None] = lambda *_: None,
        record_bytes_max: int = RECORD_BYTES_MAX,
    ) -> None:
        """`on_share` is told (partition, share of the work done from 0 to 1)."""
        self._log = log
        self._past = past
        self._wire = wire
        self._deployment = deployment
        self._pace = pace
        self._clock = clock
        self._memory_bytes_max = memory_bytes_max
        self._on_share = on_share
        self._record_bytes_max = record_bytes_max

    async def tell(self, records: Iterable[OutRecord]) -> None:
        """Append events that are told again; all of them are in the log afterwards. Raises NotReachable."""
        waiting = iter(records)
        while group := [*islice(waiting, self._pace.group)]:
            for partition, count in Counter(record.partition for record in group).items():
                await self._pace.turn(partition, count)
            await self._append(group)

    async def fill(
        self,
        partition: int,
        stored: StoredFill,
        cut: First,
        wanted: Wanted,
        dictionary: Dictionary,
        takes: Takes = lambda *_: True,
    ) -> Filled:
        """Write what a cut wants of the past, by the dictionary in force: (1) to (3); `end` does the rest.

        `takes`: whether an event is wanted of a subject that may have been erased. Raises NotReachable, Unreachable.
        """
        deployment = self._deployment
        selection = Selection(wanted, dictionary, partition, deployment.partitions, takes)
        work = _Work(stored, partition, cut.offset, wanted, selection, Filled(partition, stored.fill.catalogue, None))
        low, width = 0, HASHES
        while low < HASHES:
            gathered = Gathered(low, min(HASHES, low + width), self._memory_bytes_max)
            await self._read(work, gathered)
            await self._write(work, gathered)
            width = max(1, gathered.high - low)
            if 4 * gathered.bytes < self._memory_bytes_max:
                width *= 2
            low = gathered.high
        return work.done

    async def end(self, partition: int, written: Sequence[tuple[StoredFill, Filled]]) -> None:
        """Say that cuts of one instant are filled: (4) and (5). All that the cuts of that instant want is written."""
        cut_ms = written[0][1].cut_ms
        assert cut_ms is not None
        since = [done.since_ms for _, done in written if done.since_ms is not None]
        await self._append([self._wire.filled(partition, cut_ms, max(since, default=None))])
        for stored, done in written:
            await self._tell_end(partition, stored, done)

    async def find(self, partition: int, stored: StoredFill) -> First | None:
        """Find the record of a cut; None: the log does not have it any more."""
        topic = self._deployment.events_topic
        if stored.fill.offset != UNKNOWN:
            record = await self._log.record_at(topic, partition, stored.fill.offset)
            return None if record is None else First(record.offset, record.timestamp_ms)
        start, end = await self._log.offsets(topic, partition)
        near = await self._past.first(partition, stored.at_ms - SEARCH_MS)
        for position in dict.fromkeys([start if near is None else max(start, near.offset), start]):
            async for stretch in self._past.read(partition, position, end):
                for fetched in stretch.records:
                    if _is_cut(fetched, stored.cut):
                        return First(fetched.offset, fetched.timestamp)
        return None

    async def close(self, partition: int, stored: StoredFill) -> Filled:
        """Note that a cut wants nothing of the past, or that the past is gone; return what that came to."""
        nothing = Filled(partition, stored.fill.catalogue, None)
        await self._tell_end(partition, stored, nothing)
        return nothing

    async def _read(self, work: _Work, gathered: Gathered) -> None:
        """Read up to the cut; see (1)."""
        partition, wanted = work.partition, work.wanted
        start, since_ms = await self._beginning(partition)
        first = None if wanted.records_from_ms < 0 else await self._past.first(partition, wanted.records_from_ms + 1)
        start = start if first is None else min(max(start, first.offset), work.offset)
        r_ms = -1
        read = 0
        jumped = False
        async for stretch in self._past.read(partition, start, work.offset + 1):
            jumped = jumped or stretch.jumped
            for record in stretch.records:
                r_ms = max(r_ms, record.timestamp)
                if jumped:
                    since_ms, jumped = r_ms, False
                if record.key is not None and gathered.takes(record.key):
                    text = work.selection.text_of(record, r_ms)
                    if text is not None and not gathered.add(record.key, text):
                        await self._overflow(work, gathered)
            read += len(stretch.records)
            await self._tell(work, gathered, (stretch.position - start) / (work.offset + 1 - start) / 2)
        known = [each for each in (work.done.since_ms, since_ms) if each is not None]
        work.done = replace(
            work.done,
            cut_ms=r_ms,
            since_ms=max(known, default=None),
            read=work.done.read + read,
            passes=work.done.passes + 1,
            bytes_peak=max(work.done.bytes_peak, gathered.bytes_peak),
        )

    async def _beginning(self, partition: int) -> tuple[int, int | None]:
        """Return where the log begins, and the instant from which on it is whole; None: it is whole."""
        start, _ = await self._log.offsets(self._deployment.events_topic, partition)
        first = await self._past.first(partition, 0) if start > 0 else None
        return start, None if first is None else first.timestamp_ms

    async def _overflow(self, work: _Work, gathered: Gathered) -> None:
        """Make room where one hash alone has more events than the limit.

        Once the instant of the cut is known, what is there can be written. Until then the range takes nothing more: the
        pass finds the instant, and the next one begins with the same hash.
        """
        if work.done.cut_ms is not None:
            await self._write(work, gathered)
        else:
            gathered.high = gathered.low
        gathered.clear()

    async def _write(self, work: _Work, gathered: Gathered) -> None:
        """Append the histories of the subjects gathered; see (2)."""
        written = 0
        for records, counted in self._groups(work, gathered):
            await self._pace.turn(work.partition, counted)
            await self._append(records)
            written += len(records)
            await self._tell(work, gathered, 0.5 + min(1.0, written / max(1, len(gathered.texts))) / 2)
        work.done = replace(
            work.done,
            subjects=work.done.subjects + len(gathered.texts),
            histories=work.done.histories + written,
            events=work.done.events + gathered.events,
        )

    def _groups(self, work: _Work, gathered: Gathered) -> Iterator[tuple[list[OutRecord], int]]:
        """Walk the records in groups to be written together, each with how much it counts against the pace."""
        assert work.done.cut_ms is not None or not gathered.texts
        group: list[OutRecord] = []
        counted = 0
        for key, texts in gathered.texts.items():
            for record in histories(
                self._wire,
                work.partition,
                work.done.cut_ms or 0,
                key,
                texts,
                work.wanted.traits,
                self._record_bytes_max,
            ):
                group.append(record)
                counted += 1 + len(record.value or b"") // COUNTED_BYTES
                if counted >= min(self._pace.group, GROUP_BYTES_MAX // COUNTED_BYTES):
                    yield group, counted
                    group, counted = [], 0
        if group:
            yield group, counted

    async def _append(self, records: Sequence[OutRecord]) -> None:
        patience = Patience(self._clock, until_ms=self._clock.now_ms() + PATIENCE_MS)
        await asyncio.gather(
            *(until_answered(partial(self._log.append, each), NotReachable, patience) for each in records)
        )

    async def _tell(self, work: _Work, gathered: Gathered, share: float) -> None:
        """Say how far the work has come. `share`: of the range at hand."""
        done = (gathered.low + (gathered.high - gathered.low) * share) / HASHES
        work.share = max(work.share, min(0.99, done))
        self._on_share(work.partition, work.share)
        now_ms = self._clock.now_ms()
        if now_ms - work.told_ms >= TELL_MS:
            work.told_ms = now_ms
            fill = replace(work.stored.fill, offset=work.offset, share=round(work.share, 3))
            await self._append([self._record(work.partition, work.stored.cut, fill)])

    async def _tell_end(self, partition: int, stored: StoredFill, done: Filled) -> None:
        self._on_share(partition, 1.0)
        cut_ms = UNKNOWN if done.cut_ms is None else done.cut_ms
        fill = replace(stored.fill, share=1.0, filled=True, cut_ms=cut_ms, since_ms=done.since_ms)
        await self._append([self._record(partition, stored.cut, fill)])

    def _record(self, partition: int, cut: str, fill: Fill) -> OutRecord:
        return fill_record(self._deployment.fills_topic, partition, cut, fill)


def _is_cut(record: Fetched, cut: str) -> bool:
    """Tell whether a record is the cut with that id."""
    value = record.value
    if value is None or cut.encode() not in value:
        return False
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and found.get("id") == cut and found.get("type") == CATALOGUE_TYPE

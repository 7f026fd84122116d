"""The engine over a file: one partition, no servers (docs/language.md, Replay)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.pilots import with_before
from rules.engine.change import AnyChange
from rules.engine.decode import Own, decode
from rules.engine.event_time import record_time
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.past import FILLED_TYPE, HISTORY_TYPE
from rules.engine.persons.effects import EFFECT_TYPES
from rules.engine.record import CATALOGUE_TYPE, EMPTY_DICTIONARY, Decoded, Record
from rules.engine.refusal import Refusal
from rules.engine.seen import Seen
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.dictionary import Dictionary

GENERATION: Final = "g1"
_LIVE: Final = EFFECT_TYPES | {HISTORY_TYPE, FILLED_TYPE}
"""The types of Segue's own records that say to a live replay what they say to a worker."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A line that was refused: its number (1-based, empty lines counted) and its code."""

    line: int
    code: str


@dataclass(frozen=True, slots=True)
class Then:
    """A cut at t_ms to another catalogue, before the first line whose R is not before it."""

    t_ms: int
    catalogue: Catalogue


def decode_line(record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
    """Decode a structured CloudEvent of a file, which has no key and no partition to check.

    A record of Segue's own says nothing here: the cuts of a replay are those that it was asked for, and its history is
    at hand.
    """
    decoded = decode_live_line(record, dictionary, r_ms)
    return Own(decoded.type, None) if isinstance(decoded, Own) else decoded


def decode_live_line(record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
    """As `decode_line`, but records of history and effects say what they say to a worker.

    Not before the first line with a time, though: nothing has an instant there, and a change would need one.
    """
    decoded = decode(record.value, (), dictionary, r_ms)
    if isinstance(decoded, Own):
        return decoded if decoded.type in _LIVE and r_ms != BEGINNING_MS else Own(decoded.type, None)
    if record.timestamp_ms is None and (isinstance(decoded, Event) or _comes_after_bad_time(decoded)):
        return Refusal("bad_time")  # a recordedtime that cannot be read
    return decoded


def _comes_after_bad_time(decoded: Own | Refusal) -> bool:
    return isinstance(decoded, Refusal) and decoded.code in ("ahead", "wrong_type", "bad_number", "bad_link")


class Replay:
    """A replay under way; `partition` may be asked about afterwards (explain, sizes)."""

    def __init__(self, catalogue: Catalogue, then: Sequence[Then] = (), *, as_live: bool = False) -> None:
        """Start under a catalogue; `then` in order of time. With `as_live` new conditions are pending at a cut.

        A pilot among `then` gets the version before it from the catalogue in force by then, as an apply gives it.
        Raises CatalogueErrors: such a version does not load in the new catalogue.
        """
        self._history: defaultdict[str, list[Seen]] = defaultdict(list)
        self._as_live = as_live
        self._then = _with_before(catalogue, then)
        self._lines = 0
        """How many lines were read, empty ones too."""
        self.partition = Partition(
            GENERATION,
            decode_live_line if as_live else decode_line,
            history=None if as_live else self._past,
        )
        whole(self.partition.cut(catalogue, self.partition.clock_ms))
        self._first = catalogue.hash if as_live else ""
        """The first catalogue, until the line of its record was read; "": it was, or no record says anything."""

    def run(self, lines: Iterable[bytes], until_ms: int | None = None) -> Iterator[AnyChange | RefusedLine]:
        """Apply the lines up to `until_ms`, then fire every wake up to it (without: up to the last line's R).

        A cut comes before the first line whose R is not before it; but where a line of the same instant is the
        `segue.catalogue` record of that very catalogue (in a file of `segue dump`), there. With `as_live` such a line
        counts whatever catalogue it names: a dump leaves a plain assignment key out of the folders that it writes, and
        then they have another hash. Another run goes on with further lines, whose numbers go on too.
        """
        partition = self.partition
        waiting: list[Record] = []
        read = False
        r_ms = partition.clock_ms  # lines that wait have moved the clock, though the partition does not know it yet
        for line in lines:
            self._lines += 1
            text = line.strip(b" \t\r\n")
            if not text:
                continue
            record = Record(self._lines, record_time(text), None, text)
            at_ms = max(r_ms, partition.instant_of(record.timestamp_ms))
            if until_ms is not None and at_ms > until_ms:
                break
            read, r_ms = True, at_ms
            while self._then and self._then[0].t_ms < r_ms:
                yield from self._cuts(self._then[0].t_ms)
                yield from self._apply_all(waiting)
            if self._then and self._then[0].t_ms == r_ms:
                if not self._cuts_at(text, self._then[0].catalogue.hash):
                    waiting.append(record)
                    continue
                yield from self._apply_all(waiting)
                yield from self._cut()
                yield from self._apply(record, cuts=True)
                continue
            yield from self._apply(record)
        if waiting:
            yield from self._cuts(r_ms)
            yield from self._apply_all(waiting)
        if until_ms is not None:
            yield from self._cuts(until_ms)
        if read or until_ms is not None:
            end_ms = until_ms if until_ms is not None else partition.clock_ms
            yield from changes_of(whole(partition.pass_time(end_ms + 1)).items)

    def _apply_all(self, waiting: list[Record]) -> Iterator[AnyChange | RefusedLine]:
        for record in waiting:
            yield from self._apply(record)
        waiting.clear()

    def _apply(self, record: Record, *, cuts: bool = False) -> Iterator[AnyChange | RefusedLine]:
        applied = whole(self.partition.feed(record))
        if self._first and not cuts and self.partition.clock_ms != BEGINNING_MS and _names(record.value or b"", ""):
            self.partition.name_first_cut()
            self._first = ""
        yield from applied.changes
        if applied.refusal is not None:
            yield RefusedLine(record.offset, applied.refusal.code)

    def _cuts(self, r_ms: int) -> Iterator[AnyChange]:
        while self._then and self._then[0].t_ms <= r_ms:
            yield from self._cut()

    def _cut(self) -> list[AnyChange]:
        then = self._then.pop(0)
        return changes_of(whole(self.partition.cut(then.catalogue, then.t_ms)).items)

    def _cuts_at(self, line: bytes, digest: str) -> bool:
        """Tell whether a line of the instant of a cut is the record of the cut."""
        return _names(line, digest) or (self._as_live and not self._first and _names(line, ""))

    def _past(self, subject: str) -> list[Seen]:
        return self._history[subject]


def _with_before(catalogue: Catalogue, then: Iterable[Then]) -> list[Then]:
    found = []
    for each in then:
        catalogue = with_before(each.catalogue, catalogue)
        found.append(Then(each.t_ms, catalogue))
    return found


def _names(line: bytes, digest: str) -> bool:
    """Tell whether a line is the record that puts a catalogue into force. `digest`: its hash; "": of whatever one."""
    if CATALOGUE_TYPE.encode() not in line or digest.encode() not in line:
        return False
    decoded = decode(line, (), EMPTY_DICTIONARY, FOREVER)
    return isinstance(decoded, Own) and decoded.type == CATALOGUE_TYPE


def replay(
    catalogue: Catalogue,
    lines: Iterable[bytes],
    *,
    until_ms: int | None = None,
    then: Sequence[Then] = (),
    as_live: bool = False,
) -> tuple[list[bytes], list[RefusedLine]]:
    """Replay lines; returns the changes' bytes in order, and the refused lines."""
    changes: list[bytes] = []
    refused: list[RefusedLine] = []
    for each in Replay(catalogue, then, as_live=as_live).run(lines, until_ms):
        if isinstance(each, RefusedLine):
            refused.append(each)
        else:
            changes.append(each.value)
    return changes, refused

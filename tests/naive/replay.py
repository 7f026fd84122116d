"""Records to changes: docs/language.md, and docs/protocol.md for the order.

`lives.py` takes every profile through the records and returns its happenings, each at an instant. Then `merge` puts the
happenings of all profiles into the one canonical order.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.naive.candidates import instants
from tests.naive.decode import Event, Own, Refused, event_of, parse
from tests.naive.fillings import Filled, Fillings, History, read_own
from tests.naive.happenings import Happening, Record
from tests.naive.lives import Lives
from tests.naive.pending import Era
from tests.naive.pilots import completed
from tests.naive.profile import Profile
from tests.naive.reading import Catalogue

WAKES_MAX = 1000
"""A record passes at most so many publishing wakes of other profiles."""


@dataclass(frozen=True)
class Cut:
    """A catalogue that takes effect at an instant."""

    at: int
    catalogue: Catalogue


@dataclass
class Replayed:
    """The result of a replay: the changes as JSON, and the refused lines as (number, code)."""

    changes: list[bytes]
    refusals: list[tuple[int, str]]


@dataclass
class File:
    """The records of a file, its refusals, and its end."""

    records: list[Record] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)
    end: int | None = None


def replay(
    catalogue: Catalogue,
    lines: Sequence[bytes],
    until: int | None = None,
    then: Sequence[Cut] = (),
    as_live: bool = False,
    walk: bool = False,
) -> Replayed:
    """Replay lines as `segue replay` does. `walk`: evaluate every millisecond instead of chosen instants."""
    first = Era(catalogue, None, (), remembering=True)
    file = read(first, lines, until, then, as_live)
    if file.end is None:
        return Replayed([], file.refusals)
    lives = Lives(first, every_millisecond if walk else instants, linking=not as_live)
    happenings = lives.run(file.records, file.end)
    changes = [change for part in merge(happenings, file.records, file.end) for change in part]
    erased = [(file.records[index].line, "erased") for index in lives.refused]
    return Replayed(changes, sorted(file.refusals + erased))


def read(first: Era, lines: Sequence[bytes], until: int | None, then: Sequence[Cut], as_live: bool) -> File:
    """Read the lines as records. Each cut comes before the first line at its instant or later."""
    file, era, clock, cuts = File(), first, None, list(then)
    fillings = Fillings()
    for number, raw in enumerate(lines, 1):
        raw = raw.rstrip(b"\r\n")
        if not raw.strip(b" \t\r\n"):
            continue
        line = parse(raw)
        if line.timestamp is not None:
            at = line.timestamp if clock is None else max(clock, line.timestamp)
            if until is not None and at > until:
                break
            while cuts and cuts[0].at <= at:
                era = cut(file, era, cuts.pop(0), as_live)
            clock = at
        event: Event | None = None
        filling: History | Filled | None = None
        try:
            event = event_of(raw, line, era.catalogue, 0 if clock is None else clock)
        except Refused as refused:
            file.refusals.append((number, str(refused)))
        except Own:
            filling = read_own(line.value, era, fillings, clock) if as_live else None
        if clock is None:
            continue
        file.records.append(Record(clock, event, filling=filling, line=number))
    while cuts and until is not None and cuts[0].at <= until:
        era = cut(file, era, cuts.pop(0), as_live)
    file.end = until if until is not None else clock
    return file


def cut(file: File, era: Era, made: Cut, as_live: bool) -> Era:
    """Insert a cut among the records. Returns the era that it begins."""
    began = Era(completed(made.catalogue, era.catalogue), made.at, (*era.before, era), remembering=not as_live)
    file.records.append(Record(made.at, era=began))
    return began


def every_millisecond(profile: Profile, era: Era, after: int, before: int) -> Sequence[int]:
    """List every millisecond between two instants."""
    return range(after + 1, before)


def merge(lives: dict[str, list[Happening]], records: Sequence[Record], end: int) -> list[list[bytes]]:
    """Put all happenings into the canonical order: before each record the wakes that it passes, then its changes.

    Returns the changes that each record brought, and behind them those of the end.
    """
    parts: list[list[bytes]] = []
    queues = {subject: list(reversed(happenings)) for subject, happenings in lives.items()}

    def due(before: int, read: int) -> list[tuple[int, str]]:
        return [
            (queue[-1].at, subject)
            for subject, queue in queues.items()
            if queue and queue[-1].record is None and queue[-1].at < before and queue[-1].after < read
        ]

    caused: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for subject, happenings in lives.items():
        for happening in happenings:
            if happening.record is not None:
                caused[happening.record].append((happening.step, subject))
    for index, record in enumerate(records):
        effects = sorted(caused[index])
        own = effects[0][1] if effects else None
        changes: list[bytes] = []
        left = WAKES_MAX
        while left and (waiting := due(record.at, index)):
            _, subject = min(waiting)
            changes += queues[subject].pop().changes
            left -= subject != own
        for _, subject in effects:
            while queues[subject][-1].record != index:
                changes += queues[subject].pop().changes
            changes += queues[subject].pop().changes
        parts.append(changes)
    last: list[bytes] = []
    while waiting := due(end + 1, len(records)):
        last += queues[min(waiting)[1]].pop().changes
    return [*parts, last]

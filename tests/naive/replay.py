"""Records to changes: docs/language.md, and docs/protocol.md for the order.

Profiles do not affect each other, so `live` handles each one alone and returns its happenings, each at an instant.
Then `merge` puts the happenings of all profiles into the one canonical order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.naive.candidates import instants
from tests.naive.decode import Event, Own, Refused, event_of, parse
from tests.naive.evaluation import evaluate
from tests.naive.fillings import Filled, Fillings, History, read_own
from tests.naive.pending import Era
from tests.naive.pilots import completed, governed
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


@dataclass(frozen=True)
class Record:
    """One record at its instant: an event, the cut into an era, a part of a filling, or nothing (a redelivery)."""

    at: int
    event: Event | None = None
    era: Era | None = None
    filling: History | Filled | None = None

    @property
    def subject(self) -> str | None:
        """The subject of the profile that the record touches, if that is known."""
        if self.event is not None:
            return self.event.subject
        return self.filling.subject if isinstance(self.filling, History) else None


@dataclass(frozen=True)
class Happening:
    """A visit, or changes of a profile at an instant. `record`: the record that caused it directly."""

    at: int
    changes: list[bytes]
    record: int | None
    after: int
    """It cannot come before this record was read."""


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
    subjects = {record.event.subject for record in file.records if record.event}
    when = every_millisecond if walk else instants
    lives = {subject: list(live(subject, first, file.records, file.end, when)) for subject in subjects}
    changes = [change for part in merge(lives, file.records, file.end) for change in part]
    return Replayed(changes, file.refusals)


def read(first: Era, lines: Sequence[bytes], until: int | None, then: Sequence[Cut], as_live: bool) -> File:
    """Read the lines as records. Each cut comes before the first line at its instant or later."""
    file, era, clock, cuts = File(), first, None, list(then)
    fillings = Fillings()
    seen: set[tuple[str, tuple[int, str, str]]] = set()
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
        if event is not None and (event.subject, event.identity) in seen:
            event = None
        if event is not None:
            seen.add((event.subject, event.identity))
        file.records.append(Record(clock, event, filling=filling))
    while cuts and until is not None and cuts[0].at <= until:
        era = cut(file, era, cuts.pop(0), as_live)
    file.end = until if until is not None else clock
    return file


def cut(file: File, era: Era, made: Cut, as_live: bool) -> Era:
    """Insert a cut among the records. Returns the era that it begins."""
    began = Era(completed(made.catalogue, era.catalogue), made.at, (*era.before, era), remembering=not as_live)
    file.records.append(Record(made.at, era=began))
    return began


Instants = Callable[[Profile, Era, int, int], Sequence[int]]


def every_millisecond(profile: Profile, era: Era, after: int, before: int) -> Sequence[int]:
    """List every millisecond between two instants."""
    return range(after + 1, before)


def live(subject: str, era: Era, records: Sequence[Record], end: int, when: Instants) -> Iterator[Happening]:
    """Take one profile through its records, with every wake between them."""
    profile: Profile | None = None
    filled: dict[int, int | None] = {}
    after = -1
    for index, record in enumerate(records):
        own, visited = record.subject == subject, record.era is not None or isinstance(record.filling, Filled)
        if profile is not None and (own or visited):
            yield from wakes(profile, era, record.at, after, when)
        era = record.era or era
        if isinstance(record.filling, Filled):
            filled[record.filling.cut] = record.filling.since
        if own and record.event is not None:
            profile = profile or Profile(subject, era.ordinal, record.at, filled)
            profile.learn(record.event, era.ordinal)
            yield Happening(record.at, evaluate(profile, era, record.at, record.event), index, index)
        elif profile is None:
            continue
        elif visited:
            changes = evaluate(profile, era, record.at, visit="filled" if record.era is None else "cut")
            yield Happening(record.at, changes, None, index)
        elif own and isinstance(record.filling, History):
            profile.recall(record.filling.cut, record.filling.events)
            profile.cursor = max(profile.cursor, record.at - 1)
            yield Happening(record.at, [], index, index)
        else:
            continue
        after = index
    if profile is not None:
        yield from wakes(profile, era, end + 1, after, when)


def wakes(profile: Profile, era: Era, before: int, after: int, when: Instants) -> Iterator[Happening]:
    """Evaluate a profile at each candidate instant after its last evaluation and before an instant."""
    quiet = False
    while not quiet:
        quiet = True
        for at in when(profile, governed(profile, era, profile.cursor), profile.cursor, before):
            changes = evaluate(profile, era, at)
            if changes:
                yield Happening(at, changes, None, after)
                quiet = False  # this change may have altered the next flip
                break


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

    for index, record in enumerate(records):
        own = record.subject
        changes: list[bytes] = []
        left = WAKES_MAX
        while left and (waiting := due(record.at, index)):
            _, subject = min(waiting)
            changes += queues[subject].pop().changes
            left -= subject != own
        if own is not None and any(happening.record == index for happening in queues.get(own, [])):
            while queues[own][-1].record != index:
                changes += queues[own].pop().changes
            changes += queues[own].pop().changes
        parts.append(changes)
    last: list[bytes] = []
    while waiting := due(end + 1, len(records)):
        last += queues[min(waiting)[1]].pop().changes
    return [*parts, last]

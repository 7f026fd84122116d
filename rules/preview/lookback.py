"""One partition's records, applied beside the live system for some subjects, and branched twice.

At the window's beginning the profiles are copied and cut to the new catalogue; from there on the copies take in the
same records. At the end they are copied and cut again, part by part of the change. Only the profiles and the events of
the range are in memory. A record of another subject only moves the clock.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.decode import Own
from rules.engine.outcome import Applied, Need, changes_of, whole
from rules.engine.partition import Partition
from rules.engine.plan import Plan, make_plan
from rules.engine.profile import Profile
from rules.engine.record import Decode, Decoded, Record
from rules.engine.step import Seen
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from rules.preview.blind import blind_in
from rules.preview.branch import Cutting, Standpoint, cut_copies, nothing
from rules.preview.found import Found, Window
from rules.preview.people import People
from rules.preview.subjects import Range
from rules.preview.tally import Shows

CHUNK: Final = 2_000
"""Profiles that are copied at once at the end."""
PROFILE_BYTES: Final = 4_000
"""What a profile takes in memory, about (docs/operations/previewing.md)."""
EVENT_BYTES: Final = 700
"""What a remembered event takes besides its text, about."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a preview is asked."""

    to: Catalogue
    """The new catalogue."""
    parts: Mapping[str, Catalogue]
    """Catalogues that hold a part of the change each, by the part's name."""
    wanted: frozenset[str]
    """Types of events that a condition of these catalogues may need from the past."""
    from_ms: int | None
    """The beginning of the window; None: no window."""
    t_ms: int
    """The instant of the cut."""
    people: int = 0
    """How many profiles of each way to name."""
    shows: Shows = lambda _kind, _name: True
    """Tells whether the reader may see the profiles of a segment or an activation."""


class Lookback:
    """The records of one partition for a range of subjects."""

    def __init__(self, question: Question, subjects: Range, decode: Decode, engine: Partition) -> None:
        """`engine` is new, or resumed with the profiles of the range, and reads records by `decode`."""
        self.engine = engine
        self.subjects = subjects
        self.catalogues: dict[str, Catalogue] = {}
        """The catalogues that were in force, by hash."""
        self._question = question
        self._decode = decode
        self._past: defaultdict[str, list[Seen]] = defaultdict(list)
        self._supposed: Partition | None = None
        self._window: Window | None = None
        self._clock_ms = engine.clock_ms
        self._events = 0
        """How many events are remembered."""

    def give_catalogue(self, digest: str, catalogue: Catalogue) -> None:
        """Give the catalogue of a hash."""
        self.catalogues[digest] = catalogue
        self.engine.give_catalogue(digest, catalogue)

    def feed(self, record: Record) -> Need | None:
        """Take the next record; return what is lacking: give it and feed the record again."""
        timestamp_ms = record.timestamp_ms or 0
        r_ms = max(self._clock_ms, timestamp_ms)
        if record.key is not None and not self.subjects.has(record.key):
            self._clock_ms = r_ms
            return None
        if self._question.from_ms is not None and self._window is None and r_ms >= self._question.from_ms:
            self._begin_window(self._question.from_ms)
        if r_ms > timestamp_ms:
            record = Record(record.offset, r_ms, record.key, record.value, record.headers)
        applied = self.engine.feed(record)
        if not isinstance(applied, Applied):
            return applied
        self._clock_ms = r_ms
        self._remember(applied, r_ms)
        if self._window is not None and self._supposed is not None:
            self._count_window(applied.changes)
            self._window.supposed.count(whole(self._supposed.feed(record)).changes)
        return None

    @property
    def weight_bytes(self) -> int:
        """About what the profiles and the remembered events take in memory."""
        copies = 1 if self._supposed is None else 2
        return len(self.engine.profiles) * copies * PROFILE_BYTES + self._events * EVENT_BYTES

    @property
    def can_narrow(self) -> bool:
        """Tell whether the range may be narrowed: nothing was counted yet."""
        return self._window is None

    def narrow(self) -> Range:
        """Keep the lower half of the range, drop and return the upper half. Only where `can_narrow`."""
        assert self.can_narrow
        self.subjects, dropped = self.subjects.halves()
        for subject in [subject for subject in self.engine.profiles if dropped.has(subject.encode())]:
            del self.engine.profiles[subject]
            self._events -= len(self._past.pop(subject, ()))
        return dropped

    def end(self) -> Found:
        """Cut copies of the profiles as they stand at the end; return all that was found."""
        question = self._question
        if question.from_ms is not None and self._window is None:
            self._begin_window(question.from_ms)
        last = changes_of(whole(self.engine.pass_time(question.t_ms)).items)
        if self._window is not None and self._supposed is not None:
            self._count_window(last)
            self._window.supposed.count(changes_of(whole(self._supposed.pass_time(question.t_ms)).items))
            self._supposed = None
        found = Found(window=self._window, parts={name: Found().cut for name in question.parts})
        at = self._standpoint()
        current = self.engine.current
        if current is not None:
            pending = make_plan(question.to, ordinal=current.ordinal + 1, t_ms=question.t_ms, old=current)
            found.blind = {(each.segment, each.path): each for each in blind_in(pending)}
        people = People(question.people, question.shows)
        subjects = iter(list(self.engine.profiles))
        while chunk := list(islice(subjects, CHUNK)):
            self._end_of(chunk, at, found, people)
        found.people = people.found
        return found

    # -- the window

    def _begin_window(self, from_ms: int) -> None:
        whole(self.engine.pass_time(from_ms))
        self._window = Window()
        copies = {subject: profile.pack() for subject, profile in self.engine.profiles.items()}
        cutting = self._cut(self._standpoint(), copies, self._question.to, from_ms, self._only_events)
        self._window.at_start.count(cutting.changes)
        self._supposed = cutting.engine

    def _only_events(self, record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
        decoded = self._decode(record, dictionary, r_ms)
        return Own(decoded.type, None) if isinstance(decoded, Own) else decoded

    def _count_window(self, changes: Sequence[AnyChange]) -> None:
        assert self._window is not None
        self._window.actual.count(changes)

    # -- the end

    def _standpoint(self) -> Standpoint:
        return Standpoint(self.engine.clock_ms, self.engine.cuts(), self.catalogues)

    def _cut(
        self, at: Standpoint, copies: Mapping[str, bytes], to: Catalogue, t_ms: int, decode: Decode = nothing
    ) -> Cutting:
        return cut_copies(at, copies, to, max(t_ms, at.clock_ms), self._seen, decode)

    def _end_of(self, chunk: Sequence[str], at: Standpoint, found: Found, people: People) -> None:
        profiles, question = self.engine.profiles, self._question
        copies = {subject: profiles[subject].pack() for subject in chunk}
        cutting = self._cut(at, copies, question.to, question.t_ms)
        found.cut.count(cutting.changes)
        plan = self.engine.current

        def before(subject: str) -> tuple[Profile, Plan] | None:
            return None if plan is None else (profiles[subject], plan)

        def after(subject: str) -> tuple[Profile, Plan]:
            return cutting.engine.profiles[subject], cutting.plan

        people.take(cutting.changes, before, after, question.t_ms)
        for subject in chunk:
            if plan is not None:
                found.before.take(profiles[subject], plan, question.t_ms)
            found.after.take(cutting.engine.profiles[subject], cutting.plan, question.t_ms)
        for name, part in question.parts.items():
            found.parts[name].count(self._cut(at, copies, part, question.t_ms).changes)

    # -- the past

    def _remember(self, applied: Applied, r_ms: int) -> None:
        event = applied.decoded
        if applied.kind == "event" and isinstance(event, Event) and event.type in self._question.wanted:
            arrivals = self.engine.profiles[event.subject].arrivals
            self._past[event.subject].append(Seen(event, arrivals, r_ms))
            self._events += 1

    def _seen(self, subject: str) -> Sequence[Seen]:
        return self._past.get(subject, ())

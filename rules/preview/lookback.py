"""One partition's records, applied beside the live system for some subjects, and branched twice.

At the window's beginning the profiles are copied and cut to the new catalogue; from there on the copies take in the
same records. At the end they are copied and cut again, part by part of the change. Only the profiles and the events of
the range are in memory. A record of another subject only moves the clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.outcome import Applied, Need, changes_of, whole
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.persons.part import OWN
from rules.engine.plan import Plan, make_plan
from rules.engine.profile import Profile
from rules.engine.record import Decode, Record
from rules.preview.blind import blind_in
from rules.preview.branch import Cutting, Standpoint, cut_copies
from rules.preview.found import Found, Window
from rules.preview.past import Past, Pick
from rules.preview.people import People
from rules.preview.subjects import Range
from rules.preview.tally import Shows

CHUNK: Final = 5_000
"""Profiles that are copied at once at the end."""
PROFILE_BYTES: Final = 4_000
"""What a profile takes in memory, about."""


@dataclass(frozen=True, slots=True)
class Starts:
    """Up to which record each profile of a resumed engine has come: it was read while its worker went on."""

    offset: int
    """The first record that no profile has taken in."""
    later: Mapping[str, int]
    """By subject: the first record that this profile has not taken in, where that is a later one."""

    def of(self, key: bytes | None) -> int:
        """Return the first record that the profile of a key has not taken in; None: a record of no profile."""
        return (
            self.offset if key is None or not self.later else self.later.get(key.decode(errors="replace"), self.offset)
        )


NO_STARTS: Final = Starts(0, {})
"""Every record is new: the engine begins with the log."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a preview is asked."""

    to: Catalogue
    """The new catalogue."""
    parts: Mapping[str, Catalogue]
    """Catalogues that hold a part of the change each, by the part's name."""
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

    def __init__(
        self,
        question: Question,
        subjects: Range,
        decode: Decode,
        engine: Partition,
        pick: Pick,
        starts: Starts = NO_STARTS,
    ) -> None:
        """`engine` is new, or resumed with the profiles of the range, and reads records by `decode`.

        `starts`: for a resumed engine, how far each of its profiles has come.
        """
        self.engine = engine
        self.subjects = subjects
        self.catalogues: dict[str, Catalogue] = {}
        """The catalogues that were in force, by hash."""
        self._question = question
        self._decode = decode
        self._pick = pick
        self.past = Past()
        self._supposed: Partition | None = None
        self._window: Window | None = None
        self._clock_ms = BEGINNING_MS
        self._starts = starts

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
        if record.offset < self._starts.of(record.key):
            self._clock_ms = r_ms
            self._remember(record, r_ms)
            return None
        if r_ms > timestamp_ms:
            record = Record(record.offset, r_ms, record.key, record.value, record.headers)
        applied = self.engine.feed(record)
        if not isinstance(applied, Applied):
            return applied
        self._clock_ms = r_ms
        self._remember(record, r_ms)
        if self._window is not None and self._supposed is not None:
            self._count_window(applied.changes)
            self._window.supposed.count(whole(self._supposed.feed(record)).changes)
        return None

    @property
    def weight_bytes(self) -> int:
        """About what the profiles and the remembered events take in memory."""
        copies = 1 if self._supposed is None else 2
        return len(self.engine.profiles) * copies * PROFILE_BYTES + self.past.bytes

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
        for subject in [subject for subject in self.past.subjects if dropped.has(subject.encode())]:
            self.past.forget(subject)
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
            if found.blind:
                found.of_several = sum(map(_of_several, self.engine.profiles.values()))
        people = People(question.people, question.shows)
        subjects = iter(list(dict.fromkeys([*self.engine.profiles, *self.past.subjects])))
        while chunk := list(islice(subjects, CHUNK)):
            self._end_of(chunk, at, found, people)
        found.people = people.found
        return found

    # -- the window

    def _begin_window(self, from_ms: int) -> None:
        whole(self.engine.pass_time(from_ms))
        self._window = Window()
        copies = {subject: profile.pack() for subject, profile in self.engine.profiles.items()}
        at, to = self._standpoint(), self._question.to
        t_ms = max(from_ms, at.clock_ms)
        cutting = cut_copies(at, copies, to, t_ms, self.past, self.past.subjects, self._decode)
        self._window.at_start.count(cutting.changes)
        self._supposed = cutting.engine

    def _count_window(self, changes: Sequence[AnyChange]) -> None:
        assert self._window is not None
        self._window.actual.count(changes)

    # -- the end

    def _standpoint(self) -> Standpoint:
        return Standpoint(self.engine.clock_ms, self.engine.cuts(), self.catalogues)

    def _cut(self, at: Standpoint, copies: Mapping[str, bytes], to: Catalogue, subjects: Sequence[str]) -> Cutting:
        return cut_copies(at, copies, to, max(self._question.t_ms, at.clock_ms), self.past, subjects)

    def _end_of(self, chunk: Sequence[str], at: Standpoint, found: Found, people: People) -> None:
        profiles, question = self.engine.profiles, self._question
        copies = {subject: profiles[subject].pack() for subject in chunk if subject in profiles}
        cutting = self._cut(at, copies, question.to, chunk)
        found.cut.count(cutting.changes)
        found.unfilled.count(cutting.at_cut)
        plan = self.engine.current

        def before(subject: str) -> tuple[Profile, Plan] | None:
            return (profiles[subject], plan) if plan is not None and subject in profiles else None

        def after(subject: str) -> tuple[Profile, Plan]:
            return cutting.engine.profiles[subject], cutting.plan

        found.still_blind = {(each.segment, each.path): each for each in blind_in(cutting.plan)}
        people.take(cutting.changes, before, after, question.t_ms)
        for subject in chunk:
            if plan is not None and subject in profiles:
                found.before.take(profiles[subject], plan, question.t_ms)
            if subject in cutting.engine.profiles:
                found.after.take(cutting.engine.profiles[subject], cutting.plan, question.t_ms)
        for name, part in question.parts.items():
            found.parts[name].count(self._cut(at, copies, part, chunk).changes)

    # -- the past

    def _remember(self, record: Record, r_ms: int) -> None:
        if record.key is None:
            return
        text = self._pick(record, r_ms)
        if text is not None:
            self.past.add(record.key.decode(), text)


def _of_several(profile: Profile) -> bool:
    """Tell whether a profile has facts of other subjects."""
    person = profile.person
    return person is not None and person.canonical is None and any(way.via != OWN for way in person.parts)

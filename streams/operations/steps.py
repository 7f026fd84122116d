"""One profile's log, applied evaluation by evaluation.

An engine puts out what a record brings all at once: the wakes that it passes, then its own changes. Here the wakes fire
one by one before the record. The visit of a cut, or of the end of a fill, comes right after its record. That moves no
change of the profile: a wake is evaluated at its own instant, and only the profile's own records come between.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from rules.engine.change import AnyChange
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.engine.record import Record
from rules.explain.segments import copy_of
from streams.operations.concerning import Concerning
from streams.operations.partitions import OnOffset
from streams.operations.person_moves import PersonMove, moves, standing_of
from streams.operations.until import Reading
from streams.partition.driver import Driver


@dataclass(frozen=True, slots=True)
class Step:
    """One evaluation of the profile that changed something."""

    changes: tuple[AnyChange, ...]
    plan: Plan
    """The catalogue that it was evaluated under."""
    cut_ms: int
    """The instant at which that catalogue took effect."""
    before: Profile | None
    """A copy of the profile before it, if copies were asked for; None too where the profile was not known."""
    after: Profile
    """The profile after it: the engine goes on with it, so look at it before the next step."""


async def steps(
    driver: Driver,
    reading: Reading,
    subject: str,
    *,
    on_offset: OnOffset = lambda *_: None,
    on_record: Callable[[Record], None] = lambda _: None,
    on_move: Callable[[PersonMove], None] = lambda _: None,
    copies: bool = False,
) -> AsyncIterator[Step]:
    """Apply the records that `reading` gives, and yield each evaluation of the subject that changed something.

    `on_record` is told every record that may concern the subject before it is applied; `on_move` every link and every
    erasure of it, before the changes that come of it.
    """
    one = _OneProfile(driver.engine, subject, copies)
    engine, cut_ms = driver.engine, 0
    async for record in reading.records(Concerning(subject), on_offset):
        r_ms = engine.instant_of(record.timestamp_ms)
        while (due_ms := engine.next_due()) is not None and due_ms < r_ms:
            if step := one.pass_time(due_ms, cut_ms):
                yield step
        on_record(record)
        before, stood = one.copy(), standing_of(engine.profiles.get(subject))
        applied = await driver.feed(record)
        for move in moves(stood, standing_of(engine.profiles.get(subject)), r_ms):
            on_move(move)
        cut_ms = r_ms if applied.kind == "cut" else cut_ms
        if step := one.step(applied.changes, before, cut_ms):
            yield step
        if applied.kind in ("cut", "filled") and (step := one.pass_time(r_ms, cut_ms)):
            yield step


@dataclass(frozen=True, slots=True)
class _OneProfile:
    """An engine, and the one profile that is looked at."""

    engine: Partition
    subject: str
    copies: bool

    def copy(self) -> Profile | None:
        profile = self.engine.profiles.get(self.subject) if self.copies else None
        return None if profile is None else copy_of(profile)

    def pass_time(self, until_ms: int, cut_ms: int) -> Step | None:
        before = self.copy()
        return self.step(changes_of(whole(self.engine.pass_time(until_ms + 1)).items), before, cut_ms)

    def step(self, changes: Sequence[AnyChange], before: Profile | None, cut_ms: int) -> Step | None:
        own = tuple(each for each in changes if each.subject == self.subject)
        if not own or self.engine.current is None:
            return None
        return Step(own, self.engine.current, cut_ms, before, self.engine.profiles[self.subject])

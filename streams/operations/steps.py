"""One profile's log, applied evaluation by evaluation.

An engine puts out what a record brings all at once: the wakes that it passes, then its own changes. Here the wakes fire
one by one before the record, and a cut's visit right after its record. That moves no change of the profile: a wake is
evaluated at its own instant, and nothing but the profile's own records comes between.
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
from streams.operations.until import Reading
from streams.partition.driver import Driver


@dataclass(frozen=True, slots=True)
class Step:
    """One evaluation of the profile that changed something."""

    changes: tuple[AnyChange, ...]
    plan: Plan
    """The catalogue that it was evaluated under."""
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
    copies: bool = False,
) -> AsyncIterator[Step]:
    """Apply the records that `reading` gives, and yield each evaluation of the subject that changed something.

    `on_record` is told every record that may concern the subject before it is applied.
    """
    engine = driver.engine
    async for record in reading.records(Concerning(subject), on_offset):
        r_ms = engine.instant_of(record.timestamp_ms)
        while (due_ms := engine.next_due()) is not None and due_ms < r_ms:
            if step := _pass(engine, subject, due_ms, copies=copies):
                yield step
        on_record(record)
        before = _copy(engine, subject) if copies else None
        applied = await driver.feed(record)
        if step := _step(engine, subject, applied.changes, before):
            yield step
        if applied.kind == "cut" and (step := _pass(engine, subject, r_ms, copies=copies)):
            yield step


def _pass(engine: Partition, subject: str, until_ms: int, *, copies: bool) -> Step | None:
    before = _copy(engine, subject) if copies else None
    return _step(engine, subject, changes_of(whole(engine.pass_time(until_ms + 1)).items), before)


def _step(engine: Partition, subject: str, changes: Sequence[AnyChange], before: Profile | None) -> Step | None:
    own = tuple(each for each in changes if each.subject == subject)
    if not own or engine.current is None:
        return None
    return Step(own, engine.current, before, engine.profiles[subject])


def _copy(engine: Partition, subject: str) -> Profile | None:
    profile = engine.profiles.get(subject)
    return None if profile is None else copy_of(profile)

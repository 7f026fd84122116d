"""Journeys that a link ended, or switched to another arm: a steward looks at such a link (docs/operations/identity.md).

The subject that becomes an alias tells which activations were active for it, and in which arm. The end of its links
compares these, and its own, with what is active after it took over, and remembers what is no more as it was. Nothing
of it is asked by a rule.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rules.engine.outcome import Mark
from rules.engine.persons.person import Person
from rules.engine.plan import Plan
from rules.engine.profile import Profile

Active = Mapping[str, str | None]
"""Activation to the arm of the subject for which it is active; None: it has no arms."""
MOVED_MAX: Final = 500
"""Journeys that a person remembers, the newest: 50 subjects with 10 each. More links have gone wrong as a whole."""


class Moved(NamedTuple):
    """A journey that a link moved."""

    subject: str
    """Whose link it was: it came to stand for another."""
    event: str
    """`source id` of the link event."""
    of: str
    """The subject that was in the journey: that one, or the end."""
    activation: str
    arm: str | None
    arm_now: str | None
    ended: bool
    """Whether it ended; else it goes on, and the arm is another."""


def active_of(profile: Profile, plan: Plan) -> Active:
    """Return the activations that are active for a profile, each with its arm."""
    names = [name for name, standing in profile.activations.items() if standing.active]
    if not names:
        return {}
    told = plan.activations.told(profile)
    return {name: told[name].told.arm(profile.subject) for name in sorted(names) if name in told}


def read_active(value: Any) -> Active | None:
    """Read what an effect says of active journeys; None: it is of no link. Raises msgspec.ValidationError."""
    return None if value is None else msgspec.convert(value, dict[str, str | None])


def note_moved(profile: Profile, event: str, alias: tuple[str, Active], before: Active, after: Active) -> list[Mark]:
    """Remember which journeys a link moved; return the marks of it. Writes to the profile's person.

    `alias`: the subject that came to stand for another, and what was active for it. `before`, `after`: what was active
    for this profile, the end of its links, and what is now.
    """
    subject, theirs = alias
    found = [Moved(subject, event, subject, *each) for each in _compared(theirs, after)]
    found += [Moved(subject, event, profile.subject, *each) for each in _compared(before, after)]
    if not found:
        return []
    person = profile.linked()
    kept = [each for each in person.moved if each[0] != subject]
    person.moved = [*kept, *(list(each) for each in found)][-MOVED_MAX:]
    ended = any(each.ended for each in found)
    switched = any(not each.ended for each in found)
    marks: list[Mark] = ["journey_ended"] if ended else []
    return [*marks, "arm_switched"] if switched else marks


def _compared(before: Active, after: Active) -> list[tuple[str, str | None, str | None, bool]]:
    """Return (activation, arm, arm now, whether it ended) of those that do not go on as they were."""
    return [
        (name, arm, after.get(name), name not in after)
        for name, arm in before.items()
        if name not in after or after[name] != arm
    ]


def forget_gone(person: Person) -> None:
    """Forget the journeys of those whose facts a person has no more: their link was taken back, or they were erased."""
    if person.moved:
        left = person.origins()
        person.moved = [each for each in person.moved if each[0] in left]

"""Taking over: what the end of the links takes from a subject that becomes an alias (docs/language.md, Taking over)."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from rules.conditions.view import Mark
from rules.engine.profile import Profile
from rules.engine.stay import Stay
from rules.ground.instants import FOREVER

ENDLESS: Final = FOREVER
"""More than any number of arrivals: of a mark that was taken over only a later time is later."""
NO_CUT: Final = 0
"""The cut of a mark that was taken over: each partition counts its cuts by itself, so its own says nothing here."""


class Taken(NamedTuple):
    """What a subject has that becomes an alias, as it was before."""

    stays: Mapping[str, Stay]
    """By segment: its present stay, and what the last ones left behind."""
    active: Mapping[str, str | None] | None = None
    """Activations that were active for it, with their arms, to tell what the link did; None: it is no link's doing."""


def taken_from(profile: Profile) -> Taken:
    """Keep what a profile has now, for another to take over."""
    return Taken({name: _foreign(stay) for name, stay in profile.stays.items()})


def _foreign(stay: Stay) -> Stay:
    marked_ms = stay.marked_ms
    if stay.exit_mark is not None and marked_ms is None:
        marked_ms = stay.last_exit_ms
    return Stay(
        stay.member,
        stay.since_ms,
        stay.last_exit_ms,
        stay.disarmed,
        _foreign_mark(stay.entry_mark),
        _foreign_mark(stay.exit_mark),
        marked_ms,
    )


def _foreign_mark(mark: Mark | None) -> Mark | None:
    return None if mark is None else Mark(mark.time_ms, ENDLESS, NO_CUT)


def take_exits(profile: Profile, taken: Taken) -> None:
    """Take last exits over where they are later: that of any kind, and that which asks for new evidence."""
    for segment, theirs in taken.stays.items():
        if theirs.last_exit_ms is None:
            continue
        stay = profile.stays.get(segment)
        if stay is None:
            stay = profile.stays[segment] = Stay()
        if stay.exit_mark is not None and stay.marked_ms is None:
            stay.marked_ms = stay.last_exit_ms
        if stay.last_exit_ms is None or theirs.last_exit_ms > stay.last_exit_ms:
            stay.last_exit_ms = theirs.last_exit_ms
        if theirs.exit_mark is None or theirs.marked_ms is None:
            continue
        if stay.exit_mark is None or stay.marked_ms is None or theirs.marked_ms > stay.marked_ms:
            stay.exit_mark, stay.marked_ms, stay.disarmed = theirs.exit_mark, theirs.marked_ms, theirs.disarmed


def as_json(taken: Taken) -> dict[str, Any]:
    """Write it for a record: by segment, the fields of a stay."""
    return {name: msgspec.to_builtins(stay) for name, stay in sorted(taken.stays.items())}


def of_json(value: Any, active: Mapping[str, str | None] | None = None) -> Taken:
    """Read what `as_json` wrote. Raises msgspec.ValidationError."""
    return Taken(msgspec.convert(value, dict[str, Stay]), active)

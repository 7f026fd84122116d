"""What becomes of a partition's lag, from two looks at it: values in, a sentence out."""

from dataclasses import dataclass
from typing import Final

LATE_S: Final = 5.0
"""Less is usual: a wake is stored up to a second late, and a record takes its way."""
STILL_S: Final = 10.0
"""A partition with older records in which nothing moves between two looks stands still."""


@dataclass(frozen=True, slots=True)
class Look:
    """A partition at one moment. `applied`: the offset up to which its records are applied."""

    at_s: float
    """On a steady clock."""
    lag_records: int
    applied: int


@dataclass(frozen=True, slots=True)
class Trend:
    """How a lag changes. Both in records a second."""

    growth: float
    """Below 0: the lag shrinks."""
    applied: float


def trend(before: Look, now: Look) -> Trend | None:
    """Compare two looks; None: they are one moment."""
    passed_s = now.at_s - before.at_s
    if passed_s <= 0:
        return None
    growth = (now.lag_records - before.lag_records) / passed_s
    return Trend(growth, max(0, now.applied - before.applied) / passed_s)


def catches_up_s(lag_records: int, change: Trend | None) -> float | None:
    """Return in how many seconds the lag is gone if it goes on so; None: not known, or never."""
    if lag_records == 0:
        return 0.0
    return lag_records / -change.growth if change is not None and change.growth < 0 else None


def outlook(
    lag_records: int, lag_s: float | None, overdue_wakes: int, overdue_s: float, waits_for: str, change: Trend | None
) -> str:
    """Say it for people. `lag_s` None: the age is not known. `waits_for`: why nobody works on it; "": somebody does."""
    late = overdue_s > LATE_S
    overdue = f"{overdue_wakes:,} wake{'s' * (overdue_wakes != 1)} overdue by {spoken(overdue_s)}" if late else ""
    if waits_for:
        will = "will not catch up: " if lag_records or late else ""
        return f"{will}{waits_for}{overdue and f'; {overdue}'}"
    if not lag_records:
        return overdue or "caught up"
    if change is None:
        said = "behind"
    elif (left_s := catches_up_s(lag_records, change)) is not None and (lag_s is None or lag_s > LATE_S):
        said = f"caught up in about {spoken(left_s)}"
    elif lag_s is not None and lag_s <= LATE_S:
        said = "keeps up"
    elif change.applied == 0 and (lag_s is None or lag_s > STILL_S):
        said = "will not catch up: nothing is applied"
    else:
        said = "will not catch up: the input is as fast"
    return f"{said}{overdue and f'; {overdue}'}"


def spoken(seconds: float) -> str:
    """Return a span of time in two digits or so: 40 s, 3 min, 2 h, 5 days."""
    for name, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{max(1, seconds):.0f} s"

"""Facts about one profile at one instant, and whether they can hold together.

A *fact* says something of a *variable*: a number between bounds (a count, a stay, an age), one of a few values (a
consent, a kind of subject), or a value that passes a test (a trait). An *alternative* is a set of facts that hold
together; a rule is a list of alternatives, and holds if one of them does (disjunctive form). A condition that cannot be
said in such facts is a variable of its own, true or false. So the answers are sound, not complete.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import ge, le
from typing import Any, Final, TypeAlias

from rules.conditions.occurrences import ENTRIES_MAX
from rules.conditions.possible_values import Tested, possible
from rules.conditions.window import Window

ALTERNATIVES_MAX: Final = 256
"""A rule with more is not judged."""
UP: Final = math.inf


class TooMany(Exception):
    """A rule has more than ALTERNATIVES_MAX alternatives."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of matching events in a window: a variable that knows which others are never smaller."""

    types: frozenset[str]
    where: str
    """Canonical text; empty: all events of the types."""
    window: Window

    def within(self, other: "Counted") -> bool:
        """Tell whether every event counted here is counted there."""
        mine, theirs = self.window, other.window
        return (
            self.types <= other.types
            and other.where in ("", self.where)
            and mine.bucket_ms == theirs.bucket_ms
            and theirs.older_ms is None  # or the limit of memory might drop there what is kept here
            and _inside(mine.within_ms, theirs.within_ms, le)
            and _inside(mine.since_ms, theirs.since_ms, ge)
            and _inside(mine.until_ms, theirs.until_ms, le)
            and theirs.mark in (None, mine.mark)
        )


def _inside(mine: int | None, theirs: int | None, tighter: Callable[[int, int], bool]) -> bool:
    return theirs is None or (mine is not None and tighter(mine, theirs))


Variable: TypeAlias = tuple[str, ...] | Counted


@dataclass(frozen=True, slots=True)
class Range:
    """A variable is a number between two bounds, both inclusive."""

    variable: Variable
    low: float = -UP
    high: float = UP


@dataclass(frozen=True, slots=True)
class OneOf:
    """A variable is one of these."""

    variable: tuple[str, ...]
    among: frozenset[Any]


Fact: TypeAlias = Range | OneOf | Tested
Alternative: TypeAlias = frozenset[Fact]
Alternatives: TypeAlias = Sequence[Alternative]
ALWAYS: Final[Alternatives] = (frozenset(),)
NEVER: Final[Alternatives] = ()


def consistent(facts: Iterable[Fact]) -> bool:
    """Tell whether facts may hold together. Never False where they do."""
    ranges: dict[Variable, tuple[float, float]] = {}
    sets: dict[tuple[str, ...], frozenset[Any]] = {}
    tests: dict[tuple[str, ...], list[Tested]] = {}
    for fact in facts:
        if isinstance(fact, Range):
            low, high = ranges.get(fact.variable) or _domain(fact.variable)
            ranges[fact.variable] = max(low, fact.low), min(high, fact.high)
        elif isinstance(fact, OneOf):
            sets[fact.variable] = sets.get(fact.variable, fact.among) & fact.among
        else:
            tests.setdefault(fact.variable, []).append(fact)
    _spread(ranges)
    return (
        all(low <= high for low, high in ranges.values())
        and all(sets.values())
        and all(possible(each) for each in tests.values())
    )


def _domain(variable: Variable) -> tuple[float, float]:
    if isinstance(variable, Counted):
        return 0, ENTRIES_MAX if variable.window.bucket_ms is None else UP
    return -UP, UP


def _spread(ranges: dict[Variable, tuple[float, float]]) -> None:
    """Carry bounds over between counts: a count whose events another counts too is never the larger."""
    counts = [variable for variable in ranges if isinstance(variable, Counted)]
    pairs = [(a, b) for a in counts for b in counts if a is not b and a.within(b)]
    for _ in counts:  # a chain has no more links
        for smaller, larger in pairs:
            (low, high), (low_there, high_there) = ranges[smaller], ranges[larger]
            ranges[smaller] = low, min(high, high_there)
            ranges[larger] = max(low, low_there), high_there


@lru_cache(maxsize=1 << 14)
def touched(facts: Alternative) -> frozenset[Any]:
    """Return what facts speak of: facts that touch nothing in common cannot contradict each other."""
    found: set[Any] = set()
    for fact in facts:
        found.update(fact.variable.types if isinstance(fact.variable, Counted) else [fact.variable])
    return frozenset(found)


def both(one: Alternatives, other: Alternatives) -> Alternatives:
    """Return the alternatives of two rules that must both hold. Raises TooMany."""
    found: dict[Alternative, None] = {}
    for a in one:
        for b in other:
            facts = a | b
            if touched(a).isdisjoint(touched(b)) or consistent(facts):
                found[facts] = None
        if len(found) > ALTERNATIVES_MAX:
            raise TooMany
    return tuple(found)


def bounded(found: Iterable[Alternative]) -> Alternatives:
    """Return the alternatives as a tuple. Raises TooMany where there are too many."""
    listed = tuple(found)
    if len(listed) > ALTERNATIVES_MAX:
        raise TooMany
    return listed

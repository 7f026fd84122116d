"""The figures of the condition `aggregate`: what a function makes of values, and how values are joined for a bucket.

Sums are exact before they are rounded (`math.fsum`), so that they do not depend on the order of arrival. For a bucket
values are joined into few that give the same figure: for a sum and a mean floats that do not overlap and add up to it
exactly (Shewchuk's partials), for the others the extreme or the different values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

from rules.conditions.bucketed import Values
from rules.ground.event import Value
from rules.ground.values import VALUE_TYPES, ValueType

Function: TypeAlias = Literal["sum", "min", "max", "mean", "distinct"]


def exact_sum(values: Sequence[float]) -> float:
    """Add exactly, then round once; beyond the doubles ±inf."""
    try:
        return math.fsum(values)
    except OverflowError:  # also where only a partial sum is too large
        total = sum(map(Fraction, values))
        try:
            return float(total)
        except OverflowError:
            return math.inf if total > 0 else -math.inf


def join_sum(partials: list[Any], value: float) -> list[Any]:
    """Add a number to partials, exactly: the error of every addition is a partial of its own."""
    joined: list[Any] = []
    high = float(value)
    for partial in partials:
        large, small = (high, partial) if abs(high) >= abs(partial) else (partial, high)
        high = large + small
        low = small - (high - large)
        if low:
            joined.append(low)
    return [*joined, high] if math.isfinite(high) else [*partials, value]


def _leave_sum(partials: list[Any], value: float) -> list[Any]:
    """Take a number out of partials, exactly."""
    return join_sum(partials, -value)


def join_distinct(values: list[Any], value: Any) -> list[Any]:
    """Add a value, or the elements of a list, to the different ones."""
    return [*values, *(new for new in (value if isinstance(value, list) else [value]) if new not in values)]


def _distinct(values: Sequence[Any], _number: int) -> int:
    """Count different values; of lists their elements."""
    found: set[Any] = set()
    for value in values:
        found.update(value) if isinstance(value, list) else found.add(value)
    return len(found)


def _mean(values: Sequence[Any], number: int) -> float | None:
    return exact_sum(values) / number if number else None


@dataclass(frozen=True, slots=True)
class Figure:
    """One aggregate function.

    `of` makes it of values that stand for so many; `bucket` makes such values, for a bucket.
    """

    kinds: tuple[ValueType, ...]
    """The types of attribute that it takes."""
    gives: ValueType | None
    """The type of the figure; None: that of the attribute."""
    of: Callable[[Sequence[Any], int], Value | None]
    bucket: Values
    falls: Literal["always", "of positives", "no"] = "no"
    """Whether the figure can only fall as values leave."""


_SUM: Final = Values(join_sum, _leave_sum)
_NUMBERS: Final[tuple[ValueType, ...]] = ("number", "integer")
_ORDERED: Final[tuple[ValueType, ...]] = ("number", "integer", "datetime")
FIGURES: Final[Mapping[str, Figure]] = {
    "sum": Figure(_NUMBERS, "number", lambda values, _: exact_sum(values), _SUM, "of positives"),
    "min": Figure(
        _ORDERED, None, lambda values, _: min(values, default=None), Values(lambda known, new: [min([*known, new])])
    ),
    "max": Figure(
        _ORDERED,
        None,
        lambda values, _: max(values, default=None),
        Values(lambda known, new: [max([*known, new])]),
        "always",
    ),
    "mean": Figure(_NUMBERS, "number", _mean, _SUM),
    "distinct": Figure(VALUE_TYPES, "integer", _distinct, Values(join_distinct), "always"),
}

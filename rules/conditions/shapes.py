"""Shapes of states: what a state must look like before it is joined, folded or judged.

The states of our own store come back as they went in. A state in an effect comes in a record of the input, and a
stranger may write one, too. So it is looked at before anything reads it. Nothing here raises.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final, TypeAlias

from rules.ground.instants import FOREVER

IsValue: TypeAlias = Callable[[Any], bool]
"""Tells whether a value of an entry has the shape that its memory gives it."""
TIME_MAX_MS: Final = 1 << 53
"""No event is so late."""
NAME: Final = 3
"""Fields of an event's identity: time, source, id."""


def is_instant(value: Any) -> bool:
    """Tell whether it is the time of an event."""
    return value.__class__ is int and abs(value) <= TIME_MAX_MS


def is_whole(value: Any) -> bool:
    """Tell whether it is an integer up to FOREVER."""
    return value.__class__ is int and abs(value) <= FOREVER


def is_number(value: Any) -> bool:
    """Tell whether it is a number."""
    return value.__class__ is float or is_whole(value)


def is_scalar(value: Any) -> bool:
    """Tell whether it is a text, a number or a truth."""
    return value.__class__ in (str, bool) or is_number(value)


def is_value(value: Any) -> bool:
    """Tell whether it is a value of a trait or an attribute: a scalar, or a list of scalars."""
    return is_scalar(value) or (is_row(value) and all(map(is_scalar, value)))


def is_row(value: Any) -> bool:
    """Tell whether it is a list; of a state that was not packed since, a tuple."""
    return isinstance(value, list | tuple)


def is_name(value: Any) -> bool:
    """Tell whether it is the identity of an event: time, source, id."""
    return len(value) == NAME and is_instant(value[0]) and value[1].__class__ is value[2].__class__ is str


def are_named(value: Any, is_rest: Callable[[Any], bool]) -> bool:
    """Tell whether it is a list of rows, not empty, each with the identity of an event and a rest, in order."""
    return (
        is_row(value)
        and bool(value)
        and all(is_row(row) and is_name(row[:NAME]) and is_rest(row[NAME:]) for row in value)
        and all([*before[:NAME]] < [*after[:NAME]] for before, after in pairwise(value))
    )


def are_entries(value: Any, is_fifth: IsValue | None = None) -> bool:
    """Tell whether it is a list of entries (`rules.conditions.occurrences`). `is_fifth`: each has a value, too."""
    if is_fifth is None:
        return are_named(value, lambda rest: len(rest) == 1 and is_instant(rest[0]))
    return are_named(value, lambda rest: len(rest) == 2 and is_instant(rest[0]) and is_fifth(rest[1]))

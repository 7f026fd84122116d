"""Typed values: what a trait or an attribute of a declared type may hold (docs/language.md, Types).

`null` and `""`, whatever the type, are *no value* (None here); `[]` is a value. 1 and 1.0 are the same number and
1.0 is an integer; a boolean is no number. A number is an IEEE double: one that was written as a longer integer than
doubles hold exactly (2^53) is rounded to the nearest, so that the answer does not depend on the JSON parser.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TypeAlias, get_args

from rules.ground.event import Value
from rules.ground.instants import parse_instant

ValueType: TypeAlias = Literal["string", "number", "integer", "boolean", "datetime", "list"]
VALUE_TYPES: Final[tuple[ValueType, ...]] = get_args(ValueType)
INTEGER_MAX: Final = 1 << 53
"""Largest magnitude of an integer: up to here every integer is a double of its own."""

_NUMBERS: Final = (int, float)  # named, for a union written in place would be made anew at every call
_LISTS: Final = (list, tuple)
_MAY_BE_BOTH: Final = frozenset({frozenset({"number", "integer"}), frozenset({"string", "datetime"})})


class WrongType(ValueError):
    """A value of another type than declared. `place`: its path in the data, by declared names; "": not known here."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.place = place


class BadNumber(ValueError):
    """A number that is none: NaN, infinite, or an integer beyond 2^53. `place`: as of WrongType."""

    def __init__(self, what: str, place: str = "") -> None:
        super().__init__(what)
        self.place = place


def typed(kind: ValueType, raw: Any) -> Value | None:
    """Take a plain JSON value as one of the declared type; None: no value.

    Numbers stay as they are, except that an integer becomes `int` whatever its spelling; a datetime becomes
    UTC epoch milliseconds; a list becomes a tuple. Raises WrongType, and BadNumber for a number of the right
    type that is none. Idempotent for all but datetime.
    """
    if raw is None or raw == "":
        return None
    return COERCERS[kind](raw)


def may_be_both(one: ValueType, other: ValueType) -> bool:
    """Tell whether some value is of both types: what is declared so on the two ends of a `sets` can work."""
    return one == other or frozenset({one, other}) in _MAY_BE_BOTH


def _string(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    raise WrongType("not a string")


def _number(raw: Any) -> int | float:
    if raw.__class__ is float and math.isfinite(raw):  # most are so
        return raw
    if isinstance(raw, bool) or not isinstance(raw, _NUMBERS):
        raise WrongType("not a number")
    if isinstance(raw, int) and -INTEGER_MAX <= raw <= INTEGER_MAX:
        return raw
    try:
        number = float(raw)
    except OverflowError:
        raise BadNumber("larger than every number") from None
    if not math.isfinite(number):
        raise BadNumber("not a finite number")
    return number


def _integer(raw: Any) -> int:
    if isinstance(raw, bool) or not isinstance(raw, _NUMBERS):
        raise WrongType("not an integer")
    if isinstance(raw, float):
        if not math.isfinite(raw):
            raise BadNumber("not a finite number")
        if not raw.is_integer():
            raise WrongType("not an integer")
    whole = int(raw)
    if not -INTEGER_MAX <= whole <= INTEGER_MAX:
        raise BadNumber("an integer beyond 2^53")
    return whole


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    raise WrongType("not a boolean")


def _datetime(raw: Any) -> int:
    if not isinstance(raw, str):
        raise WrongType("not a datetime")
    try:
        return parse_instant(raw)
    except ValueError as error:
        raise WrongType(f"not a datetime: {error}") from None


def _list(raw: Any) -> tuple[str, ...]:
    if not isinstance(raw, _LISTS) or not all(isinstance(element, str) for element in raw):
        raise WrongType("not a list of strings")
    return tuple(raw)


COERCERS: Final[Mapping[ValueType, Callable[[Any], Value]]] = {
    "string": _string,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "datetime": _datetime,
    "list": _list,
}
"""How a raw value that is not *no value* is taken, by declared type. Contract of each as `typed`."""

if set(COERCERS) != set(VALUE_TYPES):
    raise AssertionError("every type needs its coercer")

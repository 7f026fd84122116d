"""The operators of docs/language.md, on one typed value at one instant."""

from collections.abc import Callable, Mapping
from typing import Any

import re2

from tests.naive.times import date, length

NO_VALUE_HOLDS = ("not_equals", "not_in")
TEXTS = ("contains", "contains_any", "starts_with", "ends_with", "matches")
NAMES = ("equals", "not_equals", "in", "not_in", "exists", *TEXTS, "older_than", "newer_than")
ORDERED = ("above", "at_least", "below", "at_most", "between")


def holds(tests: Mapping[str, Any], value: Any, kind: str, t: int) -> bool:
    """Tell whether every operator of a map holds for the value (None: no value) of a declared type at t."""
    return all(
        one_holds(name, operand, value, kind, t) for name, operand in tests.items() if name in (*NAMES, *ORDERED)
    )


def one_holds(name: str, operand: Any, value: Any, kind: str, t: int) -> bool:
    """Tell whether one operator holds."""
    if name == "exists":
        return (value is not None) is operand
    if value is None:
        return name in NO_VALUE_HOLDS
    if name in ("older_than", "newer_than"):
        return isinstance(value, int) and bool(value <= t - length(operand)) == (name == "older_than")
    if kind == "datetime":
        operand = [date(item) for item in operand] if isinstance(operand, list) else date(operand)
    return bool(TABLE[name](value, operand))


def of_type(value: Any, kind: str) -> bool:
    """Tell whether a value has a type (a fact may keep the type of an older dictionary)."""
    classes = {
        "string": str,
        "number": int | float,
        "integer": int | float,
        "boolean": bool,
        "datetime": int,
        "list": tuple,
    }
    return isinstance(value, classes[kind]) and isinstance(value, bool) == (kind == "boolean")


def same(value: Any, operand: Any) -> bool:
    """Tell whether two values are equal: 1 equals 1.0, and a boolean is not a number."""
    return isinstance(value, bool) == isinstance(operand, bool) and bool(value == operand)


def ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Compare numbers with numbers only (a fact may keep the type of an older dictionary)."""
    return lambda value, operand: (
        isinstance(value, int | float) and not isinstance(value, bool) and compare(value, operand)
    )


def textual(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """Compare texts only."""
    return lambda value, operand: isinstance(value, str) and compare(value, operand)


TABLE: dict[str, Callable[[Any, Any], bool]] = {
    "equals": same,
    "not_equals": lambda value, operand: not same(value, operand),
    "in": lambda value, operand: any(same(value, item) for item in operand),
    "not_in": lambda value, operand: not any(same(value, item) for item in operand),
    "contains": lambda value, operand: isinstance(value, str | tuple) and operand in value,
    "contains_any": lambda value, operand: isinstance(value, str | tuple) and any(item in value for item in operand),
    "starts_with": textual(str.startswith),
    "ends_with": textual(str.endswith),
    "matches": textual(lambda value, operand: re2.fullmatch(operand, value) is not None),
    "above": ordered(lambda value, operand: value > operand),
    "at_least": ordered(lambda value, operand: value >= operand),
    "below": ordered(lambda value, operand: value < operand),
    "at_most": ordered(lambda value, operand: value <= operand),
    "between": ordered(lambda value, operand: operand[0] <= value <= operand[1]),
}

"""Can one value pass several tests at once: exact for ordered values, booleans and lists, careful for texts.

Only a few candidates need trying. A test of ordered values changes only at its operands, so the operands and their
nearest neighbours stand for all values. If any list passes, the fullest list that no denied test forbids does.
`older_than` and `newer_than` speak of the value's age, which is free of the rest, because the instant is.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rules.ground.event import Value
from rules.ground.instants import parse_duration
from rules.ground.values import INTEGER_MAX, ValueType, typed
from rules.language.value_test import Test

AGES: Final = ("older_than", "newer_than")


@dataclass(frozen=True, slots=True)
class Tested:
    """A variable's value passes one operator, or does not. `operand` as written, `text` its canonical form."""

    variable: tuple[str, ...]
    kind: ValueType
    operator: str
    text: str
    denied: bool
    operand: Any = field(compare=False)
    test: Test = field(compare=False)


def possible(tests: Sequence[Tested]) -> bool:
    """Tell whether some value, or no value, passes all tests of one variable. Never False where one does."""
    ages = [test for test in tests if test.operator in AGES]
    others = [test for test in tests if test.operator not in AGES]
    if _passes(None, others) and all(age.denied for age in ages):  # of no value no age is true
        return True
    if not _possible_age(ages):
        return False
    kind = tests[0].kind
    if kind == "string":
        return _possible_text(others)
    return any(_passes(value, others) for value in _CANDIDATES[kind](others))


def _passes(value: Value | None, tests: Iterable[Tested]) -> bool:
    return all(test.test.check(value) != test.denied for test in tests)


def _possible_age(ages: Sequence[Tested]) -> bool:
    """Older than D is an age of at least D, newer than D one below D."""
    least, below = -math.inf, math.inf
    for age in ages:
        length_ms = parse_duration(age.operand, signed=True)
        if (age.operator == "older_than") != age.denied:
            least = max(least, length_ms)
        else:
            below = min(below, length_ms)
    return least < below


def _operands(tests: Iterable[Tested]) -> list[Any]:
    """All values that operands name, as the author wrote them."""
    found: list[Any] = []
    for test in tests:
        if test.operator != "exists":
            found.extend(test.operand if isinstance(test.operand, list) else [test.operand])
    return found


def _of_booleans(_tests: Sequence[Tested]) -> list[Value]:
    return [True, False]


def _of_numbers(tests: Sequence[Tested]) -> list[Value]:
    found: set[Value] = {0}
    for operand in _operands(tests):
        number = typed("number", operand)
        assert isinstance(number, int | float)
        found |= {number, math.nextafter(number, -math.inf), math.nextafter(number, math.inf)}
    return list(found)


def _of_integers(tests: Sequence[Tested]) -> list[Value]:
    found: set[Value] = {0}
    for operand in _operands(tests):
        number = typed("integer", operand)
        assert isinstance(number, int)
        found |= {each for each in (number - 1, number, number + 1) if abs(each) <= INTEGER_MAX}
    return list(found)


def _of_datetimes(tests: Sequence[Tested]) -> list[Value]:
    found: set[Value] = {0}
    for operand in _operands(tests):
        instant = typed("datetime", operand)
        assert isinstance(instant, int)
        found |= {instant - 1, instant, instant + 1}
    return list(found)


def _of_lists(tests: Sequence[Tested]) -> list[Value]:
    forbidden = set(_operands(test for test in tests if test.denied))
    return [tuple(element for element in _operands(tests) if element not in forbidden)]


_CANDIDATES: Final[Mapping[str, Callable[[Sequence[Tested]], list[Value]]]] = {
    "boolean": _of_booleans,
    "number": _of_numbers,
    "integer": _of_integers,
    "datetime": _of_datetimes,
    "list": _of_lists,
}


def _possible_text(tests: Sequence[Tested]) -> bool:
    """Try the named texts, if no other text may pass; else look for tests that rule each other out."""
    named: set[str] | None = None
    for test in tests:
        if test.operator in (("not_equals", "not_in") if test.denied else ("equals", "in")):
            here = set(_operands([test]))
            named = here if named is None else named & here
    if named is not None:
        return any(_passes(text, tests) for text in named)
    asked = [test for test in tests if not test.denied]
    if any(test.operator == "exists" and test.operand == test.denied for test in tests):
        return False
    said = {(test.operator, test.text) for test in asked}
    return (
        not any((test.operator, test.text) in said or _implied(test, asked) for test in tests if test.denied)
        and _agree([test.operand for test in asked if test.operator == "starts_with"], str.startswith)
        and _agree([test.operand for test in asked if test.operator == "ends_with"], str.endswith)
    )


def _implied(denied: Tested, asked: Iterable[Tested]) -> bool:
    """Tell whether a text that has what is asked has what is denied: a longer beginning, end or part."""
    part = denied.operand
    for test in asked:
        whole = test.operand
        if denied.operator == "contains" and test.operator in ("contains", "starts_with", "ends_with"):
            if part in whole:
                return True
        elif denied.operator == test.operator == "starts_with":
            if whole.startswith(part):
                return True
        elif denied.operator == test.operator == "ends_with" and whole.endswith(part):
            return True
    return False


def _agree(parts: Sequence[str], fits: Callable[[str, str], bool]) -> bool:
    """Tell whether one text can begin (or end) with all: each is the beginning (or end) of the longest."""
    longest = max(parts, key=len, default="")
    return all(fits(longest, part) for part in parts)

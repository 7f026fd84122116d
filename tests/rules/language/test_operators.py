"""Operators: the values that pass each, the operands that it takes, and when operators on dates flip."""

from typing import Any

import pytest

from rules.ground.event import Value
from rules.ground.instants import FOREVER, parse_instant
from rules.ground.values import VALUE_TYPES, ValueType
from rules.language.operands import read_test
from rules.language.operators import OPERATORS
from rules.language.problems import DefinitionReader, Problems, Source
from rules.language.value_test import AT_NO_INSTANT, Test

DAY = 86_400_000
NOON = parse_instant("2026-03-01T12:00:00Z")


def read(kind: ValueType, operators: dict[str, Any]) -> Test:
    """Read operators that are right."""
    problems = Problems()
    test = read_test(DefinitionReader.of(Source("f", operators), problems), operators, kind, "it")
    assert test is not None, problems
    return test


def refused(kind: ValueType, operators: dict[str, Any]) -> list[str]:
    """Read operators that are wrong."""
    problems = Problems()
    assert read_test(DefinitionReader.of(Source("f", operators), problems), operators, kind, "it") is None
    return [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("kind", "operators", "holding", "failing"),
    [
        ("string", {"equals": "a"}, ["a"], ["A", "ab", None]),
        ("string", {"not_equals": "a"}, ["b", None], ["a"]),
        ("string", {"in": ["a", "b"]}, ["a", "b"], ["c", None]),
        ("string", {"not_in": ["a", "b"]}, ["c", None], ["a"]),
        ("string", {"exists": True}, ["a"], [None]),
        ("string", {"exists": False}, [None], ["a"]),
        ("string", {"contains": "bc"}, ["abcd"], ["acb", None]),
        ("string", {"starts_with": "ab"}, ["abc"], ["cab", None]),
        ("string", {"ends_with": "ab"}, ["cab"], ["abc", None]),
        ("string", {"matches": "a+|é."}, ["aaa", "éx", "éé"], ["ab", "é", "xa", None]),
        ("string", {"matches": ""}, [], ["a", " ", None]),
        ("number", {"equals": 1}, [1, 1.0], [True, 2, None]),
        ("number", {"in": [1, 2]}, [1.0, 2], [True, 3, None]),
        ("number", {"not_in": [1, 2]}, [True, 3, None], [1, 2.0]),
        ("number", {"above": 1}, [1.5], [1, None, "2", True]),
        ("number", {"at_least": 1}, [1, 1.0], [0.5, None]),
        ("number", {"below": 1}, [0.5, -1], [1, None]),
        ("number", {"at_most": 1}, [1, -1], [1.5, None]),
        ("number", {"between": [1, 2]}, [1, 1.5, 2], [0.9, 2.1, None]),
        ("integer", {"equals": 2.0}, [2], [3]),
        ("boolean", {"equals": True}, [True], [False, None, 1]),
        ("boolean", {"not_equals": True}, [False, None, 1], [True]),
        ("datetime", {"above": "2026-03-01"}, [NOON], [parse_instant("2026-03-01"), None]),
        ("datetime", {"equals": "2026-03-01T13:00:00+01:00"}, [NOON], [NOON + 1]),
        ("datetime", {"between": ["2026-03-01", "2026-03-01T12:00:00Z"]}, [NOON], [NOON + 1]),
        ("list", {"contains": "a"}, [("a", "b"), ["a"]], [("ab",), (), None]),
        ("list", {"contains_any": ["a", "b"]}, [("b", "c"), ["a"]], [("c",), (), None]),
        ("list", {"exists": True}, [("a",), ()], [None]),
        ("string", {"not_equals": "a", "exists": True}, ["b"], ["a", None]),
        ("string", {"not_equals": "a", "not_in": ["b"]}, ["c", None], ["a", "b"]),
        ("number", {"above": 1, "below": 3}, [2], [1, 3, None]),
    ],
)
def test_an_operator_holds_of_what_it_says(
    kind: ValueType, operators: dict[str, Any], holding: list[Value | None], failing: list[Value | None]
) -> None:
    test = read(kind, operators)
    for value in holding:
        assert test.holds(value, NOON), value
        assert test.verdict(value, NOON) == (True, FOREVER)
    for value in failing:
        assert not test.holds(value, NOON), value
        assert test.verdict(value, NOON) == (False, FOREVER)


def test_of_no_value_only_denials_hold() -> None:
    operands: dict[str, Any] = {"exists": False, "between": ["2026-01-01", "2026-02-01"], "older_than": "1d"}
    operands |= {"newer_than": "1d", "in": ["2026-01-01"], "not_in": ["2026-01-01"]}
    for name, operator in OPERATORS.items():
        if "datetime" in operator.kinds:
            holds = read("datetime", {name: operands.get(name, "2026-01-01")}).holds(None, NOON)
            assert holds == (name in ("not_equals", "not_in", "exists")), name


@pytest.mark.parametrize(("length", "flip"), [("2d", NOON + 2 * DAY), ("-2d", NOON - 2 * DAY)])
def test_older_than_holds_from_the_instant_on_and_newer_than_until_it(length: str, flip: int) -> None:
    older, newer = read("datetime", {"older_than": length}), read("datetime", {"newer_than": length})
    assert older.verdict(NOON, flip - 1) == (False, flip)
    assert older.verdict(NOON, flip) == (True, FOREVER)
    assert newer.verdict(NOON, flip - 1) == (True, flip)
    assert newer.verdict(NOON, flip) == (False, FOREVER)


def test_both_ages_hold_between_their_instants() -> None:
    test = read("datetime", {"older_than": "1d", "newer_than": "2d"})
    assert test.verdict(NOON, NOON) == (False, NOON + DAY)
    assert test.verdict(NOON, NOON + DAY) == (True, NOON + 2 * DAY)
    assert test.verdict(NOON, NOON + 2 * DAY) == (False, FOREVER)
    assert read("datetime", {"older_than": "2d", "newer_than": "2d"}).interval(NOON) == AT_NO_INSTANT


@pytest.mark.parametrize(
    ("kind", "operators", "said"),
    [
        ("string", {"equals": 1}, "must be a string"),
        ("string", {"equals": ""}, "exists: false"),
        ("string", {"equals": None}, "exists: false"),
        ("string", {"equal": "a"}, "did you mean 'equals'?"),
        ("string", {"above": "a"}, "is not for it, a string"),
        ("string", {"in": []}, "at least one string"),
        ("string", {"in": "a"}, "must be a list"),
        ("string", {"in": ["a", 1]}, "item 2 of 'in' must be a string"),
        ("string", {"exists": "yes"}, "true or false"),
        ("string", {"matches": "a("}, "RE2"),
        ("string", {"matches": "(?=a)"}, "RE2"),
        ("string", {"matches": r"(a)\1"}, "RE2"),
        ("number", {"equals": "1"}, "must be a number"),
        ("number", {"equals": True}, "must be a number"),
        ("number", {"above": float("nan")}, "must be a number"),
        ("number", {"between": [1]}, "a list of two"),
        ("integer", {"equals": 1.5}, "must be an integer"),
        ("datetime", {"above": "soon"}, "must be a datetime"),
        ("datetime", {"older_than": "3 days"}, "not a duration"),
        ("datetime", {"older_than": "0d"}, "longer than zero"),
        ("datetime", {"older_than": 3}, "duration like"),
        ("list", {"equals": ["a"]}, "is not for it, a list"),
        ("list", {"contains": ["a"]}, "must be a string"),
        ("list", {"contains_any": "a"}, "must be a list"),
        ("boolean", {"equals": "true"}, "must be a boolean"),
        ("string", {}, "needs an operator"),
    ],
)
def test_a_wrong_operand_is_said(kind: ValueType, operators: dict[str, Any], said: str) -> None:
    [message] = refused(kind, operators)
    assert said in message


@pytest.mark.parametrize(
    ("kind", "operand", "said"),
    [
        ("boolean", "yes", "'equals' must be a boolean, true or false, not 'yes'"),
        ("string", True, "'equals' must be a string, not true"),
        ("number", [1], "'equals' must be a number, not a list"),
        ("number", float("inf"), "'equals' must be a number; inf is not a finite number"),
        ("integer", 1.5, "'equals' must be an integer, not 1.5"),
        ("integer", 1 << 60, f"'equals' must be an integer; {1 << 60} is an integer beyond 2^53"),
        (
            "datetime",
            "2027-02-30",
            "'equals' must be a datetime like 2027-01-31 or 2027-01-31T12:00:00Z, not '2027-02-30'",
        ),
    ],
)
def test_a_wrong_operand_is_told_apart_from_the_right_ones(kind: ValueType, operand: Any, said: str) -> None:
    assert refused(kind, {"equals": operand}) == [said]


def test_every_problem_is_said_at_once() -> None:
    assert len(refused("string", {"equals": 1, "above": 2, "equls": "a"})) == 3


@pytest.mark.parametrize("kind", VALUE_TYPES)
def test_every_type_has_operators(kind: ValueType) -> None:
    assert [name for name, operator in OPERATORS.items() if kind in operator.kinds]


def test_a_fact_that_kept_another_type_fails_without_an_error() -> None:
    for kind, operators in [
        ("string", {"starts_with": "a"}),
        ("string", {"matches": "a"}),
        ("string", {"contains": "a"}),
        ("number", {"above": 1}),
        ("datetime", {"older_than": "1d"}),
        ("list", {"contains_any": ["a"]}),
    ]:
        other: Value = 5 if kind in ("string", "list") else "a"
        assert not read(kind, operators).holds(other, NOON)  # type: ignore[arg-type]


def test_operators_say_themselves() -> None:
    assert read("string", {"in": ["a", "b"], "exists": True}).text == "in [a, b] and exists"
    assert read("datetime", {"older_than": "-30d"}).text == "older than -30d"
    assert read("string", {"matches": ""}).text == "matches ''"
    assert read("number", {"between": [1, 2.5]}).text == "between 1 and 2.5"

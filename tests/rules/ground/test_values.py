"""Typed values: what each type takes, what is no value, what is refused and how."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.ground.values import VALUE_TYPES, BadNumber, ValueType, WrongType, may_be_both, typed


@pytest.mark.parametrize("kind", VALUE_TYPES)
@pytest.mark.parametrize("raw", [None, ""])
def test_null_and_empty_text_are_no_value_of_every_type(kind: ValueType, raw: Any) -> None:
    assert typed(kind, raw) is None


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("string", " ", " "),
        ("string", "2026-03-01", "2026-03-01"),
        ("number", 1, 1),
        ("number", 1.5, 1.5),
        ("number", -0.0, 0),
        ("number", 2**53, 2**53),
        ("number", 2**53 + 1, float(2**53)),
        ("integer", 1, 1),
        ("integer", 1.0, 1),
        ("integer", -(2**53), -(2**53)),
        ("integer", float(2**53), 2**53),
        ("boolean", True, True),
        ("boolean", False, False),
        ("datetime", "1970-01-02", 86_400_000),
        ("datetime", "1970-01-01T01:00:00.0019+01:00", 1),
        ("list", [], ()),
        ("list", ["a", "", "a"], ("a", "", "a")),
    ],
)
def test_a_value_of_its_type_is_taken(kind: ValueType, raw: Any, value: Any) -> None:
    found = typed(kind, raw)
    assert found == value
    assert found.__class__ is value.__class__ or kind == "number"


def test_an_integer_is_an_integer_however_it_is_spelt() -> None:
    assert typed("integer", 3.0).__class__ is int


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("string", 1),
        ("string", True),
        ("string", ["a"]),
        ("string", {}),
        ("number", "1"),
        ("number", True),
        ("number", []),
        ("integer", "1"),
        ("integer", 1.5),
        ("integer", False),
        ("boolean", 1),
        ("boolean", 0),
        ("boolean", "true"),
        ("datetime", 0),
        ("datetime", "yesterday"),
        ("datetime", "2026-03-01T23:59:60Z"),
        ("datetime", "2026-03-01T10:00:00"),
        ("datetime", "2026-02-30"),
        ("datetime", "0000-01-01"),
        ("datetime", "0001-01-01T00:00:00+01:00"),
        ("list", "a"),
        ("list", [None]),
        ("list", [1]),
        ("list", ["a", ["b"]]),
        ("list", {}),
    ],
)
def test_a_value_of_another_type_is_refused(kind: ValueType, raw: Any) -> None:
    with pytest.raises(WrongType):
        typed(kind, raw)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("integer", 2**53 + 1),
        ("integer", -(2**53) - 1),
        ("integer", 1e300),
        ("integer", float("inf")),
        ("integer", float("nan")),
        ("number", float("-inf")),
        ("number", float("nan")),
        ("number", 10**400),
    ],
)
def test_a_number_that_is_none_is_refused(kind: ValueType, raw: Any) -> None:
    with pytest.raises(BadNumber):
        typed(kind, raw)


@given(st.integers(-(2**70), 2**70))
def test_a_number_does_not_depend_on_how_it_was_parsed(number: int) -> None:
    assert typed("number", number) == typed("number", float(number))


@given(
    st.sampled_from(VALUE_TYPES),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text() | st.none()),
)
def test_a_value_is_taken_or_refused_and_what_was_taken_is_taken_again(kind: ValueType, raw: Any) -> None:
    try:
        value = typed(kind, raw)
    except (WrongType, BadNumber):
        return
    if kind != "datetime":
        assert typed(kind, value) == value


def test_types_that_share_a_value_are_number_and_integer_and_string_and_datetime() -> None:
    pairs = {(one, other) for one in VALUE_TYPES for other in VALUE_TYPES if one < other and may_be_both(one, other)}
    assert pairs == {("integer", "number"), ("datetime", "string")}
    assert all(may_be_both(kind, kind) for kind in VALUE_TYPES)

"""Laws of pieces: an effect is taken in whole or not at all, however it is cut and whatever comes between."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.persons.effects import FACT_TYPE, FACTS_TYPE, Effect, seal
from rules.engine.persons.pieces import PIECE, Waiting, gather

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
DATA = st.dictionaries(
    TEXT.filter(lambda key: key != PIECE), st.lists(TEXT | st.integers(-9, 9), max_size=6), max_size=6
)
SMALL = 500
"""Bytes of a record in these tests: small, so that there are many pieces."""


def taken(values: list[bytes], waiting: Waiting | None = None) -> tuple[Waiting, list[Any]]:
    """Let one target take values in order: the pieces that wait at the end, and the effects that were whole."""
    waiting, whole = waiting or {}, []
    for value in values:
        waiting, data = gather(waiting, orjson.loads(value)["data"])
        whole += [] if data is None else [data]
    return waiting, whole


def sealed(*data: Any, offset: int = 7, bytes_max: int = SMALL) -> list[bytes]:
    effects = [Effect("hcp:2", FACTS_TYPE, each) for each in data]
    return [each.value for each in seal(effects, "g1", "hcp:1", offset, 5_000, bytes_max)]


@given(st.lists(DATA, max_size=4), st.integers(SMALL, 3_000))
def test_the_pieces_are_taken_as_what_was_cut_and_none_is_too_large(data: list[Any], bytes_max: int) -> None:
    values = sealed(*data, bytes_max=bytes_max)
    assert values == sealed(*data, bytes_max=bytes_max)
    assert all(len(value) + len("hcp:2") <= bytes_max for value in values)
    assert len({orjson.loads(value)["id"] for value in values}) == len(values)
    assert taken(values) == ({}, data)


@given(DATA, DATA, st.data())
def test_pieces_of_two_causes_may_stand_in_any_order_among_each_other(
    one: Any, other: Any, draw: st.DataObject
) -> None:
    left, right = sealed(one, offset=7), sealed(other, offset=8)
    merged = []
    while left or right:
        merged.append((left if not right or (left and draw.draw(st.booleans())) else right).pop(0))
    waiting, whole = taken(merged)
    assert waiting == {}
    assert whole in ([one, other], [other, one])


@given(st.dictionaries(st.just("x"), st.text('é"\\', min_size=800), min_size=1), st.data())
def test_without_every_piece_nothing_is_taken(data: Any, draw: st.DataObject) -> None:
    values = sealed(data)
    assert len(values) > 1
    del values[draw.draw(st.integers(0, len(values) - 1))]
    assert taken(values)[1] == []


def test_an_effect_of_usual_size_is_not_cut_and_a_large_one_is() -> None:
    [value] = sealed({"x": "y" * 899_000}, bytes_max=900_000)
    assert len(value) < 900_000
    many = sealed({"x": "y" * 2_000_000}, bytes_max=900_000)
    assert [len(value) > 850_000 for value in many] == [True, True, False]


def test_subjects_as_long_as_an_event_leave_room() -> None:
    cause, target = "hcp:" + "c" * 262_000, "hcp:" + "t" * 262_000
    for effect in seal([Effect(target, FACT_TYPE, {"x": "y" * 500_000})], "g1", cause, 7, 5_000):
        assert len(effect.value) + len(target) <= 900_000


@pytest.mark.parametrize(
    "piece",
    [
        None,
        {},
        {"of": 1, "n": 1, "count": 1, "text": "{}"},
        {"of": "a", "n": 0, "count": 1, "text": "{}"},
        {"of": "a", "n": 2, "count": 1, "text": "{}"},
        {"of": "a", "n": 2, "count": 2, "text": "{}"},
        {"of": "a", "n": True, "count": 1, "text": "{}"},
        {"of": "a", "n": 1, "count": 1, "text": "[]"},
        {"of": "a", "n": 1, "count": 1, "text": "{"},
    ],
)
def test_what_is_no_piece_says_nothing(piece: Any) -> None:
    assert gather({}, {PIECE: piece}) == ({}, None)

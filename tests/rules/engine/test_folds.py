"""The index of folds leaves out no memory that an event could move."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.conditions.memory import Memory
from rules.engine.folds import Fold, type_folds
from rules.ground.event import Value
from tests.rules.conditions.worlds import START, World, contexts, event, histories, memory, placed, rules

ASKING = sorted(kind for kind in rules if kind in {"event", "last", "absent", "sequence", "aggregate", "score"})
"""The kinds with a `where`."""


def keys_shown(memories: list[Memory], kind: str, data: dict[str, Value]) -> list[str]:
    """Return the keys of the memories that an event is shown to."""
    folds = [Fold(each.state_key, each, 0, 0, 0, 0, False, 0) for each in memories if kind in each.types]
    return [fold.state_key for fold in type_folds(kind, folds).of(event(0, kind=kind, data=data))]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_every_memory_that_an_event_moves_is_shown_the_event_once(data: st.DataObject) -> None:
    context = data.draw(contexts)
    drawn = data.draw(st.lists(st.sampled_from(ASKING).flatmap(lambda kind: rules[kind]), min_size=1, max_size=6))
    worlds = [World(placed(rule, context), context) for rule in drawn]
    memories = list({each.state_key: each for world in worlds for each in world.memories}.values())
    for one in data.draw(histories()):
        shown = keys_shown(memories, one.type, dict(one.data))
        assert len(shown) == len(set(shown))
        for each in memories:
            if one.type in each.types and each.fold(None, one, 1, START + 45) is not None:
                assert each.state_key in shown


def counting(where: dict[str, Any], kind: str = "a") -> Memory:
    """The memory of a count."""
    return memory({"event": kind, "where": where, "within": "10ms"})


@pytest.mark.parametrize(
    ("where", "data", "shown"),
    [
        ({"n": {"equals": 1}}, {"n": 1.0}, True),
        ({"n": {"in": [1.0, 2]}}, {"n": 1}, True),
        ({"n": {"in": [1.0, 2]}}, {"n": 3}, False),
        ({"k": {"in": ["x", "y"]}}, {"k": "y"}, True),
        ({"k": {"in": ["x", "y"], "not_equals": "y"}}, {"k": "z"}, False),
        ({"k": {"in": ["x", "y"]}, "n": {"equals": 1}}, {"k": "x", "n": 2}, False),
        ({"k": {"equals": "x"}}, {}, False),
        ({"k": {"not_in": ["x"]}}, {}, True),
        ({"k": {"equals": "x", "in": ["y"]}}, {"k": "x"}, False),
        ({"l": {"contains": "x"}}, {"l": ("y",)}, True),
        ({"n": {"at_least": 2}}, {"n": 2.0}, True),
        ({"n": {"at_least": 2}}, {"n": 1.5}, False),
        ({"n": {"at_least": 2}}, {}, False),
        ({"n": {"at_least": 1}}, {"n": True}, False),
        ({"n": {"above": 2, "between": [3, 4]}}, {"n": 2.5}, False),
        ({"n": {"between": [2, 3]}}, {"n": 3}, True),
        ({"k": {"in": ["x", "y"]}, "n": {"at_least": 2}}, {"k": "x", "n": 1}, False),
        ({"k": {"in": ["x", "y"]}, "n": {"at_least": 2}}, {"k": "x", "n": 7}, True),
    ],
)
def test_an_event_is_shown_to_the_memories_of_its_values(
    where: dict[str, Any], data: dict[str, Value], shown: bool
) -> None:
    one = counting(where)
    assert (keys_shown([one], "a", data) == [one.state_key]) is shown


def test_an_event_is_shown_to_the_memories_whose_bound_its_number_reaches() -> None:
    low, high, equal = (counting({"n": {"at_least": bound}}) for bound in (1, 3, 2))
    assert keys_shown([high, low, equal], "a", {"n": 2}) == [low.state_key, equal.state_key]


def test_a_sequence_is_shown_what_any_of_its_steps_may_match() -> None:
    steps = [{"event": "a", "where": {"k": {"equals": value}}} for value in ("x", "y")]
    narrow = memory({"sequence": steps, "within": "10ms"})
    wide = memory({"sequence": [steps[0], "a"], "within": "10ms"})
    assert keys_shown([narrow, wide], "a", {"k": "y"}) == [wide.state_key, narrow.state_key]
    assert keys_shown([narrow, wide], "a", {"k": "z"}) == [wide.state_key]

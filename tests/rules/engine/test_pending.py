"""A pending condition is its leaf in all but the verdict: it forwards everything that a condition has."""

import inspect
from typing import Any

import pytest

from rules.conditions.base import Condition
from rules.engine.pending import Guard, Pending
from rules.ground.instants import FOREVER
from tests.rules.conditions.worlds import START, World, condition

OWN = {"verdict", "conditions", "looks_at_history", "with_leaves", "with_inner", "of_cut"}
"""What a pending condition answers itself: no verdict for now, itself as the leaf, and that it looks at history. No
plan makes another condition of it."""
MEMBERS = sorted(
    {
        name
        for kind in Condition.__mro__[:-1]
        for name in (*vars(kind), *inspect.get_annotations(kind))
        if name[0] != "_"
    }
    - OWN
)
"""All that a condition has, read off the class: a new member is a new case here."""


def test_the_members_of_a_condition_are_found() -> None:
    assert {"kind", "memory", "parts", "mark", "facts", "evidence", "completions", "words"} <= set(MEMBERS)
    assert not any(name.startswith("_") for name in MEMBERS)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_pending_condition_forwards_it(name: str) -> None:
    """The leaf answers with a value that nothing else has, and is handed what was asked."""
    leaf, answer, asked = condition({"event": "a"}), object(), []
    member = getattr(Condition, name, None)
    if inspect.isfunction(member):

        def method(*arguments: Any) -> object:
            asked.append(arguments)
            return answer

        setattr(leaf, name, method)
        arguments = tuple(object() for _ in list(inspect.signature(member).parameters)[1:])
        assert getattr(Pending(leaf, ()), name)(*arguments) is answer
        assert asked == [arguments]
    else:
        setattr(leaf, name, answer)
        assert getattr(Pending(leaf, ()), name) is answer


def test_it_has_no_verdict_while_a_guard_stands_and_then_that_of_its_leaf() -> None:
    world = World({"everyone": True})
    leaf = world.conditions[0]
    pending = Pending(leaf, (Guard(1, FOREVER, START + 5, None, "s"), Guard(1, FOREVER, START + 9, None, "s")))
    assert pending.verdict(world.view(0)) == (None, START + 5)
    assert pending.verdict(world.view(5)) == (None, START + 9)
    assert pending.verdict(world.view(9)) == (True, FOREVER)
    assert list(pending.conditions()) == [pending]
    assert pending.looks_at_history

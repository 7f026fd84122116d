"""Groups: Kleene's three values, next flips that are never late, paths, and what does not compile."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.catalogue.logic import AllOf, AnyOf, AtLeastOf, Group, NoneOf, leaves
from rules.conditions.base import Condition, Node, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.kinds import DEFINED, KINDS
from rules.conditions.view import View
from rules.ground.instants import FOREVER
from tests.naive.conditions import at_least_of
from tests.rules.conditions.worlds import CONTEXT, KnownFacts, compiled, refused


class Scripted(Node):
    """Takes one verdict after another, at given instants."""

    def __init__(self, verdicts: list[bool | None]) -> None:
        self.verdicts = verdicts

    def verdict(self, view: View) -> Verdict:
        """The scripted one, and when the script changes."""
        now = self.verdicts[view.t_ms]
        later = (at for at in range(view.t_ms, len(self.verdicts)) if self.verdicts[at] is not now)
        return now, next(later, FOREVER)

    def describe(self) -> str:
        """Say it."""
        return "scripted"

    def conditions(self) -> Iterator[Condition]:
        """None."""
        return iter(())


def truth(group: Group, verdicts: list[bool | None]) -> bool | None:
    """The naive verdict of a group of parts with these."""
    if isinstance(group, AtLeastOf):
        return at_least_of(verdicts, group.n)
    if isinstance(group, AllOf):
        return at_least_of(verdicts, len(verdicts))
    found = at_least_of(verdicts, 1)
    return found if isinstance(group, AnyOf) or found is None else not found


def groups(parts: tuple[Node, ...]) -> list[Group]:
    """Every group of the parts."""
    return [AllOf(parts), AnyOf(parts), NoneOf(parts), *(AtLeastOf(n + 1, parts) for n in range(len(parts)))]


def view(t_ms: int) -> View:
    """An instant."""
    return View(t_ms, KnownFacts())


@pytest.mark.parametrize("verdicts", [list(three) for three in product([True, False, None], repeat=3)])
def test_groups_follow_kleene(verdicts: list[bool | None]) -> None:
    for group in groups(tuple(Scripted([verdict]) for verdict in verdicts)):
        assert group.verdict(view(0))[0] is truth(group, verdicts)


@settings(max_examples=300)
@given(st.lists(st.lists(st.sampled_from([True, False, None]), min_size=6, max_size=6), min_size=1, max_size=4))
def test_the_next_flip_of_a_group_is_never_late(scripts: list[list[bool | None]]) -> None:
    for group in groups(tuple(map(Scripted, scripts))):
        for t_ms in range(6):
            holds, next_ms = group.verdict(view(t_ms))
            assert next_ms > t_ms
            for later in range(t_ms, min(next_ms, 6)):
                assert truth(group, [script[later] for script in scripts]) is holds


def test_a_part_false_for_ever_ends_the_look() -> None:
    class Untouched(Scripted):
        def verdict(self, view: View) -> Verdict:
            raise AssertionError("looked at")

    assert AllOf((Scripted([False]), Untouched([]))).verdict(view(0)) == (False, FOREVER)
    assert AnyOf((Scripted([True]), Untouched([]))).verdict(view(0)) == (True, FOREVER)


LOGIN = {"event": "a"}
NESTED = {
    "all": [LOGIN, {"any": [LOGIN, {"none": [LOGIN, {"at_least_of": {"n": 1, "of": [LOGIN, {"none": [LOGIN]}]}}]}]}]
}


def test_leaves_have_their_paths_and_know_their_denials() -> None:
    assert [(path, denied) for path, _, denied in leaves(compiled(NESTED), "enter")] == [
        ("enter.all[0]", False),
        ("enter.all[1].any[0]", False),
        ("enter.all[1].any[1].none[0]", True),
        ("enter.all[1].any[1].none[1].at_least_of.of[0]", True),
        ("enter.all[1].any[1].none[1].at_least_of.of[1].none[0]", False),
    ]
    assert [path for path, _, _ in leaves(compiled(LOGIN), "exit")] == ["exit"]


def test_leaves_keep_their_raw_definition() -> None:
    assert [leaf.definition for leaf in compiled(NESTED).conditions()] == [LOGIN] * 5


def test_mapped_leaves_stand_where_they_stood() -> None:
    changed = compiled(NESTED).with_leaves(lambda leaf: AnyOf((leaf,)))
    assert [path for path, _, _ in leaves(changed, "enter")][-1] == (
        "enter.all[1].any[1].none[1].at_least_of.of[1].none[0].any[0]"
    )


def test_rules_say_themselves() -> None:
    assert compiled({"at_least_of": {"n": 2, "of": [LOGIN, {"everyone": True}]}}).describe() == (
        "at least 2 of (1 or more of a; everyone)"
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "must not be empty"),
        ([], "'enter' must be a condition or a group: a mapping like {trait: NAME, equals: VALUE} or {all: […]}"),
        (
            "everyone",
            "'enter' must be a condition or a group: a mapping like {trait: NAME, equals: VALUE} or {all: […]}",
        ),
        ({"all": []}, "'all' must not be empty"),
        ({"all": {"event": "a"}}, "must be a list"),
        ({"all": [LOGIN], "any": [LOGIN]}, "cannot stand beside"),
        ({"al": [LOGIN]}, "did you mean 'all'?"),
        ({"evnt": "a"}, "did you mean 'event'?"),
        ({"everyone": False}, "'everyone'"),
        ({"at_least_of": 2}, "'at_least_of' must be a mapping like {n: 2, of: […]}"),
        ({"at_least_of": {"n": 0, "of": [LOGIN]}}, "at least 1"),
        ({"at_least_of": {"n": True, "of": [LOGIN]}}, "must be an integer"),
        ({"at_least_of": {"of": [LOGIN]}}, "missing key 'n'"),
        ({"at_least_of": {"n": 1, "of": []}}, "'of' must not be empty"),
        ({"any": [LOGIN, {"event": "zz"}]}, "unknown event 'zz'"),
    ],
)
def test_a_wrong_rule_is_said(rule: Any, said: str) -> None:
    assert any(said in message for message in refused(rule))


def test_every_problem_of_a_rule_is_said_at_once() -> None:
    assert len(refused({"all": [{"event": "x1"}, {"any": [{"trait": "x2", "equals": "a"}, {"nope": 1}]}]})) == 3


def test_a_restriction_may_refuse_by_traits_and_consent_only() -> None:
    context = RuleContext(CONTEXT.dictionary, "restriction", "", forgets=False)
    compiled({"trait": "b", "equals": True}, context)
    compiled({"consent": {"channel": "email", "purpose": "all"}, "is": "withdrawn"}, context)
    assert refused({"event": "a"}, context)
    assert refused({"trait": "b", "equals": True, "for": "3d"}, context)


def test_the_table_of_kinds_is_total() -> None:
    assert {kind.name for kind in KINDS} == set(DEFINED)

"""What two rules ask differently: which condition came, went, changed or moved, and from what to what."""

import pytest

from rules.catalogue.catalogue import Catalogue
from rules.reports.definition_changes import DefinitionChange, definition_changes
from rules.reports.value_changes import Change
from tests.rules.catalogues import load

LOGIN = "{event: portal.login, within: 30d}"
VIEWED = "{event: portal.viewed, where: {topic: {equals: coverage}}, within: 7d}"


def catalogue(enter: str, more: str = "", version: int = 1, status: str = "approved") -> Catalogue:
    text = f"segment: s\nversion: {version}\nstatus: {status}\nenter: {enter}\n{more}"
    return load({"segments/s.yaml": text})


def changes(was: str, now: str) -> list[tuple[str, str, str]]:
    """What differs between two rules: the way, the path, and what is said of it in short."""
    [found] = definition_changes(catalogue(was), catalogue(now, version=2))
    return [(each.way, each.at, "; ".join(part.said for part in each.parts)) for each in found.changes]


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (LOGIN, f"{{all: [{LOGIN}, {VIEWED}]}}", [("came", "enter.all[1]", "")]),
        (f"{{all: [{LOGIN}, {VIEWED}]}}", VIEWED, [("went", "enter.all[0]", "")]),
        (LOGIN, LOGIN.replace("30d", "45d"), [("changed", "enter", "within 30d → 45d")]),
        (LOGIN, VIEWED, [("came", "enter", ""), ("went", "enter", "")]),
        # order and groups that decide nothing are no change
        (f"{{all: [{LOGIN}, {VIEWED}]}}", f"{{all: [{VIEWED}, {LOGIN}]}}", []),
        (f"{{all: [{LOGIN}, {VIEWED}]}}", f"{{all: [{{all: [{VIEWED}]}}, {{any: [{LOGIN}]}}]}}", []),
        # another group decides with them
        (
            f"{{all: [{LOGIN}, {VIEWED}]}}",
            f"{{any: [{LOGIN}, {VIEWED}]}}",
            [("moved", "enter.any[0]", ""), ("moved", "enter.any[1]", "")],
        ),
        (
            f"{{all: [{LOGIN}, {VIEWED}]}}",
            f"{{all: [{LOGIN}, {{none: [{VIEWED}]}}]}}",
            [("moved", "enter.all[1].none[0]", "")],
        ),
        (
            f"{{at_least_of: {{n: 1, of: [{LOGIN}, {VIEWED}]}}}}",
            f"{{at_least_of: {{n: 2, of: [{LOGIN}, {VIEWED}]}}}}",
            [("moved", "enter.at_least_of.of[0]", ""), ("moved", "enter.at_least_of.of[1]", "")],
        ),
        # of two conditions on one event the one that is left as it was is no part of it
        (
            f"{{any: [{LOGIN}, {VIEWED}]}}",
            f"{{any: [{VIEWED.replace('coverage', 'pricing')}, {LOGIN}]}}",
            [("changed", "enter.any[0]", "where.topic.equals coverage → pricing")],
        ),
        (
            "{trait: country, in: [US, CA]}",
            "{trait: country, in: [US, DE]}",
            [("changed", "enter", "in went: CA; in came: DE")],
        ),
    ],
)
def test_what_differs_between_two_rules(was: str, now: str, expected: list[tuple[str, str, str]]) -> None:
    if expected:
        assert sorted(changes(was, now)) == sorted(expected)
    else:
        [found] = definition_changes(catalogue(was), catalogue(now, version=2))
        assert found.changes == ()


def test_a_moved_condition_says_which_group_decides_with_it() -> None:
    [found] = definition_changes(
        catalogue(f"{{all: [{LOGIN}, {VIEWED}]}}"), catalogue(f"{{any: [{LOGIN}, {VIEWED}]}}", version=2)
    )
    first = found.changes[0]
    assert first.now == f"{first.was} (any of)"


def one(was: Catalogue | None, now: Catalogue) -> DefinitionChange:
    [found] = definition_changes(was, now)
    return found


def test_every_other_key_is_compared_with_its_value_before_and_after() -> None:
    was = catalogue(LOGIN, "min_stay: 3d\nmarkets: [US, CA]\nowner: {team: a}\ntitle: One\n")
    now = catalogue(LOGIN, "markets: [US, DE]\nowner: {team: b, compliance: c}\ntitle: One\nmax_stay: 9d\n", 2)
    # the policy names no market trait, so `markets` describes only
    found = one(was, now)
    assert (found.way, found.versions) == ("changed", (1, 2))
    assert set(found.changes) == {
        Change("markets", "went", "CA", ""),
        Change("markets", "came", "", "DE"),
        Change("owner.team", "changed", "a", "b"),
        Change("owner.compliance", "came", "", "c"),
        Change("max_stay", "came", "", "9d"),
        Change("min_stay", "went", "3d", ""),
        # with max_stay the rule counts only what is later than the last exit
    } | {each for each in found.changes if each.at == "enter"}


def test_drafts_are_compared_too() -> None:
    found = one(catalogue(LOGIN, status="draft"), catalogue(VIEWED, status="in_review"))
    assert (found.way, found.means) == ("not in force", "from draft to in_review")
    assert [each.way for each in found.changes] == ["came", "went", "changed"]
    assert one(catalogue(LOGIN), catalogue(LOGIN, status="retired")).way == "retired"


def test_without_a_catalogue_before_all_is_new() -> None:
    found = definition_changes(None, catalogue(LOGIN))
    assert ("segment", "s", "new", (None, 1)) in [(each.kind, each.id, each.way, each.versions) for each in found]


def test_what_is_the_same_is_not_named() -> None:
    assert definition_changes(catalogue(LOGIN), catalogue(LOGIN)) == []

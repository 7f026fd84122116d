"""A segment file: its keys, and the errors that mistakes get."""

import pytest

from rules.catalogue.segment import Layers, Owner
from rules.ground.instants import FOREVER, MS_PER_DAY
from tests.rules.catalogues import load, refused, segment

WHOLE = """\
segment: oncology-access-planners
version: 3
status: approved
title: Community oncology teams focused on access pathways
decision: Route to access-resource nurture instead of clinical education
layers: {audience: hcp, use_case: access-planning, stage: evaluation}
parent: oncology-hcp
markets: [US, NO]
owner: {team: us-oncology-marketing, compliance: mlr-oncology}
enter:
  all:
    - {trait: specialty, in: [medical-oncology, hematology-oncology]}
    - {event: portal.viewed, where: {topic: {in: [coverage, prior-authorization]}}, count: {at_least: 2}, within: 30d}
exit: {event: portal.login, since: entry}
min_stay: 3d
max_stay: 180d
reenter_after: 14d
description: >
  Two lines,
  folded.
tags: [oncology]
"""


def wrong(text: str) -> list[str]:
    return refused({"segments/a.yaml": text})


def test_a_whole_segment_is_read() -> None:
    found = load({"segments/a.yaml": WHOLE, "segments/b.yaml": segment("oncology-hcp")}).segments[
        "oncology-access-planners"
    ]
    assert (found.version, found.status, found.parent) == (3, "approved", "oncology-hcp")
    assert found.layers == Layers(audience="hcp", use_case="access-planning", stage="evaluation")
    assert found.markets == ("US", "NO")
    assert found.owner == Owner(team="us-oncology-marketing", compliance="mlr-oncology")
    assert (found.min_stay_ms, found.max_stay_ms) == (3 * MS_PER_DAY, 180 * MS_PER_DAY)
    assert found.reenter_after_ms == 14 * MS_PER_DAY
    assert found.description == "Two lines, folded.\n"
    assert found.tags == ("oncology",)
    assert found.exit is not None
    assert found.raw["enter"]["all"][0] == {"trait": "specialty", "in": ["medical-oncology", "hematology-oncology"]}


def test_only_four_keys_are_required() -> None:
    found = load({"segments/x/y.yaml": segment("a")}).segments["a"]
    assert (found.title, found.parent, found.markets, found.tags) == (None, None, (), ())
    assert (found.layers, found.owner, found.exit) == (Layers(), Owner(), None)
    assert (found.min_stay_ms, found.max_stay_ms, found.reenter_after_ms) == (None, None, None)


def test_never_is_for_ever() -> None:
    assert load({"segments/a.yaml": segment("a", "reenter_after: never")}).segments["a"].reenter_after_ms == FOREVER


RULE = "a condition or a group: a mapping like {trait: NAME, equals: VALUE} or {all: […]}"


@pytest.mark.parametrize(
    ("more", "forgets"),
    [("", False), ("exit: {everyone: true}", True), ("max_stay: 3d", True), ("min_stay: 3d\nreenter_after: 3d", False)],
)
def test_a_segment_forgets_with_an_exit_or_a_longest_stay(more: str, forgets: bool) -> None:
    catalogue = load({"segments/a.yaml": segment("a", more)})
    assert catalogue.forgets("a") is catalogue.segments["a"].forgets is forgets


@pytest.mark.parametrize("status", ["draft", "in_review", "approved", "retired"])
def test_a_segment_of_any_status_is_checked_and_kept(status: str) -> None:
    catalogue = load({"segments/a.yaml": segment("a", status=status)})
    assert catalogue.segments["a"].status == status
    assert list(catalogue.approved) == (["a"] if status == "approved" else [])
    assert wrong(segment("a", "x: 1", status=status))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("segment: a", [
            "1:1: missing key 'enter'", "1:1: missing key 'status'", "1:1: missing key 'version'",
        ]),
        (segment("a", "tittle: x"), ["5:1: unknown key 'tittle'; did you mean 'title'?"]),
        (segment("a", "on: x"), ["5:1: unknown key 'on'"]),
        (segment("Oncology HCP"), [
            "1:1: 'segment' must be an id: up to 64 of a-z, 0-9 and -, the first no -",
        ]),
        (segment("a" * 65), ["1:1: 'segment' must be an id: up to 64 of a-z, 0-9 and -, the first no -"]),
        (segment("a", status="Approved"), [
            "3:1: 'status' must be 'draft', 'in_review', 'approved' or 'retired', not 'Approved'; "
            "did you mean 'approved'?",
        ]),
        (segment("a", "layers: {audience: 'hcp:'}"), [
            "5:10: 'audience' must be the kind of a subject: a text without : and | and control characters",
        ]),
        (segment("a", "layers: {audience: [hcp]}"), ["5:10: 'audience' must be a text"]),
        (segment("a", "layers: {audiance: hcp}"), ["5:10: unknown key 'audiance'; did you mean 'audience'?"]),
        (segment("a", "layers:"), ["5:1: 'layers' must not be empty; leave the key out instead"]),
        (segment("a", "markets: []"), ["5:1: 'markets' must not be empty"]),
        (segment("a", "markets: US"), ["5:1: 'markets' must be a list"]),
        (segment("a", "markets: [US, false]"), ["5:15: item 2 of 'markets' must be a text"]),
        (segment("a", "owner: {teem: x}"), ["5:9: unknown key 'teem'; did you mean 'team'?"]),
        (segment("a", "min_stay: 3"), [
            "5:1: 'min_stay' must be a duration: a positive integer and one of ms s m h d w, like 30d",
        ]),
        (segment("a", "max_stay: -3d"), [
            "5:1: 'max_stay': not a duration: a positive integer and one of ms s m h d w, like 30d",
        ]),
        (segment("a", "reenter_after: nevr"), [
            "5:1: 'reenter_after': not a duration: a positive integer and one of ms s m h d w, like 30d; or never",
        ]),
        (segment("a", "reenter_after: 3"), ["5:1: 'reenter_after' must be a duration like 14d, or never"]),
        (segment("a", "exit:"), ["5:1: 'exit' must be " + RULE]),
        (segment("a", enter="[]"), ["4:1: 'enter' must be " + RULE]),
        (segment("a", enter="{}"), ["4:1: 'enter' must not be empty"]),
        (segment("a", enter="{all: []}"), ["4:9: 'all' must not be empty"]),
        (segment("a", enter="{trait: speciality, exists: true}"), [
            "4:9: unknown trait 'speciality'; did you mean 'specialty'?",
        ]),
        ("- segment: a", ["1:1: the file must be a mapping like {segment: …, version: …, status: …, enter: …}"]),
        ("", ["1:1: the file must be a mapping like {segment: …, version: …, status: …, enter: …}"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_segment_is_said_at_its_place(text: str, said: list[str]) -> None:
    if "'on'" in said[0]:  # the known keys follow
        assert wrong(text)[0].startswith(f"segments/a.yaml:{said[0]}")
    else:
        assert wrong(text) == [f"segments/a.yaml:{one}" for one in said]


def test_rules_are_checked_beside_wrong_keys() -> None:
    said = wrong(segment("a", "min_stay: 3\nexit: {trait: x, exists: true}", enter="{trait: y, exists: true}"))
    assert [one.split(":")[1] for one in said] == ["4", "5", "6"]

"""Affiliations explained: to which organisations a profile is tied, and which one told each fact."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from rules.engine.profile import unpack
from rules.explain.affiliations import explain_affiliations
from rules.explain.segments import Leaf, explain, without_affiliations
from rules.ground.event import sent_id
from streams.operations.sight import Sight
from tests.rules.explain.test_persons import CRM, HCP, Row, replayed_with, row
from tests.transcripts.implementations import compiled

FILES: Final[Mapping[str, Any]] = {
    "dictionary.yaml": {
        "events": {
            "viewed": {},
            "changed": {
                "data": {"status": {"type": "string"}},
                "reaches": {"roles": ["prescriber", "owner"], "as": "told"},
            },
            "told": {"data": {"organisation": {"type": "string"}, "status": {"type": "string"}}},
        }
    },
    "segments/s.yaml": {
        "segment": "s",
        "version": 1,
        "status": "approved",
        "enter": {"event": ["told", "viewed"], "count": {"at_least": 2}, "within": "60d"},
    },
}
PAYER, OTHER = "payer:7", "payer:9"
TIE: Final = {"organisation": PAYER, "role": "prescriber"}


def said(subject: str, *rows: Row) -> tuple[list[str], Leaf]:
    """Return what is said of a subject's affiliations, and its one condition."""
    replay = replayed_with(FILES, rows)
    profile, plan = replay.partition.profiles[subject], replay.partition.current
    assert plan is not None
    kept = unpack(subject, profile.pack())
    if kept.person is None:
        profile = kept
    leaf = explain(profile, plan, profile.evaluated_ms, "g1")[0].enter[0]
    return [str(each) for each in explain_affiliations(profile)], leaf


def test_who_is_tied_says_to_which_organisation_as_what_and_since_which_event() -> None:
    rows = [row(1, HCP, "affiliation.started", **TIE), row(2, HCP, "affiliation.ended", **TIE)]
    assert said(HCP, *rows[:1])[0] == ["tied to payer:7 as prescriber since 2026-03-01T00:00:00.000Z by /s e1"]
    assert said(HCP, *rows)[0] == ["no longer tied to payer:7 as prescriber since 2026-03-02T00:00:00.000Z by /s e2"]


def test_a_fact_that_an_organisation_told_names_it_with_role_and_since_when() -> None:
    _, leaf = said(
        HCP,
        row(1, HCP, "affiliation.started", **TIE),
        row(2, HCP, "viewed"),
        row(3, PAYER, "changed", status="covered"),
    )
    assert [sent_id(id_) for _, _, id_ in leaf.evidence] == ["e2", "e3"]
    assert [None if each is None else str(each) for each in leaf.told_by] == [
        None,
        "told of payer:7, tied as prescriber since 2026-03-01T00:00:00.000Z",
    ]


def test_every_role_is_named_and_a_tie_that_ended_says_so() -> None:
    _, leaf = said(
        HCP,
        row(1, HCP, "affiliation.started", **TIE),
        row(1, HCP, "affiliation.started", organisation=PAYER, role="owner"),
        row(3, PAYER, "changed", status="covered"),
        row(4, HCP, "affiliation.ended", **TIE),
    )
    assert [str(each) for each in leaf.told_by] == [
        "told of payer:7, tied as owner since 2026-03-01T00:00:00.000Z, "
        "no longer tied as prescriber since 2026-03-04T00:00:00.000Z"
    ]


def test_an_organisation_told_under_another_name_says_that_the_tie_names_the_other() -> None:
    _, leaf = said(
        HCP,
        row(1, HCP, "affiliation.started", **TIE),
        row(2, PAYER, "identity.linked", canonical=OTHER),
        row(3, OTHER, "changed", status="covered"),
    )
    assert [str(each) for each in leaf.told_by] == ["told of payer:9, tied to another name of it"]


def test_what_an_alias_was_told_names_its_tie() -> None:
    ties, leaf = said(
        HCP,
        row(1, CRM, "affiliation.started", **TIE),
        row(2, PAYER, "changed", status="covered"),
        row(3, CRM, "identity.linked", canonical=HCP),
    )
    assert ties == ["tied to payer:7 as prescriber since 2026-03-01T00:00:00.000Z by /s e1"]
    assert leaf.told_under == (CRM,)
    assert [str(each) for each in leaf.told_by] == [
        "told of payer:7, tied as prescriber since 2026-03-01T00:00:00.000Z"
    ]


def test_who_was_told_nothing_is_explained_as_before() -> None:
    ties, leaf = said(HCP, row(1, HCP, "viewed"))
    assert (ties, leaf.told_by) == ([], ())


def test_who_does_not_see_affiliations_sees_the_organisation_alone() -> None:
    _, leaf = said(HCP, row(1, HCP, "affiliation.started", **TIE), row(3, PAYER, "changed", status="covered"))
    [hidden] = without_affiliations([leaf])
    assert [str(each) for each in hidden.told_by] == ["told of payer:7"]
    assert hidden.evidence == leaf.evidence


@pytest.mark.parametrize(
    ("declared", "shows"),
    [
        ({}, True),
        ({"restricted": "health"}, False),
        ({"data": {"organisation": {"type": "string", "restricted": "health"}, "role": {"type": "string"}}}, False),
    ],
)
def test_restricted_affiliations_are_shown_to_who_asks_for_restricted_data_only(
    declared: dict[str, Any], shows: bool
) -> None:
    files = {
        **FILES,
        "dictionary.yaml": {"events": {**FILES["dictionary.yaml"]["events"], "affiliation.started": declared}},
    }
    catalogue = compiled(files)
    assert Sight.of(catalogue, False).shows_affiliations is shows
    assert Sight.of(catalogue, True).shows_affiliations

"""Lint of `reaches`: each finding, and the catalogue in which there is nothing to find."""

from typing import Any

import pytest

from rules.lint.check import lint
from tests.transcripts.implementations import compiled

CODES = ("reach-unread", "reach-role", "reach-open", "unused-event")
STATUS = {"status": {"type": "string"}}
PLAIN: dict[str, Any] = {
    "data": STATUS,
    "reaches": {"roles": ["prescriber"], "as": "plan.changed"},
}
TOLD: dict[str, Any] = {"data": {"organisation": {"type": "string"}, **STATUS}}
READS = {"event": "plan.changed"}


def found(enter: Any, **events: Any) -> list[tuple[str, str]]:
    """Lint a catalogue of one segment; return what lint says of `reaches`."""
    declared = {"formulary.changed": PLAIN, "plan.changed": TOLD, **events}
    segment = {"segment": "s", "version": 1, "status": "approved", "enter": enter}
    files: dict[str, Any] = {"dictionary.yaml": {"events": declared}, "segments/s.yaml": segment}
    return [(each.code, each.message) for each in lint(compiled(files)) if each.code in CODES]


def tied(*examples: str) -> dict[str, Any]:
    """Declare affiliations again, with examples of roles."""
    role = {"type": "string", "examples": [*examples]}
    return {"affiliation.started": {"data": {"organisation": {"type": "string"}, "role": role}}}


def test_an_event_that_is_told_and_read_is_in_use_on_both_sides() -> None:
    assert found(READS) == []
    assert found(READS, **tied("prescriber", "pharmacist")) == []


def test_what_is_told_and_nobody_reads_is_reported_once_where_it_is_told() -> None:
    message = "telling 'formulary.changed' moves nobody: no rule uses event 'plan.changed', and it sets no trait"
    assert found({"everyone": True}) == [("reach-unread", message)]
    assert found({"event": "formulary.changed"}) == [("reach-unread", message)]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (("prescribor",), "role 'prescriber' is nearly 'prescribor'; is it the same?"),
        (
            ("pharmacist", "employee"),
            "nobody is tied as 'prescriber': the examples of affiliation.started name employee, pharmacist",
        ),
    ],
)
def test_a_role_that_is_no_example_is_reported(examples: tuple[str, ...], message: str) -> None:
    assert found(READS, **tied(*examples)) == [("reach-role", message)]


def test_a_role_that_rules_spell_another_way_is_reported() -> None:
    rule = {"event": "affiliation.started", "where": {"role": {"in": ["prescribers", "employee"]}}}
    assert found({"all": [READS, rule]}) == [
        ("reach-role", "role 'prescriber' is nearly 'prescribers'; is it the same?")
    ]


def test_data_that_loses_its_restriction_when_it_is_told_is_reported() -> None:
    restricted = {**PLAIN, "data": {"status": {"type": "string", "restricted": "health"}}}
    message = "'plan.changed' tells 'status', restricted as health, to others without that restriction"
    assert found(READS, **{"formulary.changed": restricted}) == [("reach-open", message)]
    whole = {**PLAIN, "restricted": "health"}
    message = "'plan.changed' tells data restricted as health to others without that restriction"
    assert found(READS, **{"formulary.changed": whole}) == [("reach-open", message)]

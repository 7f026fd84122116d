"""Facts that come several ways: round a ring, and under two policies. What brought them may take all of them back."""

import json
from collections.abc import Sequence
from typing import Any

from tests.properties.delivering import Delivered
from tests.transcripts.implementations import engine, naive
from tests.transcripts.transcript import Files

FILES: Files = {
    "dictionary.yaml": {
        "traits": {"color": {"type": "string"}},
        "events": {"a": {"data": {"color": {"type": "string"}}, "sets": {"color": "color"}}, "b": {}},
    },
    "segments/liked.yaml": {
        "segment": "liked",
        "version": 1,
        "status": "approved",
        "enter": {"trait": "color", "equals": "red"},
    },
}
ANEW: Files = {**FILES, "policy.yaml": {"erasure": {"afterwards": "begin_anew"}}}
START_MS = 1_767_225_600_000
"""2026-01-01T00:00Z."""


def told(*events: tuple[str, str, dict[str, Any]]) -> list[bytes]:
    """Write events, a minute apart."""
    return [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"e{index}",
                "source": "/s",
                "type": type_,
                "subject": subject,
                "time": f"2026-01-01T00:{index:02d}:00Z",
                "data": data,
            }
        ).encode()
        for index, (subject, type_, data) in enumerate(events)
    ]


def link(subject: str, canonical: str) -> tuple[str, str, dict[str, Any]]:
    return subject, "identity.linked", {"canonical": canonical}


def standing(lines: Sequence[bytes], cuts: Sequence[tuple[int, Files]] = ()) -> set[str]:
    """Return who is a member in the end. The naive evaluator and the engine agree."""
    assert engine(FILES, lines, cuts, None, False) == naive(FILES, lines, cuts, None, False)
    found: set[str] = set()
    for each in map(json.loads, engine(FILES, lines, cuts, None, False)[0]):
        (found.add if each["change"] == "entered" else found.discard)(each["profile"])
    return found


def test_facts_do_not_hold_each_other_up_in_a_ring() -> None:
    lines = told(
        ("x:one", "a", {"color": "red"}),
        ("x:two", "b", {}),
        ("x:three", "b", {}),
        link("x:one", "x:two"),
        link("x:two", "x:three"),
        link("x:three", "x:two"),
        ("x:one", "identity.unlinked", {}),
        ("x:two", "identity.unlinked", {}),
    )
    assert standing(lines) == {"x:one"}


def test_a_subject_that_moves_in_front_of_a_ring_leaves_no_facts_where_it_was() -> None:
    lines = told(
        ("x:one", "a", {"color": "red"}),
        ("x:two", "b", {}),
        ("x:three", "b", {}),
        link("x:two", "x:three"),
        link("x:three", "x:two"),
        link("x:one", "x:two"),
        link("x:one", "x:three"),
        ("x:one", "identity.unlinked", {}),
        ("x:three", "identity.unlinked", {}),
    )
    assert standing(lines) == {"x:one"}


def test_facts_that_came_under_two_policies_go_on_together() -> None:
    lines = told(
        ("x:three", "b", {}),
        link("x:one", "x:two"),
        ("x:one", "a", {"color": "red"}),
        ("x:one", "b", {}),
        link("x:two", "x:three"),
    )
    assert standing(lines, [(START_MS + 150_000, ANEW)]) == {"x:three"}


def test_a_late_erasure_leaves_nothing_with_the_subject_that_the_erased_one_stood_for() -> None:
    lines = told(("x:two", "b", {}), link("x:one", "x:two"), ("x:one", "a", {"color": "red"}))
    gone = json.loads(told(("x:one", "privacy.erased", {}))[0])
    lines.append(json.dumps({**gone, "recordedtime": "2026-01-01T00:09:00Z"}).encode())
    worker = Delivered(ANEW, [], set())
    told_by_worker = worker.deliver(lines, None)
    assert told_by_worker == engine(ANEW, lines, [], None, False)[0] == naive(ANEW, lines, [], None, False)[0]
    person = worker.partition.profiles["x:two"].linked()
    assert not person.parts

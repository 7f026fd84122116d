"""A link that replaces another and leads to the same end: the end keeps the facts, and what it is in."""

import json
from typing import Any

import pytest

from tests.properties.delivering import Delivered
from tests.properties.scattered import held_in
from tests.rules.engine.persons.test_rings import FILES, link, told
from tests.transcripts.implementations import engine

RED = ("crm:4", "a", {"color": "red"})
UNLINKED: tuple[str, str, dict[str, Any]] = ("crm:4", "identity.unlinked", {})


def of_the_end(changes: list[bytes]) -> list[tuple[str, str]]:
    """Return how the end moved, and why."""
    told_of = [each for each in map(json.loads, changes) if each["profile"] == "hcp:1"]
    return [(each["change"], each["reason"]["kind"]) for each in told_of]


@pytest.mark.parametrize(
    ("before", "after", "effects"),
    [
        (["hcp:1"], ["crm:5"], 4),  # facts; withdrawn and held, facts, facts in the stead of what is held
        (["crm:5"], ["hcp:1"], 7),  # facts by way of crm:5; facts; withdrawn and the answer by way of crm:5
        (["crm:5"], ["lab:2"], 8),  # facts by way of crm:5, and of lab:2; withdrawn and the answer by way of crm:5
        (["crm:5"], ["lab:2", "crm:5", "hcp:1"], None),
    ],
)
def test_a_relink_to_the_same_end_ends_no_stay(before: list[str], after: list[str], effects: int | None) -> None:
    links = [link("crm:4", each) for each in (*before, *after)]
    lines = told(link("crm:5", "hcp:1"), link("lab:2", "hcp:1"), RED, *links)
    worker = Delivered(FILES, [], set(range(99)))
    found = of_the_end(worker.deliver(lines, None))
    assert found == of_the_end(engine(FILES, lines, [], None, False)[0]) == [("entered", "merged")]
    assert held_in(worker.partition) == {}
    assert effects is None or len(worker.effects) == effects + 2, worker.effects


@pytest.mark.parametrize("way", ["hcp:1", "crm:5", "lab:2"])
def test_what_was_held_goes_with_the_link(way: str) -> None:
    lines = told(
        link("crm:5", "hcp:1"), link("lab:2", "hcp:1"), RED, link("crm:4", way), link("crm:4", "crm:5"), UNLINKED
    )
    worker = Delivered(FILES, [], set(range(99)))
    assert of_the_end(worker.deliver(lines, None)) == [("entered", "merged"), ("exited", "merged")]
    assert held_in(worker.partition) == {}


def test_an_erasure_forgets_whom_it_held_facts_of() -> None:
    """A name that was kept until an answer came would name somebody who was erased."""
    lines = told(
        link("crm:5", "hcp:1"), RED, link("crm:4", "hcp:1"), link("crm:4", "crm:5"), ("hcp:1", "privacy.erased", {})
    )
    worker = Delivered(FILES, [], set())
    worker.deliver(lines[:3], None)
    withdrawn, *rest = worker.apply(lines[3])
    rest += worker.apply(withdrawn)
    assert held_in(worker.partition).keys() == {"hcp:1"}
    rest += worker.apply(lines[4])
    assert held_in(worker.partition) == {}
    while rest:
        rest += worker.apply(rest.pop(0))
    persons = {subject: profile.person for subject, profile in worker.partition.profiles.items()}
    assert {subject for subject, person in persons.items() if person is None or not person.is_forgotten} == set()
    assert held_in(worker.partition) == {}

"""An effect that arrives at the very millisecond at which a wake of its target is due."""

import json
from typing import Any

import pytest

from tests.properties.delivering import Delivered
from tests.rules.engine.persons.test_rings import START_MS, link, told
from tests.transcripts.implementations import engine, naive
from tests.transcripts.transcript import Files

FILES: Files = {
    "dictionary.yaml": {"events": {"a": {}, "b": {}}},
    "segments/lately.yaml": {
        "segment": "lately",
        "version": 1,
        "status": "approved",
        "enter": {"event": "a", "within": "2m"},
    },
}
UNLINKED: tuple[str, str, dict[str, Any]] = ("crm:4", "identity.unlinked", {})
SEEN: tuple[str, str, dict[str, Any]] = ("hcp:1", "a", {})
UNTIL_MS = START_MS + 10 * 60_000


def leaving(changes: list[bytes]) -> list[tuple[str, list[str]]]:
    """Return when hcp:1 left, and by which event."""
    told_of = [each for each in map(json.loads, changes) if each["change"] == "exited" and each["profile"] == "hcp:1"]
    return [(each["effective_at"][14:19], each["reason"]["events"]) for each in told_of]


def both(*events: tuple[str, str, dict[str, Any]]) -> tuple[list[bytes], list[bytes]]:
    """Return what a worker publishes and what a replay does. The naive evaluator and the replay agree."""
    lines = told(*events)
    whole = engine(FILES, lines, [], UNTIL_MS, False)[0]
    assert whole == naive(FILES, lines, [], UNTIL_MS, False)[0]
    return Delivered(FILES, [], set(range(99))).deliver(lines, UNTIL_MS), whole


@pytest.mark.parametrize("last", [link("crm:4", "hcp:3"), UNLINKED])
def test_a_link_that_is_taken_back_absorbs_a_wake_of_the_end_also_if_it_takes_no_fact(last: Any) -> None:
    delivered, whole = both(link("crm:4", "hcp:1"), SEEN, ("lab:2", "b", {}), last)
    assert delivered == whole
    assert leaving(delivered) == [("03:00", ["/s e3"])]


def test_a_link_that_brings_no_fact_absorbs_a_wake_of_the_end() -> None:
    delivered, whole = both(SEEN, ("lab:2", "b", {}), link("crm:4", "hcp:1"))
    assert delivered == whole
    assert leaving(delivered) == [("02:00", ["/s e2"])]


def test_an_effect_that_moves_nothing_stops_before_the_end_of_a_chain_and_the_wake_stays_a_wake() -> None:
    chain = (link("crm:5", "hcp:1"), link("crm:4", "crm:5"))
    delivered, whole = both(*chain, SEEN, ("lab:2", "b", {}), UNLINKED)
    assert leaving(whole) == [("04:00", ["/s e4"])]
    assert leaving(delivered) == [("04:00", [])]

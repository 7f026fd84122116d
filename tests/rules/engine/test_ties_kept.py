"""A subject knows its latest 512 affiliations; both evaluators and the state of a worker keep the same ones."""

import json
from collections.abc import Iterable
from typing import Any, Final

import pytest

from rules.engine.affiliations.memories import TIES, ties_in
from rules.engine.affiliations.ties import AFFILIATIONS, TIES_MAX, Ties
from rules.ground.event import Event
from rules.ground.instants import format_instant, parse_instant
from tests.transcripts.implementations import IMPLEMENTATIONS

START_MS: Final = parse_instant("2026-03-01T00:00:00Z")
FILES: Final[dict[str, Any]] = {
    "dictionary.yaml": {
        "events": {
            "change": {"reaches": {"roles": ["r"], "as": "told"}},
            "told": {"data": {"organisation": {"type": "string"}}},
        }
    },
    "segments/s.yaml": {"segment": "s", "version": 1, "status": "approved", "enter": {"event": "told"}},
}


def line(second: int, type_: str, subject: str, **data: str) -> bytes:
    """Write one event."""
    time = format_instant(START_MS + second * 1000)
    event = {"specversion": "1.0", "source": "/s", "id": f"e{second}", "type": type_, "subject": subject}
    return json.dumps({**event, "time": time, "data": data}).encode()


def told(organisations: Iterable[int], then: int) -> list[bytes]:
    """Tie a subject to organisations, then tell one of them something."""
    ties = [
        line(second, "affiliation.started", "hcp:1", organisation=f"org:{n}", role="r")
        for second, n in enumerate(organisations)
    ]
    return [*ties, line(len(ties), "change", f"org:{then}")]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
@pytest.mark.parametrize(("then", "reached"), [(0, False), (1, True), (TIES_MAX, True)])
def test_the_tie_of_the_oldest_affiliation_is_forgotten_when_there_are_too_many(
    name: str, then: int, reached: bool
) -> None:
    changes, refused = IMPLEMENTATIONS[name](FILES, told(range(TIES_MAX + 1), then), [], None, False)
    assert (len(changes), refused) == (int(reached), [])


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_tie_that_was_forgotten_is_a_new_one_when_it_is_told_again(name: str) -> None:
    lines = told(range(TIES_MAX + 1), 0)
    again = line(len(lines), "affiliation.started", "hcp:1", organisation="org:0", role="r")
    changes, _ = IMPLEMENTATIONS[name](FILES, [*lines, again], [], None, False)
    [entered] = [json.loads(each) for each in changes]
    assert entered["reason"]["events"] == [f"/s e{TIES_MAX + 1}"]


@pytest.mark.parametrize("order", [1, -1])
def test_what_a_worker_remembers_is_what_a_replay_remembers_in_any_order(order: int) -> None:
    events = [
        Event(
            "/s",
            f"e{n}",
            sorted(AFFILIATIONS)[n % 7 > 0],
            "hcp:1",
            n,
            {"organisation": f"org:{n % 600}", "role": "r"},
            (),
        )
        for n in range(1300)
    ][::order]
    state, ties = None, Ties()
    for event in events:
        state = TIES.fold(state, event, 0, 0)
        ties.learn(event)
    assert isinstance(state, list)
    assert len(state) == TIES_MAX
    found = {f"org:{n}" for n in range(600) if ties.tied(f"org:{n}", ["r"])}
    assert {organisation for organisation, _ in ties_in(state)} == found

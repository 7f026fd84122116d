"""Effects that say nothing, because a stranger wrote them: they are passed over, and stop nothing."""

import json
import random
from typing import Any

import pytest

from tests.properties.delivering import Delivered
from tests.properties.scattered import EVERY_RECORD, FILES, history
from tests.rules.engine.persons.test_rings import ANEW

GOOD_STAY = [True, 1, None, False, None, None, None]
FACTS: dict[str, Any] = {"states": "", "link": None, "parts": [], "taken": {}}
PART = ["", "x:other", False, 1, 1, [], [], {}, [], None, None, []]


def effect(type_: str, **data: Any) -> bytes:
    """Write an effect on x:one that comes from x:other."""
    event = {"specversion": "1.0", "id": "i", "source": "/segue/g1", "type": f"segue.{type_}", "subject": "x:one"}
    told = {"way": ["x:other"], "event": "/s e", **data}
    return json.dumps({**event, "time": "2026-01-01T00:00:00Z", "data": told}).encode()


def fact(type_: str, **data: Any) -> bytes:
    """Write an effect that tells a fact with such data."""
    told = {"source": "/s", "id": "f", "type": type_, "time": 1, "data": data, "sets": []}
    return effect("fact", origin="x:other", fact=told)


def event(type_: str, id_: str) -> bytes:
    """Write an event of x:one."""
    told = {"specversion": "1.0", "id": id_, "source": "/s", "type": type_, "subject": "x:one"}
    return json.dumps({**told, "time": "2026-01-02T00:00:00Z", "data": {}}).encode()


@pytest.mark.parametrize(
    "bad",
    [
        effect("erased", erasure=["x", "y", "z"]),
        effect("erased", erasure=[1, 2, "z"]),
        effect("erased", erasure=[2**64 - 1, "/s", "z"]),
        effect("erased", erasure=7),
        effect("withdrawn", origins=7),
        effect(
            "fact",
            origin="x:other",
            fact={"source": "/s", "id": "f", "type": "a", "time": 2**64 - 1, "data": {}, "sets": []},
        ),
        effect(
            "fact",
            origin="x:other",
            fact={"source": "/s", "id": "f", "type": "a", "time": 1, "data": {}, "sets": [["color", {"a": 1}]]},
        ),
        fact("consent.granted", channel="sms", purpose="p", until=1.5),
        fact("consent.granted", channel="sms", purpose="p", until=True),
        fact("consent.granted", channel="sms", purpose="p", until="2027"),
        fact("affiliation.started", organisation="org:1", role=7),
        fact("affiliation.started", organisation=["org:1"], role="r"),
        fact("affiliation.ended", organisation="org:1"),
        effect("facts", **{**FACTS, "link": ["x", "y", "z"]}),
        effect("facts", **{**FACTS, "taken": {"liked": [True, 2**64 - 1, *GOOD_STAY[2:]]}}),
        effect("facts", **{**FACTS, "parts": [[*PART[:3], 1, 2**64 - 1, *PART[5:]]]}),
        effect("facts", **{**FACTS, "parts": [["", "nobody", *PART[2:]]]}),
        effect("facts", **{**FACTS, "parts": [[*PART[:5], [[2**64 - 1, "/s", "e", {"color": "red"}]], *PART[6:]]]}),
    ],
)
def test_an_effect_that_says_nothing_stops_nothing(bad: bytes) -> None:
    worker = Delivered(ANEW, [], set(range(99)))
    worker.deliver(
        [event("b", "e1"), bad, bad, event("a", "e2"), event("privacy.erased", "e3"), event("b", "e4")], None
    )
    assert worker.partition.profiles.keys() <= {"x:one"}
    assert worker.effects == []
    assert worker.marks["unreadable"] == 2


def without_time(effect: bytes) -> bytes:
    """Return an effect whose time cannot be read."""
    return json.dumps({**json.loads(effect), "time": "never"}).encode()


def test_an_effect_before_the_first_instant_says_nothing() -> None:
    lines = history(random.Random(0))
    whole = Delivered(FILES, [], EVERY_RECORD)
    whole.deliver(lines, None)
    early = [without_time(each) for each in whole.effects]
    worker = Delivered(FILES, [], EVERY_RECORD)
    assert early
    assert worker.deliver(early, None) == []
    assert worker.partition.profiles == {}
    assert worker.marks["unreadable"] == len(early)
    assert len(worker.deliver(lines, None)) == len(whole.changes)


def test_an_effect_without_time_counts_at_the_clock() -> None:
    timed, untimed = Delivered(ANEW, [], set()), Delivered(ANEW, [], set())
    erased = effect("erased", erasure=[1_767_312_000_000, "/s", "z"])
    timed.deliver([event("a", "e1"), erased], None)
    untimed.deliver([event("a", "e1"), without_time(erased)], None)
    assert untimed.changes == timed.changes
    assert untimed.partition.profiles["x:one"].is_known is timed.partition.profiles["x:one"].is_known is False

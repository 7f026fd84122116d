"""A link that leads to an erased subject is marked, for an alert: whoever was linked by mistake vanishes."""

import json
from typing import Any

import pytest

from rules.engine.outcome import Applied
from rules.engine.record import Record
from tests.rules.engine.test_past import DAY, TWICE, Log, T, event


def _feed(log: Log, at_ms: int, value: dict[str, Any]) -> Applied:
    outcome = log.engine.feed(Record(log.engine.offset, at_ms, None, json.dumps(value).encode()))
    assert isinstance(outcome, Applied), outcome
    return outcome


@pytest.mark.parametrize("linked_ms", [T + DAY, T + 3 * DAY], ids=["earlier than the erasure", "later"])
def test_a_link_to_an_erased_subject_is_marked(linked_ms: int) -> None:
    log, target = Log(TWICE), Log(TWICE)
    for each in (log, target):
        each.cut(T, TWICE)
    _feed(target, T + 2 * DAY, event("privacy.erased", T + 2 * DAY, "x", "hcp:2"))
    _feed(log, T + DAY, event("viewed", T + DAY, "v"))
    link = event("identity.linked", linked_ms, "l", canonical="hcp:2")
    [effect] = _feed(log, T + 4 * DAY, link).effects
    assert [*_feed(target, T + 4 * DAY, json.loads(effect.value)).marks] == ["link_to_erased"]

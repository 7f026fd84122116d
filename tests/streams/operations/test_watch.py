"""Which changes are followed, and the order of changes that arrive together."""

from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from streams.operations.watch import WatchFilter, _in_order

MEMBERSHIP = {"profile": "hcp:1", "segment": "a", "change": "entered", "effective_at": "2026-03-01T00:00:00.000Z"}
ACTIVATION = {"profile": "hcp:1", "activation": "m", "change": "activated", "effective_at": "2026-03-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("wanted", "membership", "activation"),
    [
        (WatchFilter(), True, True),
        (WatchFilter(segments=frozenset({"a"})), True, True),
        (WatchFilter(segments=frozenset({"b"})), False, True),
        (WatchFilter(activations=frozenset({"n"})), True, False),
        (WatchFilter(subjects=frozenset({"hcp:1"})), True, True),
        (WatchFilter(subjects=frozenset({"hcp:2"})), False, False),
    ],
)
def test_a_change_is_wanted_by_profile_and_by_its_own_kind_of_name(
    wanted: WatchFilter, membership: bool, activation: bool
) -> None:
    assert (wanted.includes(MEMBERSHIP), wanted.includes(ACTIVATION)) == (membership, activation)


@dataclass(frozen=True)
class Fetched:
    """A record as the client library gives it."""

    timestamp: int
    value: bytes


def fetched(timestamp: int, **more: Any) -> Fetched:
    return Fetched(timestamp, orjson.dumps({**ACTIVATION, **more}))


def test_partitions_are_merged_by_time_and_each_keeps_its_order() -> None:
    records = {
        TopicPartition("b", 0): [fetched(2, activation="ends", change="deactivated"), fetched(1, activation="late")],
        TopicPartition("a", 0): [fetched(1, activation="first"), fetched(2, activation="begins")],
        TopicPartition("m", 0): [Fetched(2, orjson.dumps(MEMBERSHIP))],
    }
    told = [each.change.get("activation", "membership") for each in _in_order(records)]
    assert told == ["first", "membership", "ends", "late", "begins"]

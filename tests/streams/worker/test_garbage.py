"""The garbage collector of a worker: no collection looks at all living objects while events are applied."""

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest

from streams.worker.garbage import FULL_EVERY_MS, THRESHOLDS, Garbage
from tests.streams.world import ManualClock

OLDER = 2 if sys.version_info >= (3, 14) else 1
"""The first generation whose collections look at more than young objects."""


class Profile:
    """An object that stays alive."""

    def __init__(self) -> None:
        self.states: dict[str, list[list[int]]] = {"a": [[1]]}
        self.itself: Profile | None = None


@pytest.fixture
def older_collections() -> Iterator[list[int]]:
    """Collect the generation of each collection that looked at more than young objects."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] >= OLDER:
            found.append(info["generation"])

    gc.callbacks.append(note)
    yield found
    gc.callbacks.remove(note)


def test_nothing_is_collected_whole_while_profiles_grow_in_number(older_collections: list[int]) -> None:
    garbage, before = Garbage(ManualClock()), gc.get_threshold()
    with garbage:
        garbage.look(1)
        older_collections.clear()
        kept = []
        for _ in range(20):
            kept += [Profile() for _ in range(20_000)]
            garbage.look(1)
        assert older_collections == []
        assert len(gc.get_objects()) < len(kept), "what lived for a while is set aside"
    assert gc.get_threshold() == before != THRESHOLDS
    assert gc.get_freeze_count() == 0


def test_nothing_is_collected_whole_before_partitions_are_assigned_again(older_collections: list[int]) -> None:
    with Garbage(ManualClock()) as garbage:
        for assignments in (0, 1, 1):
            garbage.look(assignments)
        assert older_collections == []
        garbage.look(2)
        assert older_collections == [2]


@pytest.mark.parametrize("occasion", ["a rebalance", "a day"])
def test_a_cycle_that_was_set_aside_is_found_in_the_end(occasion: str) -> None:
    clock = ManualClock()
    with Garbage(clock) as garbage:
        garbage.look(1)
        cycle = Profile()
        cycle.itself = cycle
        dead = weakref.ref(cycle)
        gc.freeze()
        del cycle
        garbage.look(1)
        assert dead() is not None
        if occasion == "a day":
            clock.ms += FULL_EVERY_MS
        garbage.look(1 if occasion == "a day" else 2)
        assert dead() is None

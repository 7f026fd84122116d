"""New segments that wait for history at a cut: visited all at once, or one by one."""

from typing import Any

import pytest

from rules.engine import plan as plans
from rules.engine.outcome import Passed
from rules.engine.partition import Partition
from streams.intake.decoding import decoder_of
from tests.benchmarks.bench_engine import START_MS, records_of
from tests.benchmarks.load.catalogue import catalogue_of
from tests.benchmarks.load.events import HISTORY_MS, Events
from tests.benchmarks.load.plan import Plan, make_plan


def cut_over() -> Partition:
    """Return a partition with 100 profiles whose visits at a cut of 40 new segments are over."""
    few, more = make_plan(100), make_plan(40, first=100)
    partition = Partition("g1", decoder_of(0, 1))
    partition.cut(catalogue_of(few), START_MS - HISTORY_MS - 1)
    for record in records_of(Events(100).history(START_MS - HISTORY_MS, START_MS - 1, 1_000), 1):
        partition.feed(record)
    partition.cut(catalogue_of(Plan((*few.segments, *more.segments), few.activations)), START_MS)
    while not isinstance(partition.pass_time(START_MS + 1), Passed):
        pass
    return partition


def standing(partition: Partition) -> dict[str, Any]:
    return {
        subject: (profile.wakes, profile.wake_ms, profile.blocked_mask, profile.members_mask, [*profile.stays])
        for subject, profile in partition.profiles.items()
    }


def test_segments_that_wait_for_history_are_visited_at_once_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = cut_over()
    assert len(at_once.plan.waiting) > 20
    assert all(at_once.plan.waiting.items() <= profile.wakes.items() for profile in at_once.profiles.values())
    monkeypatch.setattr(plans, "_waiting", lambda *_: {})
    one_by_one = cut_over()
    assert one_by_one.plan.waiting == {}
    assert standing(at_once) == standing(one_by_one)
    assert at_once.digest == one_by_one.digest

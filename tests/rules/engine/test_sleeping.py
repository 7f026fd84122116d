"""Which segments are left out because they sleep."""

from collections.abc import Sequence

import pytest

from rules.engine import sleeping
from rules.engine.fold import find_masks
from rules.engine.membership import view_of_enter
from rules.engine.partition import Partition
from rules.engine.plan import Plan, all_of
from rules.engine.profile import Profile
from rules.engine.sleeping import awake
from rules.ground.instants import FOREVER
from streams.intake.decoding import decoder_of
from tests.benchmarks.bench_engine import START_MS, records_of
from tests.benchmarks.load.catalogue import make_catalogue
from tests.benchmarks.load.events import HISTORY_MS, Events

AT_MS = START_MS
"""The instant of the looks: the end of the history."""


@pytest.fixture(scope="module")
def partition() -> Partition:
    """A partition with 200 profiles under 200 segments, after 30 days of history."""
    found = Partition("g1", decoder_of(0, 1))
    found.cut(make_catalogue(200), START_MS - HISTORY_MS - 1)
    for record in records_of(Events(200).history(START_MS - HISTORY_MS, START_MS - 1, 1_000), 1):
        found.feed(record)
    return found


def positions(plan: Plan, mask: int) -> Sequence[int]:
    return [position for position in range(len(plan.segments)) if mask >> position & 1]


def test_an_entry_rule_of_a_segment_that_sleeps_is_false_for_ever(partition: Partition) -> None:
    plan, slept = partition.plan, 0
    for profile in partition.profiles.values():
        for position in positions(plan, all_of(plan) & ~awake(profile, plan, all_of(plan))):
            segment = plan.segments[position]
            assert segment.enter.verdict(view_of_enter(segment, profile, None, AT_MS)) == (False, FOREVER)
            assert segment.id not in profile.stays
            slept += 1
    assert slept > 20 * len(partition.profiles)


def test_many_segments_asked_at_once_sleep_as_one_by_one(partition: Partition, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = partition.plan

    def all_awake(few: int) -> list[int]:
        monkeypatch.setattr(sleeping, "FEW", few)
        return [awake(profile, plan, all_of(plan)) for profile in partition.profiles.values()]

    assert all_awake(0) == all_awake(len(plan.segments))


def test_a_state_leaves_out_only_segments_that_sleep(partition: Partition) -> None:
    plan, left_out = partition.plan, 0

    def check(profile: Profile) -> int:
        found = 0
        for folds in plan.folds.values():
            for fold in {each.state_key: each for each in folds.general.always}.values():
                whole = fold.enter_mask | fold.enter_first_mask | fold.enter_second_mask
                entering = fold.entering(profile)
                assert awake(profile, plan, entering) == awake(profile, plan, whole)
                found += (whole ^ entering).bit_count()
        return found

    for profile in partition.profiles.values():
        kept = check(profile) if profile.mask_cut == plan.ordinal else 0
        find_masks(profile, plan)
        found = check(profile)
        assert kept <= found  # what was kept up to date may be too many, never too few
        left_out += found
    assert left_out > len(partition.profiles)


def test_masks_kept_by_events_hold_what_is_found_anew(partition: Partition) -> None:
    plan, kept = partition.plan, 0
    for profile in partition.profiles.values():
        if profile.mask_cut != plan.ordinal:
            continue
        before = profile.first_mask, profile.second_mask, profile.members_mask
        find_masks(profile, plan)
        assert profile.first_mask & ~before[0] == 0
        assert profile.second_mask & ~before[1] == 0
        assert profile.members_mask == before[2]
        kept += profile.first_mask.bit_count()
    assert kept > len(partition.profiles)

"""The benchmark's load is what it says it is."""

import json
from collections import Counter
from itertools import islice

import pytest

from tests.benchmarks.bench_engine import CHANGING_MAX, CHANGING_MIN, START_MS, options_of, run
from tests.benchmarks.load.catalogue import files_of, make_catalogue
from tests.benchmarks.load.events import DUPLICATE_SHARE, HISTORY_MS, LATE_MAX_MS, LATE_SHARE, Events, Made, identity
from tests.benchmarks.load.plan import KINDS, TYPES, make_plan


def stream(events: int, profiles: int = 2_000) -> list[Made]:
    """Make a stream, ten events in a millisecond."""
    return list(Events(profiles).stream(events, lambda n: START_MS + n // 10, name="t"))


@pytest.mark.parametrize("segments", [50, 500, 2000])
def test_kinds_of_segments_have_their_shares(segments: int) -> None:
    kinds = Counter(one.kind for one in make_plan(segments).segments)
    shares = {"count": 0.35, "recency": 0.2, "trait": 0.15, "sequence": 0.15, "absence": 0.15}
    assert sum(kinds.values()) == segments
    assert {kind: kinds[kind] / segments for kind in kinds} == pytest.approx(shares, abs=0.02)


def test_about_half_of_the_filters_are_shared() -> None:
    filters = Counter(one.match for one in make_plan(500).segments if one.match is not None)
    alone = sum(1 for uses in filters.values() if uses == 1)
    assert 0.45 <= 1 - alone / filters.total() <= 0.6


def test_the_same_arguments_give_the_same_load() -> None:
    assert make_plan(200) == make_plan(200)
    assert stream(3_000) == stream(3_000)
    assert stream(3_000)[:1_000] == stream(1_000)
    assert make_plan(50, first=500) != make_plan(50)


def test_added_segments_have_ids_of_their_own() -> None:
    first, more = make_plan(500), make_plan(50, first=500)
    assert len({one.id for one in (*first.segments, *more.segments)}) == 550
    assert len({one.id for one in (*first.activations, *more.activations)}) == 55


def test_plain_data_says_all_that_the_files_say() -> None:
    plan = make_plan(40)
    plain = json.loads(plan.json())
    assert [one["id"] for one in plain["segments"]] == [one.id for one in plan.segments]
    assert len(plain["activations"]) == 4
    assert len(files_of(plan)) == 2 + 40 + 4
    assert len(make_catalogue(40).segments) == 40


def test_events_are_of_twenty_types_and_300_bytes() -> None:
    made = stream(20_000)
    types = Counter(json.loads(one.value)["type"] for one in made)
    assert len(TYPES) == 20
    assert set(types) == set(TYPES)
    assert all(abs(types[kind] / len(made) - 0.95 / len(KINDS)) < 0.01 for kind in KINDS)
    assert 285 <= sum(len(one.value) for one in made) / len(made) <= 315


def test_profiles_follow_zipf() -> None:
    made = stream(50_000)
    subjects = Counter(one.subject for one in made)
    source = Events(2_000)
    assert subjects[source.subject(0)] / subjects[source.subject(9)] == pytest.approx(10, rel=0.15)
    assert subjects[source.subject(0)] / len(made) == pytest.approx(1 / 8.178, rel=0.05)


def test_shares_of_duplicates_and_late_events() -> None:
    made = stream(50_000)
    assert 1 - len({one.value for one in made}) / len(made) == pytest.approx(DUPLICATE_SHARE, abs=0.003)
    late = [n for n, one in enumerate(made) if one.time_ms < START_MS + n // 10 - 1_000]
    assert len(late) / len(made) == pytest.approx(LATE_SHARE, abs=0.005)
    assert min(one.time_ms for one in made) >= START_MS - LATE_MAX_MS


def test_history_sets_every_profile_up() -> None:
    source = Events(300)
    made = list(source.history(START_MS - HISTORY_MS, START_MS, 600))
    assert {one.subject for one in made} == {source.subject(rank) for rank in range(300)}
    assert len({identity(one.value) for one in made}) > 1_190
    assert identity(next(islice(made, 1)).value) == "/portal evt-u0"
    assert all(START_MS - HISTORY_MS - LATE_MAX_MS <= one.time_ms <= START_MS for one in made)


@pytest.mark.parametrize("segments", [50, 500])
def test_two_to_five_percent_of_events_change_a_membership(segments: int) -> None:
    profiles = 3_000
    options = options_of(["--events", "6000", "--profiles", str(profiles)])
    found = run(segments, Events(profiles), options)
    assert CHANGING_MIN <= found["changing_share"] <= CHANGING_MAX

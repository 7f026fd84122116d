"""The peers' evaluator keeps the load's segments as Segue's engine does."""

import json
from collections.abc import Iterable

import pytest

from tests.benchmarks.load.plan import Plan, make_plan
from tests.benchmarks.peers.python.evaluator import Evaluator, Profile, new_profile
from tests.benchmarks.peers.python.packed import Packed
from tests.benchmarks.peers.python.sample import BEGIN_MS, END_MS, Arrived, by_subject, make_sample, segues_changes
from tests.benchmarks.peers.python.segments import KINDS
from tests.benchmarks.peers.python.wire import Change, read_event, to_ms, to_text, write_change


def by_peers(plan: Plan, events: Iterable[Arrived], *, indexed: bool) -> list[Change]:
    """Return the changes of the peers' evaluator, time passed to the end."""
    evaluator = Evaluator(json.loads(plan.json()), indexed=indexed)
    profiles: dict[str, Profile] = {}
    changes = []
    for made, r_ms in events:
        event = read_event(made.value)
        profile = profiles.setdefault(event.subject, new_profile())
        changes += evaluator.apply(profile, event, r_ms)
    for subject, profile in profiles.items():
        changes += evaluator.pass_time(profile, subject, END_MS)
    return changes


@pytest.mark.parametrize(("segments", "profiles", "events"), [(50, 40, 1_500), (500, 60, 2_500)])
@pytest.mark.parametrize("indexed", [True, False])
def test_the_peers_evaluator_makes_the_changes_of_segues_engine(
    segments: int, profiles: int, events: int, indexed: bool
) -> None:
    plan, arrived = make_plan(segments), make_sample(profiles, events, BEGIN_MS)
    found, expected = (
        by_subject(by_peers(plan, arrived, indexed=indexed)),
        by_subject(segues_changes(plan, arrived, END_MS)),
    )
    assert found == expected
    changed = {one.segment.partition("-")[2] for changes in expected.values() for one in changes}
    assert changed == set(KINDS)
    assert any(not one.event for changes in expected.values() for one in changes)


def test_a_profile_is_the_same_through_json_and_packed() -> None:
    plan, packed = make_plan(50), Packed()
    evaluator = Evaluator(json.loads(plan.json()), indexed=True)
    kept: dict[str, Profile] = {}
    stored: dict[str, bytes] = {}
    for made, r_ms in make_sample(20, 300, BEGIN_MS):
        event = read_event(made.value)
        one = json.loads(json.dumps(kept.get(event.subject) or new_profile()))
        other = packed.read(event.subject, stored.get(event.subject))
        assert evaluator.apply(one, event, r_ms) == evaluator.apply(other, event, r_ms)
        kept[event.subject], stored[event.subject] = one, packed.write(event.subject, other)
        assert Packed().read(event.subject, stored[event.subject]) == one


def test_what_was_written_of_late_is_read_only_if_the_store_has_it() -> None:
    packed, profile = Packed(), new_profile()
    first = packed.write("hcp:1", profile)
    profile["sequence"] = 1
    packed.write("hcp:1", profile)
    assert packed.read("hcp:1", first)["sequence"] == 0


def test_an_instant_is_read_as_it_is_written() -> None:
    assert to_ms(to_text(BEGIN_MS + 7)) == BEGIN_MS + 7
    assert to_text(0) == "1970-01-01T00:00:00.000Z"


def test_a_change_names_its_event_as_the_benchmarks_reader_looks_for_it() -> None:
    assert b'"events":["/portal evt-1"]' in write_change(Change("hcp:1", "s0001-count", True, 0, 1, "/portal evt-1"))
    assert b'"events":[]' in write_change(Change("hcp:1", "s0001-count", False, 0, 2, ""))

"""The peers' evaluator keeps the load's segments as Segue's engine does."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import pytest

from rules.engine.replay import replay
from rules.ground.instants import format_instant
from tests.benchmarks.load.catalogue import catalogue_of
from tests.benchmarks.load.events import Events, Made
from tests.benchmarks.load.plan import DAY_MS, Plan, make_plan
from tests.benchmarks.peers.python.evaluator import Evaluator, Profile, new_profile
from tests.benchmarks.peers.python.segments import KINDS
from tests.benchmarks.peers.python.wire import Change, read_event, to_ms

HISTORY_DAYS: Final = 30
STREAM_DAYS: Final = 5
SAMPLE_MS: Final = (HISTORY_DAYS + STREAM_DAYS) * DAY_MS
BEGIN_MS = 1_790_000_000_000
END_MS = BEGIN_MS + SAMPLE_MS + 35 * DAY_MS


class Arrived(NamedTuple):
    """An event and the instant of its record."""

    made: Made
    r_ms: int


def make_sample(profiles: int, events: int, begin_ms: int, *, seed: int = 3) -> list[Arrived]:
    """Make a history of 30 days, then as many events over 5 days more, with redeliveries and late ones."""
    source = Events(profiles, seed=seed)
    span = HISTORY_DAYS * DAY_MS
    made = list(source.history(begin_ms, begin_ms + span, events))
    made += source.stream(events, lambda n: begin_ms + span + n * STREAM_DAYS * DAY_MS // events, name="s")
    clock, arrived = begin_ms, []
    for one in made:
        clock = max(clock + 7, one.time_ms)
        arrived.append(Arrived(one, clock))
    return arrived


def segues_changes(plan: Plan, arrived: Iterable[Arrived], until_ms: int) -> list[Change]:
    """Return the membership changes of Segue's engine, time passed to an instant."""
    lines = []
    for made, r_ms in arrived:
        line = json.loads(made.value)
        line["recordedtime"] = format_instant(r_ms)
        lines.append(json.dumps(line).encode())
    found, refused = replay(catalogue_of(plan), lines, until_ms=until_ms)
    assert refused == []
    return [change_of(each) for each in map(json.loads, found) if "segment" in each]


def change_of(written: Mapping[str, Any]) -> Change:
    """Read a membership change, Segue's or a peer's."""
    return Change(
        written["profile"],
        written["segment"],
        written["change"] == "entered",
        to_ms(written["effective_at"]),
        written["sequence"],
        "".join(written["reason"]["events"]),
    )


def by_subject(changes: Iterable[Change]) -> dict[str, list[Change]]:
    """Group changes by subject; their order within a subject stays."""
    found: dict[str, list[Change]] = defaultdict(list)
    for one in changes:
        found[one.subject].append(one)
    return dict(found)


def by_peers(plan: Plan, events: Iterable[Arrived], *, indexed: bool, through_json: bool = False) -> list[Change]:
    """Return the changes of the peers' evaluator, time passed to the end."""
    evaluator = Evaluator(json.loads(plan.json()), indexed=indexed)
    profiles: dict[str, Profile] = {}
    changes = []
    for made, r_ms in events:
        event = read_event(made.value)
        profile = profiles.setdefault(event.subject, new_profile())
        if through_json:
            profile = profiles[event.subject] = json.loads(json.dumps(profile))
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

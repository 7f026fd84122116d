"""A sample of the load for the tests of the peers, and the changes that Segue's engine makes of it."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from rules.engine.replay import replay
from rules.ground.instants import format_instant
from tests.benchmarks.load.catalogue import catalogue_of
from tests.benchmarks.load.events import Events, Made
from tests.benchmarks.load.plan import DAY_MS, Plan
from tests.benchmarks.peers.python.wire import Change, to_ms

HISTORY_DAYS: Final = 30
STREAM_DAYS: Final = 5
SAMPLE_MS: Final = (HISTORY_DAYS + STREAM_DAYS) * DAY_MS
BEGIN_MS: Final = 1_790_000_000_000
END_MS: Final = BEGIN_MS + SAMPLE_MS + 35 * DAY_MS


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

"""The segments and activations of the benchmark as plain data, which any engine can read.

    python -m tests.benchmarks.load.plan 500 > catalogue.json

A profile is a member of a segment while the segment's condition holds; there is no exit rule and no minimum stay. So a
member leaves at the exact instant at which its condition ceases to hold, event or no event. With t the instant of
evaluation, w = `within_ms`, and an event's own `time` (not the record's):

| kind | the condition holds when |
|---|---|
| count | at least `at_least` events that `match` have time > t - w |
| recency | at least one event that `match`es has time > t - w |
| trait | the profile's `trait` is one of `values`; the setting with the greatest (time, source, id) counts |
| sequence | an event a that `match`es and another event b that matches `then` have time a <= time b, both > t - w |
| absence | an event that `match`es has time > t - w; no event of type `absent` has time > t - `absent_ms`; and the \
profile's first event (the smallest time of all its events) has time <= t - `absent_ms` |

A filter matches an event of its `type` whose `topic` is one of `topics` and whose `score` is at least `score_at_least`.
Traits are set by events of type `profile.updated`: each key of its data that is a trait's name sets that trait. An
event is a duplicate if another event of its profile has the same (time, source, id); it changes nothing.

The share of events that change a membership is made independent of the number of segments: with more segments, each
filter lets fewer events through (`MATCHED`).
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

DAY_MS: Final = 86_400_000
KINDS: Final = tuple(f"engagement.kind{n:02d}" for n in range(17))
"""Types of behaviour, equally frequent. With UPDATED, GRANTED and SENT there are 20 event types."""
UPDATED: Final = "profile.updated"
GRANTED: Final = "consent.granted"
SENT: Final = "message.sent"
TYPES: Final = (*KINDS, UPDATED, GRANTED, SENT)
TOPICS: Final = tuple(f"topic{n:02d}" for n in range(40))
TRAITS: Final = ("specialty", "territory", "setting", "role", "tier")
TRAIT_VALUES: Final = 50
"""Values of each trait, equally frequent."""
CHANNELS: Final = ("email", "sms", "field")
MARKER: Final = "bench.marker"
"""A type that the benchmark sends at the end of a backlog: each such event, of a profile of its own, is a change."""
WAKING: Final = "bench.waking"
"""A type that the benchmark sends with times in the past, so that members leave at instants of its choice."""
WAKING_MS: Final = 7 * DAY_MS
MARKER_SEGMENT: Final = "probe-marker"
WAKING_SEGMENT: Final = "probe-waking"
PATTERN: Final = (
    *("count", "absence", "count", "recency", "trait", "count", "sequence", "count", "recency", "absence"),
    *("count", "trait", "recency", "count", "sequence", "count", "trait", "recency", "absence", "sequence"),
)
"""Kinds of 20 segments in a row: 35 % count, 20 % recency, 15 % each of trait, sequence and absence."""
MATCHED: Final = {"count": 0.035, "recency": 0.002, "sequence": 0.018, "absence": 0.004}
"""By kind: the share of a type's events that a filter lets through in a catalogue of 500 segments. Tuned: see
tests/benchmarks/test_load.py for the shares of events that change a membership."""
MATCHED_MAX: Final = 0.9
SEGMENTS_USUAL: Final = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events count."""

    type: str
    topics: tuple[str, ...]
    score_at_least: float


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. Fields that its kind does not use are empty."""

    id: str
    kind: str
    match: Filter | None = None
    then: Filter | None = None
    within_ms: int = 0
    at_least: int = 0
    absent: str = ""
    absent_ms: int = 0
    trait: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation, in the terms of docs/activations.md. Engines without activations leave them out."""

    id: str
    channel: str
    any_of: tuple[str, ...]
    priority: int
    consent: bool
    cap: bool
    exclusive_group: str
    suppress_while: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A catalogue as plain data."""

    segments: tuple[Segment, ...]
    activations: tuple[Activation, ...] = field(default=())

    def json(self) -> str:
        """Write it as JSON: an object with `segments` and `activations`, keys as in the dataclasses."""
        return json.dumps(asdict(self))


def make_plan(segments: int, *, first: int = 0, seed: int = 11) -> Plan:
    """Make a catalogue of so many segments. `first`: the number of the first one, for segments that are added later."""
    rng = random.Random(f"{seed} {first}")
    pools = {kind: [_filter(rng, kind, segments) for _ in range(max(2, segments // 50))] for kind in MATCHED}
    made = []
    for place in range(segments):
        number = first + place
        kind = PATTERN[number % len(PATTERN)]
        # every second segment takes its filter from a pool that others share
        shared = (number + number // len(PATTERN)) % 2 == 0
        match = None if kind == "trait" else rng.choice(pools[kind]) if shared else _filter(rng, kind, segments)
        made.append(_segment(rng, f"s{number:04d}-{kind}", kind, match, segments))
    return Plan(tuple(made), _activations(made, first))


def with_probes(plan: Plan) -> Plan:
    """Add the two segments by which the benchmark watches an engine; they are of the kind recency."""
    probes = [
        Segment(name, "recency", Filter(type_, TOPICS[:1], 0.0), within_ms=within_ms, at_least=1)
        for name, type_, within_ms in ((MARKER_SEGMENT, MARKER, 30 * DAY_MS), (WAKING_SEGMENT, WAKING, WAKING_MS))
    ]
    return Plan((*plan.segments, *probes), plan.activations)


def _filter(rng: random.Random, kind: str, segments: int) -> Filter:
    """Make a filter that lets the kind's share of a type's events through."""
    share = min(MATCHED_MAX, MATCHED[kind] * SEGMENTS_USUAL / segments)
    topics = min(len(TOPICS), int(share * len(TOPICS)) + rng.randint(1, 4))
    at_least = round(1 - share * len(TOPICS) / topics, 4)
    return Filter(rng.choice(KINDS), tuple(sorted(rng.sample(TOPICS, topics))), at_least)


def _segment(rng: random.Random, name: str, kind: str, match: Filter | None, segments: int) -> Segment:
    within_ms = rng.randint(7, 30) * DAY_MS
    if kind == "count":
        return Segment(name, kind, match, within_ms=within_ms, at_least=rng.randint(2, 6))
    if kind == "recency":
        return Segment(name, kind, match, within_ms=within_ms, at_least=1)
    if kind == "sequence":
        return Segment(name, kind, match, _filter(rng, kind, segments), within_ms=within_ms)
    if kind == "absence":
        # interest within 30 days, but none of a common type for a while
        return Segment(
            name,
            kind,
            match,
            within_ms=30 * DAY_MS,
            absent=rng.choice(KINDS),
            absent_ms=rng.randint(7, 21) * DAY_MS,
        )
    width = max(1, min(20, round(2 * SEGMENTS_USUAL / segments)))
    values = sorted(rng.sample(range(TRAIT_VALUES), width))
    return Segment(name, kind, trait=rng.choice(TRAITS), values=tuple(f"v{value:02d}" for value in values))


def _activations(segments: Sequence[Segment], first: int) -> tuple[Activation, ...]:
    """Make one activation for each ten segments, over the channels in turn."""
    made = []
    for place in range(0, len(segments) - 9, 10):
        number = (first + place) // 10
        ten = segments[place : place + 10]
        made.append(
            Activation(
                id=f"a{number:03d}",
                channel=CHANNELS[number % 3],
                any_of=tuple(one.id for one in ten[:3]),
                priority=number * 7 % 100,
                consent=number % 3 == 0,
                cap=number % 4 == 0,
                exclusive_group="journeys" if number % 2 else "",
                suppress_while=(ten[9].id,) if number % 5 == 0 else (),
            )
        )
    return tuple(made)


if __name__ == "__main__":
    print(with_probes(make_plan(int(sys.argv[1]) if sys.argv[1:] else SEGMENTS_USUAL)).json())

"""Events that only prolong what holds: nobody is looked at for them, and time still ends it to the millisecond."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from rules.engine.change import AnyChange
from rules.engine.evaluation import Evaluation
from rules.engine.masks import Masks
from rules.engine.outcome import Applied, Item, Passed, changes_of
from rules.engine.partition import Partition
from rules.engine.record import Record
from rules.ground.instants import MS_PER_DAY, format_instant
from streams.intake.decoding import decoder_of
from tests.benchmarks.bench_engine import START_MS, records_of
from tests.benchmarks.load.catalogue import make_catalogue
from tests.benchmarks.load.events import HISTORY_MS, Events
from tests.transcripts.implementations import compiled, engine, naive

MS_PER_HOUR = MS_PER_DAY // 24
DICTIONARY = {"events": {"seen": {"data": {"topic": {"type": "string"}}}, "other": {}}, "traits": {}}


class Life:
    """One profile, day by day."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        files: dict[str, Any] = {"dictionary.yaml": DICTIONARY}
        for number, rule in enumerate(rules):
            segment = {"segment": f"s{number}", "version": 1, "status": "approved", **rule}
            files[f"segments/s{number}.yaml"] = segment
        self.partition = Partition("g1", decoder_of(0, 1))
        self.partition.cut(compiled(files), START_MS - 1)
        self._offset = 1

    def happen(self, day: int, kind: str = "seen", time_day: int | None = None) -> list[str]:
        """Let an event come at the beginning of a day, of that day or an earlier one; return the changes up to it."""
        at_ms = START_MS + day * MS_PER_DAY
        told_ms = at_ms if time_day is None else START_MS + time_day * MS_PER_DAY
        event = {"specversion": "1.0", "id": str(self._offset), "source": "/s", "type": kind, "subject": "hcp:1"}
        value = json.dumps({**event, "time": format_instant(told_ms), "data": {}}).encode()
        found = self.partition.feed(Record(self._offset, at_ms, b"hcp:1", value))
        assert isinstance(found, Applied)
        assert found.kind == "event", found
        self._offset += 1
        return said(found.items)

    def pass_until(self, day: int, ms: int = 0) -> list[str]:
        """Let time pass up to an instant; return the changes before it."""
        found = self.partition.pass_time(START_MS + day * MS_PER_DAY + ms)
        assert isinstance(found, Passed)
        return said(found.items)

    @property
    def looks(self) -> dict[str, int]:
        """The day of the next look at each segment."""
        wakes = self.partition.profiles["hcp:1"].wakes
        return {name: (at_ms - START_MS) // MS_PER_DAY for name, at_ms in wakes.items()}


def said(items: Sequence[Item]) -> list[str]:
    """Say changes: what, the segment, the day, and how many events its reason names."""
    found = [json.loads(one.value) for one in changes_of(items)]
    day = {format_instant(START_MS + n * MS_PER_DAY): n for n in range(200)}
    return [
        f"{one['change']} {one['segment']} {day[one['effective_at']]} {len(one['reason']['events'])}" for one in found
    ]


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The instants of all evaluations."""
    found: list[int] = []
    run = Evaluation.run

    def noted(self: Evaluation, mask: int, **named: bool) -> list[AnyChange]:
        found.append(self.t_ms)
        return run(self, mask, **named)

    monkeypatch.setattr(Evaluation, "run", noted)
    return found


def test_an_event_that_prolongs_a_stay_looks_at_nothing_and_the_stay_ends_when_it_must(evaluated: list[int]) -> None:
    life = Life({"enter": {"event": "seen", "within": "30d"}})
    assert life.happen(0) == ["entered s0 0 1"]
    assert life.looks == {"s0": 30}
    looks = len(evaluated)
    for day in (3, 10, 14):
        assert life.happen(day) == []
    assert len(evaluated) == looks
    assert life.looks == {"s0": 30}
    assert life.pass_until(30, 1) == []
    assert len(evaluated) == looks + 1
    assert life.looks == {"s0": 44}
    assert life.pass_until(44) == []
    assert life.pass_until(44, 1) == ["exited s0 44 0"]


def test_who_stays_active_is_looked_at_once_in_a_window(evaluated: list[int]) -> None:
    life = Life({"enter": {"event": "seen", "within": "30d"}})
    for day in range(200):
        life.happen(day)
    assert len(evaluated) == 1 + 199 // 30


def test_events_that_come_seldom_are_each_looked_at(evaluated: list[int]) -> None:
    life = Life({"enter": {"event": "seen", "within": "7d"}})
    for day in range(0, 100, 5):
        life.happen(day)
    assert len(evaluated) == 20
    assert life.partition.wakes_total == 0


def test_a_count_stands_only_with_as_many_events_as_it_asks_for(evaluated: list[int]) -> None:
    life = Life({"enter": {"event": "seen", "count": {"at_least": 2}, "within": "30d"}})
    assert life.happen(0) == []
    assert life.happen(10) == ["entered s0 10 1"]
    looks = len(evaluated)
    assert life.happen(12) == []
    assert life.happen(13, time_day=5) == []
    assert len(evaluated) == looks
    assert life.pass_until(40) == []
    assert life.pass_until(40, 1) == ["exited s0 40 0"]


def test_an_absence_that_is_far_off_is_put_off(evaluated: list[int]) -> None:
    life = Life({"enter": {"absent": "seen", "within": "30d"}}, {"enter": {"absent": "seen", "within": "7d"}})
    life.happen(0)
    looks = len(evaluated)
    assert life.happen(3) == []
    assert len(evaluated) == looks
    assert life.looks == {"s0": 30, "s1": 7}
    assert life.pass_until(10) == []
    assert life.pass_until(10, 1) == ["entered s1 10 0"]
    looks = len(evaluated)
    assert life.happen(20) == ["exited s1 20 1"]
    assert len(evaluated) == looks + 1
    assert life.pass_until(50) == ["entered s1 27 0"]
    assert life.pass_until(50, 1) == ["entered s0 50 0"]


A = {"event": "a", "within": "10h"}
B = {"event": "b", "within": "1h"}
R = START_MS + 10 * MS_PER_HOUR - 1
"""A millisecond before the event at START leaves the window of A."""
B_UNTIL_R = ("b", R, R - MS_PER_HOUR + 1)
"""At R + 1 it is out of the window of B."""
SAME_MS: dict[str, tuple[dict[str, Any], list[tuple[str, int, int]]]] = {
    "an exit at R, and an entry due at R + 1": (
        {"enter": {"all": [A, {"none": [B]}]}},
        [("a", START_MS, START_MS), B_UNTIL_R, ("a", R, R)],
    ),
    "an entry at R, and an exit due at R + 1": (
        {"enter": {"event": "c"}, "exit": {"all": [{**A, "since": "ever"}, {"none": [{**B, "since": "ever"}]}]}},
        [("a", START_MS, START_MS), B_UNTIL_R, ("c", R, R), ("a", R, R)],
    ),
    "an absence": (
        {"enter": {"none": [{"absent": "a", "within": "10h"}, B]}},
        [("a", START_MS, START_MS), B_UNTIL_R, ("a", R, R)],
    ),
    "a window of a millisecond": (
        {"enter": {"all": [{"event": "a", "within": "1ms"}, {"none": [B]}]}},
        [("a", R, R), B_UNTIL_R, ("a", R, R + 1)],
    ),
    "an absence of a millisecond": (
        {"enter": {"none": [{"absent": "a", "within": "1ms"}, B]}},
        [("a", R, R), B_UNTIL_R, ("a", R, R + 1)],
    ),
}


@pytest.mark.parametrize("name", SAME_MS)
def test_a_look_at_the_next_millisecond_does_not_hide_what_an_event_of_this_one_prolongs(name: str) -> None:
    rule, told = SAME_MS[name]
    segment = {"segment": "s", "version": 1, "status": "approved", **rule}
    files = {"dictionary.yaml": {"events": {"a": {}, "b": {}, "c": {}}, "traits": {}}, "segments/s.yaml": segment}
    lines = [
        json.dumps(
            {
                "specversion": "1.0",
                "id": str(number),
                "source": "/s",
                "type": kind,
                "subject": "hcp:1",
                "time": format_instant(time_ms),
                "recordedtime": format_instant(r_ms),
            }
        ).encode()
        for number, (kind, r_ms, time_ms) in enumerate(told)
    ]
    until = START_MS + 40 * MS_PER_HOUR
    changes, _ = naive(files, lines, [], until, False)
    assert any(format_instant(R + 1).encode() in one for one in changes)
    assert engine(files, lines, [], until, False)[0] == changes


@pytest.mark.parametrize(
    "rule",
    [
        {"enter": {"event": "seen", "count": {"at_most": 2}, "within": "30d"}},
        {"enter": {"event": "seen", "count": {"exactly": 2}, "within": "30d"}},
        {"enter": {"event": "seen", "older_than": "1d", "within": "30d"}},
        {"enter": {"sequence": ["seen", "seen"], "within": "30d"}},
        {"enter": {"event": "seen", "within": "30d"}, "max_stay": "90d"},
    ],
)
def test_what_an_event_may_change_is_looked_at_each_time(rule: dict[str, Any], evaluated: list[int]) -> None:
    """A number that must not be passed, a part of the past, an order of events, and what counts from a mark."""
    life = Life(rule)
    for day in range(4):
        looks = len(evaluated)
        life.happen(day)
        assert len(evaluated) > looks or day == 0


def test_a_segment_that_looks_in_another_way_at_the_same_events_is_looked_at(evaluated: list[int]) -> None:
    life = Life(
        {"enter": {"event": "seen", "within": "30d"}},
        {"enter": {"all": [{"event": "seen", "within": "30d"}, {"event": "other", "within": "30d"}]}},
        {"enter": {"none": [{"event": "seen", "within": "30d"}]}},
    )
    assert life.happen(0) == ["entered s0 0 1"]
    looks = len(evaluated)
    assert life.happen(10) == []
    assert len(evaluated) == looks
    assert life.happen(20, "other") == ["entered s1 20 1"]
    assert life.pass_until(40) == []
    assert life.pass_until(40, 1) == ["exited s0 40 0", "exited s1 40 0", "entered s2 40 0"]


def test_a_load_gives_the_same_changes_whether_all_is_looked_at_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def lived() -> str:
        partition = Partition("g1", decoder_of(0, 1))
        partition.cut(make_catalogue(120), START_MS - HISTORY_MS - 1)
        for record in records_of(Events(60).history(START_MS - HISTORY_MS, START_MS - 1, 4_000), 1):
            partition.feed(record)
        assert isinstance(partition.pass_time(START_MS + 100 * MS_PER_DAY), Passed)
        return partition.digest

    evaluations = [0]
    init = Evaluation.__init__

    def counted(self: Evaluation, *arguments: Any) -> None:
        evaluations[-1] += 1
        init(self, *arguments)

    monkeypatch.setattr(Evaluation, "__init__", counted)
    digest = lived()
    evaluations.append(0)
    monkeypatch.setattr(Masks, "lasting_mask", lambda *_: 0)
    assert lived() == digest
    assert evaluations[0] < 0.8 * evaluations[1], evaluations

"""What organisations told before a cut, in the history of that cut."""

import json
from collections import deque
from dataclasses import replace
from typing import Any, Final

import pytest

from rules.catalogue.catalogue import Catalogue
from rules.engine.affiliations.telling import told_event
from rules.engine.change import Change
from rules.engine.decode import Own, decode, decode_again
from rules.engine.outcome import changes_of, whole
from rules.engine.partition import Partition
from rules.engine.persons.contribution import read_fact
from rules.engine.persons.effects import REACHED_TYPE, Effect, seal
from rules.engine.record import EMPTY_DICTIONARY, Record
from rules.engine.wanted import wanted_history
from rules.ground.event import Event, told_id
from rules.ground.instants import parse_instant
from streams.intake.decoding import decoder_of
from streams.operations.filling.selection import Selection
from streams.settings import Deployment
from streams.wire.maker import RecordMaker
from tests.rules.conditions.worlds import altered
from tests.streams.world import Read
from tests.transcripts.implementations import compiled

R: Final = parse_instant("2026-03-02")
TOPICS: Final = {name: {"type": "list"} for name in ("about.topics",)}
DICTIONARY: Final[dict[str, Any]] = {
    "traits": {"status": {"type": "string"}},
    "events": {
        "change": {
            "data": {"status": {"type": "string"}, "about.until": {"type": "datetime"}, **TOPICS},
            "reaches": {"roles": ["r"], "as": "told"},
        },
        "told": {
            "data": {
                "organisation": {"type": "string"},
                "status": {"type": "string"},
                "about.until": {"type": "datetime"},
                **TOPICS,
            },
            "sets": {"status": "status"},
        },
        "other": {},
    },
}
TIE: Final = {"organisation": "org:1", "role": "r"}


def catalogue(**segments: Any) -> Catalogue:
    files = {
        f"segments/{name}.yaml": {"segment": name, "version": 1, "status": "approved", "enter": enter}
        for name, enter in segments.items()
    }
    return compiled({"dictionary.yaml": DICTIONARY, **files})


BEFORE: Final = catalogue(others={"event": "other"})
AFTER: Final = catalogue(
    others={"event": "other"},
    once={"event": "told", "count": {"at_least": 1}, "within": "30d"},
    twice={"event": "told", "count": {"at_least": 2}, "within": "30d"},
)


class World:
    """A partition, the records that it was given, and its changes as (subject, segment, whether by backfill)."""

    def __init__(self) -> None:
        self.engine = Partition("g1", decoder_of(0, 1), clock_ms=-1)
        self.log: list[Read] = []
        self.changes: list[tuple[str, str, bool]] = []
        self.maker = RecordMaker(Deployment(generation="g1", partitions=1), "n")

    def feed(self, key: bytes | None, value: bytes | None) -> None:
        """Apply a record, and all effects that follow from it."""
        waiting: deque[tuple[bytes | None, bytes | None]] = deque([(key, value)])
        while waiting:
            key, value = waiting.popleft()
            r_ms = R + 1_000 * len(self.log)
            self.log.append(Read(len(self.log), r_ms, key, value))
            applied = whole(self.engine.feed(Record(len(self.log) - 1, r_ms, key, value)))
            for change in changes_of(applied.items):
                assert isinstance(change, Change)
                self.changes.append((change.subject, change.segment, b'"backfill":true' in change.value))
            waiting += [(each.subject.encode(), each.value) for each in applied.effects]

    def send(self, subject: str, type_: str, **data: Any) -> None:
        """Send an event."""
        sent = {"specversion": "1.0", "source": "/s", "id": f"e{len(self.log):03}", "type": type_, "subject": subject}
        self.feed(subject.encode(), json.dumps({**sent, "time": "2026-03-01T00:00:00Z", "data": data}).encode())

    def apply(self, given: Catalogue) -> tuple[int, int]:
        """Make a cut; return its instant, and how many records came before it."""
        self.engine.give_catalogue(given.hash, given)
        self.feed(None, self.maker.catalogue(0, given.hash).value)
        return self.log[-1].timestamp, len(self.log) - 1

    def fill(self, cut_ms: int, before: int) -> list[str]:
        """Fill a cut from BEFORE to AFTER as a filler does; return the ids of the events that it brings."""
        selection = Selection(wanted_history(BEFORE, AFTER, cut_ms), AFTER.dictionary, 0, 1)
        found = [(each.key, selection.text_of(each, each.timestamp)) for each in self.log[:before]]
        ids = []
        for key, text in found:
            if key is not None and text is not None:
                ids.append(json.loads(text)["id"])
                self.feed(key, self.maker.history(0, key.decode(), cut_ms, [text]).value)
        self.feed(None, self.maker.filled(0, cut_ms, None).value)
        return ids


def reached(effect: Effect) -> Read:
    """Make the record of an effect."""
    [sealed] = seal([effect], "g1", "org:1", 1, R)
    return Read(1, R, b"hcp:1", sealed.value)


def told(**data: Any) -> Event:
    """Make what an organisation's event tells hcp:1."""
    sent = {"specversion": "1.0", "source": "/s", "id": "e", "type": "change", "subject": "org:1"}
    event = decode_again({**sent, "time": "2026-03-01T00:00:00.007Z", "data": data}, AFTER.dictionary, R)
    assert event is not None
    found = told_event(event, "hcp:1", "org:1", AFTER.dictionary)
    assert found is not None
    return found


def fact_of(event: Event, **instead: Any) -> dict[str, Any]:
    """Write a fact as an effect carries it."""
    sets = [[trait, value] for trait, value in event.sets]
    fact = {"source": event.source, "id": event.id, "type": event.type, "time": event.time_ms}
    return {**fact, "data": dict(event.data), "sets": sets, **instead}


def effect_of(fact: Any) -> Effect:
    return Effect("hcp:1", REACHED_TYPE, {"way": ["org:1"], "event": "/s e", "fact": fact})


def selected(record: Read) -> bytes | None:
    return Selection(wanted_history(BEFORE, AFTER, R), AFTER.dictionary, 0, 1).text_of(record, R)


def test_a_new_condition_knows_what_was_told_before_its_cut() -> None:
    world = World()
    world.apply(BEFORE)
    world.send("hcp:1", "affiliation.started", **TIE)
    world.send("org:1", "change", status="a")
    world.send("org:1", "change", status="b")
    cut_ms, before = world.apply(AFTER)
    ids = world.fill(cut_ms, before)
    assert [each.partition("\0")[2] for each in ids] == ["as told"] * 2
    world.feed(None, world.maker.tick(0).value)
    assert world.changes == [("hcp:1", "once", True), ("hcp:1", "twice", True)]


def test_what_is_told_again_after_the_cut_counts_once() -> None:
    world = World()
    world.apply(BEFORE)
    world.send("hcp:1", "affiliation.started", **TIE)
    world.send("org:1", "change", status="a")
    cut_ms, before = world.apply(AFTER)
    world.send("hcp:1", "affiliation.ended", **TIE)
    world.send("hcp:1", "affiliation.started", **TIE)
    assert sum(REACHED_TYPE.encode() in (each.value or b"") for each in world.log[before:]) == 1
    world.fill(cut_ms, before)
    world.feed(None, world.maker.tick(0).value)
    assert {segment for _, segment, _ in world.changes} == {"once"}
    world.send("org:1", "change", status="b")
    world.feed(None, world.maker.tick(0).value)
    assert {segment for _, segment, _ in world.changes} == {"once", "twice"}


@pytest.mark.parametrize(
    "data",
    [
        {"status": "a", "about": {"until": "2026-04-01T00:00:00.005Z", "topics": ["x", "y"]}},
        {"status": None},
        {},
    ],
)
def test_a_history_brings_the_very_fact_that_was_told(data: dict[str, Any]) -> None:
    fact = told(**data)
    assert read_fact(fact_of(fact), "hcp:1") == fact
    text = selected(reached(effect_of(fact_of(fact))))
    assert text is not None
    assert json.loads(text)["data"]["organisation"] == "org:1"
    again = decode_again(json.loads(text), AFTER.dictionary, R)
    assert again == altered(fact, id=told_id("e", "told"))


def test_what_says_nothing_to_a_worker_or_is_not_wanted_is_in_no_history() -> None:
    fact = fact_of(told(status="a"))
    assert selected(reached(effect_of(fact))) is not None
    for damaged in (None, {}, {**fact, "data": 1}, {**fact, "time": 1 << 60}, {**fact, "time": 1 << 53}):
        assert selected(reached(effect_of(damaged))) is None
    for refused in ({"data": {"status": 1}}, {"type": "other"}, {"type": "undeclared"}, {"time": R + 300_001}):
        assert selected(reached(effect_of({**fact, **refused}))) is None
    assert selected(replace(reached(effect_of(fact)), key=b"hcp:2")) is None
    pieces = seal([effect_of(fact)], "g1", "org:1", 1, R, bytes_max=300)
    assert len(pieces) > 1
    for piece in pieces:
        assert isinstance(decode(piece.value, (), EMPTY_DICTIONARY, R), Own)
        assert selected(Read(1, R, b"hcp:1", piece.value)) is None

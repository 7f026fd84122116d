"""The order of calls to the engine: what lacks is said, and a call out of order raises and changes nothing."""

import json
from collections.abc import Callable
from itertools import product
from typing import Any, get_args

import pytest

from rules.engine.cuts import Cuts
from rules.engine.decode import decode
from rules.engine.outcome import Applied, NeedCatalogue, NeedProfiles, NeedTurn, NeedWakes, Passed, Withdrawal, whole
from rules.engine.own import OwnRecords
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.profile import Profile
from rules.engine.profiles import Profiles
from rules.engine.protocol import CALLS, PROTOCOL, STATES, Call, IllegalOrder, State
from rules.engine.queue import Queue
from rules.engine.record import CATALOGUE_TYPE, Decoded, Record
from rules.engine.slice import Packing, Slices
from rules.engine.stay import Stay
from rules.engine.wakes import Wakes
from rules.language.dictionary import Dictionary
from tests.transcripts.implementations import compiled

DICTIONARY = {
    "traits": {"country": {"type": "string", "restricted": "place"}},
    "events": {"seen": {"data": {"country": {"type": "string"}}, "sets": {"country": "country"}}},
}
OPEN = compiled(
    {
        "dictionary.yaml": DICTIONARY,
        "segments/a.yaml": {
            "segment": "a",
            "version": 1,
            "status": "approved",
            "enter": {"event": "seen", "within": "1h"},
        },
    }
)
HIDDEN = compiled(
    {
        "dictionary.yaml": DICTIONARY,
        "policy.yaml": {"restrictions": {"place": {"membership": "restricted"}}},
        "segments/a.yaml": {
            "segment": "a",
            "version": 2,
            "status": "approved",
            "enter": {"any": [{"event": "seen", "within": "1h"}, {"trait": "country", "equals": "US"}]},
        },
        "segments/b.yaml": {"segment": "b", "version": 1, "status": "approved", "enter": {"everyone": True}},
    }
)
BEGIN_MS = 1_772_373_600_000
"""2026-03-01T14:00:00Z."""
HOUR_MS = 3_600_000


def read(record: Record, dictionary: Dictionary, r_ms: int) -> Decoded:
    return decode(record.value, (), dictionary, r_ms)


def line(offset: int, at_ms: int, **event: Any) -> Record:
    given = {"specversion": "1.0", "id": f"e{offset}", "source": "/s", "time": "2026-03-01T14:00:00Z", "type": "seen"}
    return Record(offset, at_ms, None, json.dumps(given | event).encode())


def cut_to(offset: int, at_ms: int, digest: str) -> Record:
    return line(offset, at_ms, type=CATALOGUE_TYPE, data={"catalogue": digest})


def stored() -> Partition:
    """An engine whose profiles and wakes live in a store."""
    return Partition("g1", read, horizon=(BEGINNING_MS, ""))


def at_boundary() -> Partition:
    engine = stored()
    engine.give_catalogue(OPEN.hash, OPEN)
    engine.give_wakes([], None)
    whole(engine.feed(cut_to(0, BEGIN_MS, OPEN.hash)))
    engine.give_wakes([], (BEGIN_MS + HOUR_MS // 2, ""))
    return engine


FIRST = line(1, BEGIN_MS, subject="hcp:1")


def within() -> Partition:
    engine = at_boundary()
    engine.begin_slice()
    assert engine.feed(FIRST) == NeedProfiles(("hcp:1",))
    return engine


ENGINES: dict[State, Callable[[], Partition]] = {"new": stored, "boundary": at_boundary, "within": within}
MADE: dict[Call, Callable[[Partition], object]] = {
    "resume": lambda engine: engine.resume([]),
    "begin": lambda engine: engine.feed(line(7, BEGIN_MS, subject="hcp:7")),
    "repeat": lambda engine: engine.feed(FIRST) if engine.state == "within" else refused(),
    "give": lambda engine: engine.give_catalogue(HIDDEN.hash, HIDDEN),
    "begin_slice": lambda engine: engine.begin_slice(),
    "pack_slice": lambda engine: begun(engine).pack_slice(),
    "forget": lambda engine: engine.forget("hcp:1"),
}


def refused() -> None:
    raise IllegalOrder("nothing is under way that could be repeated")


def begun(engine: Partition) -> Partition:
    if engine.to_pack is None:
        engine.begin_slice()
    return engine


OPENED = (Partition, Profiles, OwnRecords, Wakes, Queue, Cuts, Slices, Packing, Profile, Stay)
"""Whose insides are looked at; all else that is no plain value is immutable, and is told by its identity."""


def shown(value: Any) -> Any:
    """Return all that something holds, so that it can be compared with what it holds later."""
    if isinstance(value, dict):
        return {key: shown(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each) for each in value]
    if isinstance(value, set):
        return sorted(value)
    if isinstance(value, OPENED):
        names = vars(value) if hasattr(value, "__dict__") else type(value).__dict__["__slots__"]
        return {name: shown(getattr(value, name)) for name in names}
    return value if isinstance(value, str | int | None) else id(value)


def test_the_table_has_every_state_and_call_and_each_state_can_be_reached() -> None:
    assert (tuple(STATES), tuple(CALLS)) == (get_args(State), get_args(Call))
    assert {after for states in PROTOCOL.values() for after in states} == set(STATES)
    assert {call for _, call in PROTOCOL} == set(CALLS)


@pytest.mark.parametrize(("state", "call"), list(product(STATES, CALLS)))
def test_a_call_does_as_the_table_says_and_a_refused_one_changes_nothing(state: State, call: Call) -> None:
    engine = ENGINES[state]()
    assert engine.state == state
    before = shown(engine)
    if (state, call) in PROTOCOL:
        MADE[call](engine)
        assert engine.state in PROTOCOL[state, call]
    else:
        with pytest.raises(IllegalOrder):
            MADE[call](engine)
        assert engine.state == state
        assert shown(engine) == before


def test_a_record_says_one_after_the_other_what_it_lacks_and_is_applied_when_all_was_given() -> None:
    engine = stored()
    cut = cut_to(0, BEGIN_MS, OPEN.hash)
    assert engine.feed(cut) == NeedCatalogue(OPEN.hash)
    engine.give_catalogue(OPEN.hash, OPEN)
    assert engine.feed(cut) == NeedWakes(BEGIN_MS)
    engine.give_wakes([], None)
    applied = engine.feed(cut)
    assert isinstance(applied, Applied)
    assert (applied.kind, applied.items, engine.offset) == ("cut", [], 1)
    # the visits of the cut may be anybody's now
    assert engine.feed(FIRST) == NeedProfiles(("hcp:1",))
    engine.give_profile("hcp:1", None)
    applied = engine.feed(FIRST)
    assert isinstance(applied, Applied)
    assert [change.id for change in applied.changes] == ["g1/hcp:1/1"]
    assert (engine.offset, engine.state) == (2, "boundary")


def test_the_same_call_lacks_the_same_until_it_is_given() -> None:
    engine = within()
    assert engine.feed(FIRST) == engine.feed(FIRST) == NeedProfiles(("hcp:1",))
    assert (engine.offset, engine.clock_ms) == (1, BEGIN_MS)


def test_what_wakes_brought_before_a_page_was_lacking_comes_out_once_and_first() -> None:
    blobs, wakes = {}, {}
    engine = at_boundary()
    for n in (1, 2):
        engine.give_profile(f"hcp:{n}", None)
        whole(engine.feed(line(n, BEGIN_MS, subject=f"hcp:{n}")))
    taken = engine.take_slice()
    blobs, wakes = taken.profiles, taken.wakes
    resumed = Partition(
        "g1", read, offset=3, clock_ms=BEGIN_MS, last_ms=BEGIN_MS, digest=taken.digest, horizon=(BEGINNING_MS, "")
    )
    resumed.give_catalogue(OPEN.hash, OPEN)
    resumed.resume(taken.cuts)
    third = line(3, BEGIN_MS + 2 * HOUR_MS, subject="hcp:3")
    assert resumed.feed(third) == NeedProfiles(("hcp:3",))
    resumed.give_profile("hcp:3", None)
    for n in (1, 2):
        assert resumed.feed(third) == NeedWakes(BEGIN_MS + 2 * HOUR_MS)
        with pytest.raises(IllegalOrder):
            resumed.give_wakes([(wakes[f"hcp:{n}"], f"hcp:{n}")], (wakes[f"hcp:{n}"], f"hcp:{n}"))
        resumed.give_profile(f"hcp:{n}", blobs[f"hcp:{n}"])
        resumed.give_wakes([(wakes[f"hcp:{n}"], f"hcp:{n}")], (wakes[f"hcp:{n}"], f"hcp:{n}"))
    assert resumed.feed(third) == NeedWakes(BEGIN_MS + 2 * HOUR_MS)
    with pytest.raises(IllegalOrder):
        resumed.give_wakes([], (BEGIN_MS, ""))
    resumed.give_wakes([], None)
    assert [(change.subject, change.kind) for change in whole(resumed.feed(third)).changes] == [
        ("hcp:1", "entry_lost"),
        ("hcp:2", "entry_lost"),
    ]


def test_a_record_that_passes_many_wakes_gives_way_after_each_portion_and_brings_the_same() -> None:
    def passed(portion: int | None) -> tuple[list[str], int, str]:
        engine = Partition("g1", read, portion=portion)
        engine.give_catalogue(OPEN.hash, OPEN)
        whole(engine.feed(cut_to(0, BEGIN_MS, OPEN.hash)))
        for n in range(5):
            whole(engine.feed(line(n + 1, BEGIN_MS, subject=f"hcp:{n}")))
        last = line(6, BEGIN_MS + 2 * HOUR_MS, subject="hcp:0")
        turns = 0
        while not isinstance(applied := engine.feed(last), Applied):
            assert applied == NeedTurn()
            assert (engine.state, engine.offset) == ("within", 6)
            with pytest.raises(IllegalOrder):
                engine.feed(line(7, BEGIN_MS + 2 * HOUR_MS, subject="hcp:1"))
            turns += 1
        return [change.id for change in applied.changes], turns, engine.digest

    at_once, none, digest = passed(None)
    assert (len(at_once), none) == (5, 0)
    assert passed(2) == (at_once, 2, digest)
    assert passed(5) == (at_once, 0, digest), "nothing is left after the last of them"


def test_a_record_that_was_applied_is_refused_and_nothing_moves() -> None:
    engine = at_boundary()
    engine.give_profile("hcp:1", None)
    whole(engine.feed(FIRST))
    before = shown(engine)
    with pytest.raises(IllegalOrder):
        engine.feed(FIRST)
    assert shown(engine) == before


def test_a_slice_that_was_begun_is_packed_in_portions_and_what_comes_later_is_not_in_it() -> None:
    engine, twin = at_boundary(), at_boundary()
    for each in (engine, twin):
        for n in (1, 2, 3):
            each.give_profile(f"hcp:{n}", None)
            whole(each.feed(line(n, BEGIN_MS, subject=f"hcp:{n}")))
    engine.begin_slice()
    assert (engine.touched, engine.to_pack) == (0, 3)
    assert engine.pack_slice(0) is None
    whole(engine.feed(line(4, BEGIN_MS + 1, subject="hcp:2")))
    assert (engine.touched, engine.to_pack) == (1, 2)
    assert engine.pack_slice(1) is None
    assert not any(engine.forget(f"hcp:{n}") for n in (1, 2, 3))
    for call in (engine.begin_slice, engine.take_slice):
        with pytest.raises(IllegalOrder):
            call()
    assert engine.pack_slice(1) == twin.take_slice()
    assert engine.to_pack is None
    with pytest.raises(IllegalOrder):
        engine.pack_slice()
    assert list(engine.take_slice().profiles) == ["hcp:2"]


def test_catalogues_of_a_checkpoint_are_given_before_it_is_taken_up() -> None:
    engine = at_boundary()
    cuts = engine.take_slice().cuts
    fresh = stored()
    with pytest.raises(IllegalOrder):
        fresh.resume(cuts)
    assert fresh.state == "new"
    fresh.give_catalogue(OPEN.hash, OPEN)
    fresh.resume(cuts)
    assert fresh.catalogue == OPEN.hash


def test_a_membership_whose_topics_change_is_withdrawn_before_the_changes_of_its_visit() -> None:
    engine = Partition("g1", read)
    engine.give_catalogue(OPEN.hash, OPEN)
    engine.give_catalogue(HIDDEN.hash, HIDDEN)
    whole(engine.feed(cut_to(0, BEGIN_MS, OPEN.hash)))
    for n in (1, 2):
        whole(engine.feed(line(n, BEGIN_MS, subject=f"hcp:{n}")))
    whole(engine.feed(cut_to(3, BEGIN_MS + 1, HIDDEN.hash)))
    applied = whole(engine.feed(line(4, BEGIN_MS + 2, subject="hcp:3")))
    told = [each if isinstance(each, Withdrawal) else (each.subject, each.id) for each in applied.items]
    assert told[:4] == [
        Withdrawal("hcp:1", "a", was_restricted=False),
        ("hcp:1", "g1/hcp:1/2"),
        Withdrawal("hcp:2", "a", was_restricted=False),
        ("hcp:2", "g1/hcp:2/2"),
    ]
    assert [each.subject for each in applied.changes] == ["hcp:1", "hcp:2", "hcp:3", "hcp:3"]


def test_time_passes_without_a_record_as_far_as_asked_and_the_clock_stays() -> None:
    engine = Partition("g1", read)
    engine.give_catalogue(OPEN.hash, OPEN)
    whole(engine.feed(cut_to(0, BEGIN_MS, OPEN.hash)))
    whole(engine.feed(FIRST))
    passed = engine.pass_time(BEGIN_MS + HOUR_MS)
    assert passed == Passed([])
    passed = whole(engine.pass_time(BEGIN_MS + HOUR_MS + 1))
    assert [getattr(each, "kind", "") for each in passed.items] == ["entry_lost"]
    assert engine.clock_ms == BEGIN_MS

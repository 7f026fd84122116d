"""Laws that every kind of condition keeps, against the naive reading of the full history."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.conditions.view import Mark
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from tests.naive import conditions as naive
from tests.rules.conditions.worlds import END, START, World, contexts, histories, placed, rules

KINDS = sorted(rules)


@st.composite
def stories(draw: st.DrawFn, kind: str) -> tuple[World, list[tuple[Event, int, str]]]:
    """A world and what happens in it: (event, R, what else happens after it), with late ones and redeliveries."""
    context = draw(contexts)
    world = World(placed(draw(rules[kind]), context), context)
    events = draw(histories(fills=kind == "covered"))
    order = draw(st.permutations(events + draw(st.lists(st.sampled_from(events), max_size=4))))
    if draw(st.booleans()):
        order = sorted(order, key=lambda one: one.time_ms)
    happenings, r_offset = [], 0
    for one in order:
        ahead = draw(st.integers(0, 5))
        r_offset = max(r_offset + draw(st.integers(0, 4)), one.time_ms - START - ahead)
        happenings.append((one, r_offset, draw(st.sampled_from(["", "", "prune", "entry", "exit", "join", "leave"]))))
    return world, happenings


def happen(world: World, what: str, r_offset: int) -> None:
    """Let something other than an event happen."""
    if what == "prune":
        world.prune(r_offset)
    elif what == "entry":
        world.entry_mark, world.entered_ms = world.mark_now(), START + r_offset
    elif what == "exit":
        world.exit_mark, world.entered_ms = world.mark_now(), None
    elif what == "join":
        world.facts.members["other"] = START + r_offset
    elif what == "leave":
        world.facts.members.pop("other", None)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_verdicts_equal_the_naive_ones_at_every_instant_and_the_next_flip_is_never_late(
    kind: str, data: st.DataObject
) -> None:
    world, happenings = data.draw(stories(kind))
    world.entry_mark = Mark(START - 1, 0, 0) if world.context.rule == "exit" else None
    for index, (event, r_offset, what) in enumerate(happenings):
        world.learn(event, r_offset)
        happen(world, what, r_offset)
        end = happenings[index + 1][1] if index + 1 < len(happenings) else END
        promised: dict[bool | None, int] = {}
        for offset in range(r_offset, end + 1):
            holds, next_offset = world.verdict(offset)
            assert holds == world.naive_holds(offset), offset
            assert next_offset > offset
            for value, until in promised.items():
                assert value == holds or offset >= until, f"promised {value} before {until}, at {offset} it is {holds}"
            promised[holds] = max(next_offset, promised.get(holds, -FOREVER))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_order_of_arrival_and_duplicates_change_no_verdict(kind: str, data: st.DataObject) -> None:
    context = data.draw(contexts)
    rule = placed(data.draw(rules[kind]), context)
    events = data.draw(histories(fills=kind == "covered"))
    ordered, shuffled = World(rule, context), World(rule, context)
    for one in sorted(events, key=lambda one: (one.time_ms, one.source, one.id)):
        ordered.learn(one, 41, packed=False)
    for index, one in enumerate(data.draw(st.permutations(events + events))):
        shuffled.learn(one, 38 if index < len(events) else 41)
    for offset in range(41, END):
        assert ordered.verdict(offset) == shuffled.verdict(offset)


@pytest.fixture
def tiny_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions remember three entries, so that small worlds reach the limit."""
    monkeypatch.setattr(naive, "ENTRIES_MAX", 3)
    for name, module in list(sys.modules.items()):
        if name.startswith("rules.conditions.") and hasattr(module, "ENTRIES_MAX"):
            monkeypatch.setattr(module, "ENTRIES_MAX", 3)


def undated(rule: object) -> bool:
    """Tell whether only the limit decides what a rule remembers: it has no dates and no buckets."""
    if isinstance(rule, list):
        return all(undated(item) for item in rule)
    if not isinstance(rule, dict):
        return True
    return (
        "bucket" not in rule
        and not any(key in ("since", "until") and value not in ("mark", "ever") for key, value in rule.items())
        and all(undated(value) for value in rule.values())
    )


@pytest.mark.usefixtures("tiny_memory")
@pytest.mark.parametrize("kind", ["aggregate", "last", "score", "sequence"])
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_beyond_the_limit_the_latest_by_time_source_and_id_are_remembered(kind: str, data: st.DataObject) -> None:
    context = data.draw(contexts)
    rule = placed(data.draw(rules[kind].filter(undated)), context)
    world = World(rule, context)
    world.entry_mark = Mark(START - 1, 0, 0) if context.rule == "exit" else None
    for one in data.draw(st.permutations(data.draw(histories()))):
        world.learn(one, 41)
    for offset in range(41, END):
        assert world.holds(offset) == world.naive_holds(offset)


def bucketed(rule: object) -> bool:
    """Tell whether a rule remembers everything in buckets."""
    if isinstance(rule, dict) and "score" in rule:
        return all("bucket" in item for item in rule["score"] if "event" in item)
    return isinstance(rule, dict) and "bucket" in rule


@pytest.mark.usefixtures("tiny_memory")
@pytest.mark.parametrize("kind", ["event", "aggregate", "score"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_buckets_lose_nothing_beyond_the_limit(kind: str, data: st.DataObject) -> None:
    context = data.draw(contexts)
    rule = placed(data.draw(rules[kind].filter(bucketed)), context)
    world = World(rule, context)
    world.entry_mark = Mark(START - 1, 0, 0) if context.rule == "exit" else None
    r_offset = 0
    for one in data.draw(st.permutations(data.draw(histories()) + data.draw(histories()))):
        if any(known.event.identity[:3] == (one.time_ms, one.source, one.id) for known in world.known):
            continue
        r_offset = max(r_offset, one.time_ms - START)
        world.learn(one, r_offset)
        assert not world.learn(one, r_offset)
        if data.draw(st.integers(0, 4)) == 0:
            happen(world, "entry" if context.rule == "exit" else "exit", r_offset)
        for offset in (r_offset, r_offset + 7, r_offset + 15, r_offset + 28):
            if not any(part.capped(world.view(offset)) for part in world.conditions):
                assert world.holds(offset) == world.naive_holds(offset)

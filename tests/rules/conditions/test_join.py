"""Laws of states that lie apart, by the subject that they came from: joined, they are as if one profile had folded all.

Facts are dealt to up to four subjects at random, some facts to several of them.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules.conditions.entry_memory import BucketedMemory, EarliestMemory, WindowMemory
from rules.conditions.memory import Memory
from rules.conditions.occurrences import ARRIVAL
from rules.conditions.score_points import ScoreMemory
from rules.conditions.view import Register, State
from rules.engine.activations.sends import SendCounter
from rules.ground.event import Event
from rules.language.dictionary import SENT
from tests.rules.conditions.worlds import START, World, altered, contexts, event, histories, placed, rules
from tests.rules.conditions.worlds import memory as memory_of

KINDS = [*sorted(rules.keys() - {"trait", "segment", "during"}), "sends"]
"""Every kind that has a memory, and the counter of caps."""
Told = Sequence[tuple[Event, int]]
"""Facts with their arrivals, in the order in which they are folded."""


def folded(memory: Memory, told: Told, t_ms: int) -> State:
    """Fold facts as one profile does, at the time of each or at the latest time so far; pruned at t."""
    state: State = None
    r_ms = 0
    for one, arrival in told:
        r_ms = min(max(r_ms, one.time_ms), t_ms)
        if one.type in memory.types:
            state = memory.fold(state, one, arrival, r_ms)
        for trait, value in one.sets:
            if trait in memory.traits:
                setting = Register(one.time_ms, one.source, one.id, value)
                state = memory.fold_setting(state, trait, setting, arrival, r_ms)
    return memory.prune(state, t_ms)


def alike(memory: Memory, state: State) -> Any:
    """Return a state without what may differ and moves no verdict: how a bucket's values are written down."""
    if state is None:
        return None
    if isinstance(memory, ScoreMemory):
        return [alike(each, known) for each, known in zip(memory.memories, state, strict=True)]
    if not isinstance(memory, BucketedMemory):
        return state
    entries, units, identities = state
    sums = any(f'"{function}"' in memory.state_text for function in ("sum", "mean"))
    written = [[*unit[:4], sum(map(Fraction, unit[4])) if sums else sorted(map(repr, unit[4] or ()))] for unit in units]
    return [entries, written, sorted(each[0] for each in identities)]


@dataclass
class Case:
    """A memory, the facts of up to four subjects, and all facts together; t is after all of them."""

    memory: Memory
    parts: Sequence[Told]
    together: Told
    t_ms: int

    @property
    def states(self) -> list[State]:
        """The state of each subject."""
        return [folded(self.memory, part, self.t_ms) for part in self.parts]

    def joined(self, states: Sequence[State]) -> Any:
        """Join, prune, and leave out what moves no verdict."""
        return alike(self.memory, self.memory.prune(self.memory.join(states, self.t_ms), self.t_ms))

    def alone(self, state: State) -> Any:
        """A state without what moves no verdict."""
        return alike(self.memory, state)


def placed_on(grid_ms: int, one: Event) -> Event:
    """Return an event at a multiple of the grid; events of different times keep different ids."""
    offset = one.time_ms - START
    return altered(one, time_ms=START + offset // grid_ms * grid_ms, id=f"{one.id} {offset}")


def memories_of(draw: st.DrawFn, kind: str) -> list[Memory]:
    """Return the memories of a random rule of a kind."""
    if kind == "sends":
        return [SendCounter("channel", "x", draw(st.integers(1, 60)), 1)]
    context = draw(contexts)
    return World(placed(draw(rules[kind]), context), context).memories


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Deal the facts of a random history to up to four subjects."""
    memories = memories_of(draw, kind)
    grid_ms = draw(st.sampled_from([1, 7, 20]))  # on a coarse one many facts have one time
    found = [one for _ in range(4) for one in draw(histories(fills=kind == "covered"))]
    events = [placed_on(grid_ms, one) for one in {(one.time_ms, one.id): one for one in found}.values()]
    if kind == "sends":
        events = [altered(one, type=SENT, data={"channel": "x"}, sets=()) for one in events]
    facts = [(one, arrival) for arrival, one in enumerate(draw(st.permutations(events)), 1)]
    subjects = draw(st.integers(2, 4))
    deal = draw(st.randoms(use_true_random=False))
    dealt = [{deal.randrange(subjects), deal.randrange(subjects)} for _ in facts]
    parts = [
        draw(st.permutations([fact for fact, to in zip(facts, dealt, strict=True) if subject in to]))
        for subject in range(subjects)
    ]
    assume(memories)  # a score may have none
    memory = draw(st.sampled_from(memories))
    t_ms = max(one.time_ms for one in events) + draw(st.integers(0, 12))  # some windows still reach most facts
    return Case(memory, parts, draw(st.permutations(facts)), t_ms)


@pytest.fixture(params=["few", "many"])
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """`many`: conditions remember three entries, so that small worlds are beyond the limit."""
    if request.param == "many":
        remember_few(monkeypatch)
    return str(request.param)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions remember three entries."""
    remember_few(monkeypatch)


def remember_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let conditions remember three entries."""
    for name, module in list(sys.modules.items()):
        if name.startswith("rules.") and hasattr(module, "ENTRIES_MAX"):
            monkeypatch.setattr(module, "ENTRIES_MAX", 3)


lawful = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


def items_of(memory: Memory, state: State) -> list[tuple[Memory, State]]:
    """Return a memory with its state; of a score each of its items."""
    if not isinstance(memory, ScoreMemory):
        return [(memory, state)]
    return list(zip(memory.memories, state or [None] * len(memory.memories), strict=True))


def entries_of(memory: Memory, state: State) -> list[Any]:
    """Return the entries of a state that have arrivals."""
    found: list[Any] = []
    for each, known in items_of(memory, state):
        if isinstance(each, WindowMemory | SendCounter):
            found += (known[0] if isinstance(each, BucketedMemory) else known) if known else []
    return found


def forgets(memory: Memory, states: Sequence[State]) -> bool:
    """Tell whether a memory keeps too little to say what it would be of the later facts alone.

    It counts by bucket, or it keeps the earliest few.
    """
    for state in states:
        for each, known in items_of(memory, state):
            if isinstance(each, EarliestMemory) or (isinstance(each, BucketedMemory) and known and known[1]):
                return True
    return False


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("kind", KINDS)
@lawful
@given(data=st.data())
def test_a_join_of_folds_is_the_fold_of_all_in_any_order_and_however_often(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    states, memory, t_ms = case.states, case.memory, case.t_ms
    expected = case.alone(folded(memory, case.together, t_ms))
    assert case.joined(states) == expected
    assert case.joined(data.draw(st.permutations(states))) == expected
    if sum(state is not None for state in states) > 1:
        whole = memory.join(states, t_ms)  # out of reach of every window is nothing of it
        assert alike(memory, whole) == expected
    at = data.draw(st.integers(0, len(states)))
    assert case.joined([memory.join(states[:at], t_ms), memory.join(states[at:], t_ms)]) == expected
    assert case.joined([memory.join(states, t_ms)] * 2) == expected
    assert case.joined([*states, *states]) == expected
    assert all(memory.join([None, state, None], t_ms) is state for state in states)
    assert memory.join([], t_ms) is None
    told = json.loads(json.dumps([state for state in [*states, memory.join(states, t_ms)] if state is not None]))
    assert all(memory.is_state(state) for state in told)


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("kind", KINDS)
@lawful
@given(data=st.data())
def test_facts_that_arrive_anew_keep_the_arrivals_that_are_known(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    memory, t_ms, now = case.memory, case.t_ms, 1_000
    came, *known = case.states
    known = [memory.arrived(state, data.draw(st.integers(0, 40)), []) for state in known]
    anew = memory.arrived(came, now, known)
    earlier: dict[tuple[int, str, str], int] = {}
    for entry in (each for state in known for each in entries_of(memory, state)):
        name = (entry[0], entry[1], entry[2])
        earlier[name] = min(entry[ARRIVAL], earlier.get(name, now))
    before, after = entries_of(memory, came), entries_of(memory, anew)
    assert [entry[:ARRIVAL] for entry in after] == [entry[:ARRIVAL] for entry in before]
    assert [entry[ARRIVAL + 1 :] for entry in after] == [entry[ARRIVAL + 1 :] for entry in before]
    assert [entry[ARRIVAL] for entry in after] == [earlier.get((e[0], e[1], e[2]), now) for e in before]
    assert case.joined([memory.arrived(came, now, [came])]) == case.joined([came])
    assert case.joined([came, anew]) == case.joined([came])  # the first state's entries stand
    assert case.joined([anew, came]) == case.joined([anew])
    told = [(one, now) for one, _ in case.parts[0]]
    assert alike(memory, memory.arrived(came, now, [None])) == alike(memory, folded(memory, told, t_ms))


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("kind", KINDS)
@lawful
@given(data=st.data())
def test_the_later_facts_of_a_join_are_the_join_of_the_later_facts(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    memory, t_ms, states = case.memory, case.t_ms, case.states
    after_ms = START + data.draw(st.integers(-1, 45))
    later = memory.later(memory.join(states, t_ms), after_ms)
    assume(not forgets(memory, [later, *states]))
    assert case.joined([later]) == case.joined([memory.later(state, after_ms) for state in states])
    told = [(one, arrival) for one, arrival in case.together if one.time_ms > after_ms]
    assert case.joined([later]) == case.alone(folded(memory, told, t_ms))


def test_a_setting_that_several_subjects_have_is_known_as_well_as_by_the_one_that_knows_best() -> None:
    whole = memory_of({"trait": "s", "equals": "x", "for": "9ms"})
    settings_of_cut = whole.of_cut(1)
    one, two = (Register(START + offset, "/s", "1", "x") for offset in (20, 22))
    stood = settings_of_cut.standing(one)
    told = settings_of_cut.fold_past_setting(None, "s", one, START + 23)
    came = settings_of_cut.fold_setting(None, "s", two, 1, START + 23)
    assert told != stood
    for order in ([stood, told], [told, stood]):
        assert settings_of_cut.join(order, START + 23) == told
    assert settings_of_cut.join([came, stood], START + 23) == [*stood, *came]


@pytest.mark.usefixtures("few")
def test_a_fact_in_a_bucket_of_two_subjects_counts_once_while_both_recognise_it() -> None:
    counter = memory_of({"event": "a", "bucket": "10ms", "count": {"at_least": 600}})
    facts = [(event(offset, "1"), offset + 1) for offset in range(8)]
    state = folded(counter, facts, START + 50)
    assert state[1] == [[START, 1, START, START, None], [START + 10, 4, START + 1, START + 4, None]]
    assert counter.join([state, state], START + 50) == state
    # earlier versions kept no times, so what two of them recognise cannot be taken out of its bucket
    entries, units, identities = state
    former = [entries, units, [each[:2] for each in identities]]
    assert [unit[1] for unit in counter.join([former, former], START + 50)[1]] == [2, 8]
    for order in ([former, state], [state, former]):
        assert counter.join(order, START + 50)[1] == units


def test_a_fact_that_several_know_keeps_the_smallest_of_its_arrivals() -> None:
    counter = memory_of({"event": "a"})
    came = folded(counter, [(event(5), 9)], START + 9)
    known = [counter.arrived(came, arrival, []) for arrival in (4, 2, 3)]
    assert counter.arrived(came, 20, known) == [[START + 5, "/s", "1", 2]]


@pytest.mark.usefixtures("few")
def test_the_sums_of_a_bucket_take_out_what_two_subjects_told() -> None:
    summed = memory_of({"aggregate": "sum", "of": "n", "event": "a", "bucket": "10ms", "at_least": 1})
    facts = [(event(offset, "1", data={"n": 0.1 * offset}), offset + 1) for offset in range(1, 9)]
    one, two = folded(summed, facts[:6], START + 50), folded(summed, facts[1:], START + 50)
    assert alike(summed, summed.join([one, two], START + 50)) == alike(summed, folded(summed, facts, START + 50))


@pytest.mark.usefixtures("few")
def test_a_bucket_with_an_earlier_fact_is_no_later_one_and_recognises_nothing() -> None:
    counter = memory_of({"event": "a", "bucket": "10ms"} | {"count": {"at_least": 600}})
    state = folded(counter, [(event(offset, "1"), offset) for offset in range(5, 30, 3)], START + 50)
    entries, units, identities = counter.later(state, START + 9)
    assert (entries, [unit[:2] for unit in units], len(identities)) == (state[0], [[START + 20, 4]], 4)
    assert counter.later(state, START + 4) is state
    assert counter.later(state, START + 40) is None


def test_a_join_keeps_no_fact_that_no_window_reaches() -> None:
    counter = memory_of({"event": "a", "count": {"at_least": 2}, "within": "10ms"})
    one, two = (folded(counter, [(event(offset, "1"), 1)], START + offset) for offset in (0, 20))
    assert counter.join([one, two], START + 25) == two
    assert counter.join([one, two], START + 40) is None


def test_a_score_of_which_no_fact_is_later_is_none() -> None:
    score = memory_of({"score": [{"event": "a", "points": 1}, {"event": "b", "points": 1}], "at_least": 1})
    state = folded(score, [(event(5), 1)], START + 9)
    assert score.later(state, START + 5) is None
    left = score.later(state, START + 4)
    assert left is not None
    assert any(each is not None for each in left)


@pytest.mark.usefixtures("few")
def test_a_bucket_recognises_what_a_join_counted_and_counts_it_no_second_time() -> None:
    counter = memory_of({"event": "a", "bucket": "10ms", "count": {"at_least": 600}})
    one, two = (folded(counter, [(event(at, "1"), at) for at in range(start, 20, 2)], START + 50) for start in (1, 2))
    both = counter.join([one, two], START + 50)
    assert sum(unit[1] for unit in both[1]) + len(both[0]) == 19
    assert alike(counter, counter.join([both, one], START + 50)) == alike(counter, both)
    assert alike(counter, counter.join([one, both], START + 50)) == alike(counter, both)


@pytest.mark.usefixtures("few")
def test_a_join_of_buckets_keeps_none_that_no_window_reaches() -> None:
    counter = memory_of({"event": "a", "bucket": "10ms", "within": "50ms", "count": {"at_least": 600}})
    old = folded(counter, [(event(at, "1"), at) for at in range(1, 20)], START + 20)
    new = folded(counter, [(event(at, "1"), at) for at in range(200, 220)], START + 220)
    assert counter.join([old, new], START + 220) == counter.join([new, old], START + 220) == new


@pytest.mark.usefixtures("few")
def test_a_bucket_of_two_subjects_reaches_from_the_first_fact_of_both_to_the_last() -> None:
    counter = memory_of({"event": "a", "bucket": "100ms", "count": {"at_least": 600}})
    early, late = (
        folded(counter, [(event(at, "1"), at) for at in range(start, start + 9)], START + 90) for start in (10, 50)
    )
    for order in ([early, late], [late, early]):
        [unit] = counter.join(order, START + 90)[1]
        assert unit[2] == START + 10
        assert unit[3] >= START + 50

"""Laws of states that lie apart, by the subject that they came from: joined, they are as if one profile had folded all.

Facts are dealt to up to four subjects at random, some facts to several of them.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.conditions.entry_memory import BucketedMemory
from rules.conditions.memory import Memory
from rules.conditions.score_points import ScoreMemory
from rules.conditions.view import Register, State
from rules.engine.activations.sends import SendCounter
from rules.ground.event import Event
from rules.language.dictionary import SENT
from tests.rules.conditions.worlds import END, START, World, contexts, histories, placed, rules

KINDS = sorted(rules)
Told = Sequence[tuple[Event, int]]
"""Facts with their arrivals, in the order in which they are folded."""


def folded(memory: Memory, told: Told, t_ms: int) -> State:
    """Fold facts as one profile does, at the time of each or at the latest time so far; pruned at t."""
    state: State = None
    r_ms = 0
    for event, arrival in told:
        r_ms = min(max(r_ms, event.time_ms), t_ms)
        if event.type in memory.types:
            state = memory.fold(state, event, arrival, r_ms)
        for trait, value in event.sets:
            if trait in memory.traits:
                setting = Register(event.time_ms, event.source, event.id, value)
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


def memories_of(draw: st.DrawFn, kind: str) -> list[Memory]:
    """Return the memories of a random rule of a kind; `sends`: the counter of caps."""
    if kind == "sends":
        return [SendCounter("channel", "x", draw(st.integers(1, 60)), 1)]
    context = draw(contexts)
    return World(placed(draw(rules[kind]), context), context).memories


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Deal the facts of a random history to up to four subjects."""
    memories = memories_of(draw, kind)
    events = draw(histories(fills=kind == "covered")) + draw(histories(fills=kind == "covered"))
    events = list({(one.time_ms, one.source, one.id): one for one in events}.values())
    if kind == "sends":
        events = [Event(one.source, one.id, SENT, one.subject, one.time_ms, {"channel": "x"}, ()) for one in events]
    facts = [(one, arrival) for arrival, one in enumerate(draw(st.permutations(events)), 1)]
    subjects = draw(st.integers(1, 4))
    dealt = [draw(st.sets(st.integers(0, subjects - 1), min_size=1, max_size=2)) for _ in facts]
    parts = [
        draw(st.permutations([fact for fact, to in zip(facts, dealt, strict=True) if subject in to]))
        for subject in range(subjects)
    ]
    if not memories:
        return Case(NOTHING, [], [], START)
    return Case(
        draw(st.sampled_from(memories)), parts, draw(st.permutations(facts)), START + draw(st.integers(41, END))
    )


NOTHING = SendCounter("channel", "nobody", 1, 1)


@pytest.fixture(params=["few", "many"])
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """`many`: conditions remember three entries, so that small worlds are beyond the limit."""
    if request.param == "many":
        for name, module in list(sys.modules.items()):
            if name.startswith("rules.") and hasattr(module, "ENTRIES_MAX"):
                monkeypatch.setattr(module, "ENTRIES_MAX", 3)
    return str(request.param)


lawful = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("kind", [*KINDS, "sends"])
@lawful
@given(data=st.data())
def test_a_join_of_folds_is_the_fold_of_all(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    assert case.joined(case.states) == case.alone(folded(case.memory, case.together, case.t_ms))


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("kind", [*KINDS, "sends"])
@lawful
@given(data=st.data())
def test_joining_is_commutative_associative_and_idempotent(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    states, memory, t_ms = case.states, case.memory, case.t_ms
    expected = case.joined(states)
    assert case.joined(data.draw(st.permutations(states))) == expected
    at = data.draw(st.integers(0, len(states)))
    assert case.joined([memory.join(states[:at], t_ms), memory.join(states[at:], t_ms)]) == expected
    assert case.joined([memory.join(states, t_ms)] * 2) == expected
    assert case.joined([*states, *states]) == expected


@pytest.mark.parametrize("kind", [*KINDS, "sends"])
@lawful
@given(data=st.data())
def test_a_state_alone_is_joined_as_it_is(kind: str, data: st.DataObject) -> None:
    case = data.draw(cases(kind))
    for state in case.states:
        assert case.memory.join([None, state, None], case.t_ms) is state
    assert case.memory.join([], case.t_ms) is None

"""States that are read when somebody asks for them are those that were packed, and what changed is packed anew."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.msgpack import decode, encode

from rules.conditions.view import State
from rules.engine import layout
from rules.engine.layout import MANY, OFTEN
from rules.engine.states import States

NAMES = ["a", "b", "c", "d", *(f"state {n}" for n in range(2 * MANY))]
KEYS = st.sampled_from(NAMES)
STATES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.lists(st.lists(st.integers(-9, 9) | st.text(max_size=3), max_size=3), max_size=3)
)


def holding(held: Mapping[str, State]) -> States:
    """Return states of which none was packed."""
    states = States()
    states.update(held)
    return states


def read_back(states: States) -> States:
    """Return the states as a checkpoint brings them back."""
    packed = layout.decode(encode([layout.LAYOUT, *[0] * 7, [], [], states.pack(), {}, {}, {}, {}, {}]))
    return States(layout.read_states(packed.states))


class StatesMachine(RuleBasedStateMachine):
    """Whatever is done, they are what a dict would be."""

    def __init__(self) -> None:
        super().__init__()
        self.states = States()
        self.wanted: dict[str, State] = {}

    @initialize(busy=st.booleans())
    def begin(self, busy: bool) -> None:
        if busy:
            self.put_many(0, list(range(MANY)))
            self.pack(OFTEN)

    @rule(key=KEYS, state=STATES)
    def put(self, key: str, state: State) -> None:
        self.states[key] = state
        self.wanted[key] = state

    @rule(key=KEYS)
    def take_out(self, key: str) -> None:
        if key in self.wanted:
            del self.wanted[key]
            del self.states[key]
        else:
            with pytest.raises(KeyError):
                del self.states[key]

    @rule(key=KEYS, default=st.none() | st.just(7))
    def ask(self, key: str, default: int | None) -> None:
        assert self.states.get(key, default) == self.wanted.get(key, default)
        if key in self.wanted:
            assert self.states[key] == self.wanted[key]
        else:
            with pytest.raises(KeyError):
                self.states[key]

    @rule(first=st.integers(0, 30), states=st.lists(STATES, min_size=MANY, max_size=MANY))
    def put_many(self, first: int, states: list[State]) -> None:
        for key, state in zip(NAMES[first:], states, strict=False):
            self.put(key, state)

    @rule(times=st.sampled_from([1, 2, OFTEN + 1]))
    def pack(self, times: int) -> None:
        for _ in range(times):
            assert encode(self.states.pack()) == encode(self.wanted)

    @rule(changes=st.lists(st.tuples(KEYS, STATES), min_size=2, max_size=9))
    def change_and_pack(self, changes: list[tuple[str, State]]) -> None:
        for key, state in changes:
            self.put(key, state)
            self.pack(1)

    @rule()
    def write_and_read(self) -> None:
        self.states = read_back(self.states)

    @rule(kept=st.sets(KEYS), new=st.dictionaries(KEYS, STATES))
    def replace(self, kept: set[str], new: dict[str, State]) -> None:
        self.wanted = {key: state for key, state in self.wanted.items() if key in kept} | new
        self.states.replace({key: state for key, state in self.states.items() if key in kept} | new)

    @invariant()
    def same_keys(self) -> None:
        assert list(self.states.keys()) == list(self.states) == list(self.wanted)
        assert len(self.states) == len(self.wanted)
        assert all((key in self.states) == (key in self.wanted) for key in NAMES)


TestStates = StatesMachine.TestCase


@given(st.dictionaries(KEYS, STATES))
def test_they_are_equal_to_the_mapping_that_they_hold(held: Mapping[str, State]) -> None:
    assert holding(held) == held
    assert read_back(holding(held)) == held


@pytest.mark.parametrize("others", [0, 2 * MANY])
def test_what_nobody_changed_is_not_packed_again(others: int) -> None:
    states = read_back(holding({"a": [1], "b": [2], "c": [3]} | {f"state {n}": n for n in range(others)}))
    wanted = dict(states)
    for n in range(OFTEN + 3):
        read = states["a"]
        assert isinstance(read, list)
        read.append(n)  # nobody may do so: it would show
        states["b"] = wanted["b"] = [n] * n
        if n == OFTEN + 1:
            states["new"] = wanted["new"] = "n"
        assert decode(states.pack()) == wanted | {"a": [1]}


def test_the_very_same_state_stays_packed_where_others_are_replaced() -> None:
    states = read_back(holding({"a": [1], "b": [2]}))
    states.pack()
    read = states["a"]
    assert isinstance(read, list)
    read.append(9)
    states.replace({"a": read, "b": [3]})
    assert decode(states.pack()) == {"a": [1], "b": [3]}

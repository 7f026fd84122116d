"""What is remembered of a profile for a condition: a *state*, folded from the profile's events.

A state is a plain JSON value (lists, texts, numbers, null). It is the same for any order and any duplicates of the same
events. Conditions whose memories have one text share one state, so the text says all that `fold` depends on: types,
`where`, sizes, dates. The segment and the marks are not part of it. A profile holds its states by the *keys* of these
texts, in memory and packed: short names, so that a profile stays small and nothing is translated on the way.

A condition that came in at a cut without its history knows less than an older one on the same events, and later a
record of history may tell it what the older one does not know. So its memory is one *of that cut* (`of_cut`): the cut
is part of the text.

A memory never judges. A condition reads its state at an instant and gives the verdict: `rules.conditions.base`.
"""

from abc import ABCMeta, abstractmethod
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from copy import copy
from hashlib import blake2b
from typing import ClassVar, Final, Self

from mypy_extensions import mypyc_attr

from rules.conditions.matching import Matcher
from rules.conditions.view import PAST_ARRIVAL, Mark, Register, State
from rules.ground.event import Event
from rules.ground.instants import FOREVER

NO_NAMES: Final[frozenset[str]] = frozenset()
STATE_KEY_BYTES: Final = 6
"""Two of 2,000 states get one key once in 10^8 catalogues; then the catalogue is refused (`rules.engine.masks`)."""


def state_key_of(text: str) -> str:
    """Return the key of the state that a canonical text describes."""
    return urlsafe_b64encode(blake2b(text.encode(), digest_size=STATE_KEY_BYTES).digest()).decode()


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Memory(metaclass=ABCMeta):
    """How one state is kept. Frozen after construction; holds no state of any profile."""

    state_text: str
    """Canonical text of all that folding depends on."""
    state_key: str
    """Short name of that text."""
    shares_text: ClassVar[bool] = False
    """Whether memories with one text may keep more or less: then `joined` gives the one that serves all of them."""
    cut: int = 0
    """Ordinal of the cut at which its conditions came in without their history; 0: they never lacked any."""
    former_keys: tuple[str, ...] = ()
    """Keys under which profiles of older layouts hold states of this memory (`rules.engine.old_layouts`)."""
    types: frozenset[str] = NO_NAMES
    """Event types that `fold` wants to see."""
    matchers: tuple[Matcher, ...] = ()
    """If there are any: an event that none of them matches leaves every state as it is."""
    traits: frozenset[str] = NO_NAMES
    """Traits whose settings `fold_setting` wants to see."""

    def take_name(self, state_text: str) -> None:
        """Set the text and its key."""
        self.state_text = state_text
        self.state_key = state_key_of(state_text)

    def _match(self, matchers: tuple[Matcher, ...]) -> None:
        """Set the matchers, and their types."""
        self.matchers = matchers
        self.types = frozenset[str]().union(*(matcher.types for matcher in matchers))

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Fold one event of `types` that is no redelivery which the profile still recognises; return the new state.

        Returns the very same object when nothing moved. Idempotent by (time, source, id). `arrival` grows by one with
        each event of the profile. `t_ms` is R: what no window can reach at t_ms or later may be dropped.
        """
        return state

    def fold_setting(self, state: State, trait: str, setting: Register, arrival: int, t_ms: int) -> State:
        """Fold one setting of a trait in `traits`; return the new state. Contract as `fold`."""
        return state

    def fold_past(self, state: State, event: Event, t_ms: int) -> State:
        """Fold an event that a record of history brings at R = `t_ms`: as `fold`, and it is later than no mark."""
        return self.fold(state, event, PAST_ARRIVAL, t_ms)

    def fold_past_setting(self, state: State, trait: str, setting: Register, t_ms: int) -> State:
        """Fold a setting that a record of history brings. Contract as `fold_setting`."""
        return self.fold_setting(state, trait, setting, PAST_ARRIVAL, t_ms)

    def standing(self, setting: Register) -> State:
        """Return the state of a profile of which only the setting of a trait at the cut is known."""
        return None

    def of_cut(self, cut: int) -> Self:
        """Return the same memory for conditions that came in at a cut without their history. 0: the memory itself."""
        if not cut:
            return self
        found = copy(self)
        found.cut = cut
        found.former_keys = (*self.former_keys, self.state_key)
        found.take_name(f"{cut} {self.state_text}")
        return found

    def key_of_cut(self, number: int) -> str:
        """Return the key that the state has where its cut has another number.

        Partitions count the ends of their fills among their cuts, and these come between different cuts.
        """
        if not self.cut or number == self.cut:
            return self.state_key
        return state_key_of(f"{number} {self.state_text.removeprefix(f'{self.cut} ')}")

    def stands_until(self, state: State) -> int:
        """Return an instant before which one more event, folded into this state, moves no verdict on it that `lasts`.

        It changes none, and lets none end sooner. The instant lies half a window before the first of them ends. So
        where events come seldom each is looked at, which puts the next look off; where they come often, a look finds
        nothing once in a window. -FOREVER: an event may move one now.
        """
        return -FOREVER

    def oldest_ms(self, t_ms: int) -> int:
        """Return the instant up to which events move no verdict at t_ms or later; -FOREVER: there is none."""
        return -FOREVER

    @abstractmethod
    def prune(self, state: State, t_ms: int) -> State:
        """Return the state without what no window can reach at t_ms or later; None when nothing is left."""

    # -- states of one person that lie apart (docs/language.md, One person, several subjects)

    def join(self, states: Sequence[State], t_ms: int) -> State:
        """Return the state of all facts of these states together, as if one profile had folded them in any order.

        A state that is None holds nothing; where only one holds anything, it is returned as it is. The order of the
        states does not matter, but where two have one fact: the first state's entry of it stands. Joining is
        associative, and a state joined with itself is the same. `t_ms` is R: what no window can reach at t_ms or
        later may be dropped.
        """
        known = [state for state in states if state is not None]
        if len(known) > 1:
            return self._join(known, t_ms)
        return known[0] if known else None

    @abstractmethod
    def _join(self, states: list[State], t_ms: int) -> State:
        """Join states; there are two at least, and none is None. Contract as `join`."""

    def arrived(self, state: State, arrival: int, known: Sequence[State]) -> State:
        """Return the same facts as they arrive now: the arrival of each is `arrival`.

        One that is among the facts of `known` keeps its arrival there, the smallest. The very same object if nothing
        is another, as in a memory that keeps no arrivals.
        """
        return state

    @abstractmethod
    def later(self, state: State, after_ms: int) -> State:
        """Return the state of only the facts with a time later than `after_ms`; None: there is none."""

    def joined(self, other: Self) -> Self:
        """Return the memory that keeps what either keeps. Both have one text."""
        return self

    def united(self, former: Sequence[State]) -> State:
        """Return the state that follows from those under `former_keys`; there is at least one."""
        raise AssertionError("no state of this memory had another key")

    def inert(self, state: State) -> bool:
        """Tell whether every condition on this state is false until the next event, whatever the mark and the instant.

        Folding that leaves a state inert moves no verdict (a flip by time is a wake of its own), so the segments need
        not be visited. False where that cannot be told at a glance.
        """
        return False

    def capped(self, state: State, mark: Mark | None) -> bool:
        """Tell whether the limit of entries was hit, so that a verdict is of the latest entries only."""
        return False

    @abstractmethod
    def is_state(self, value: State) -> bool:
        """Tell whether a JSON value, not None, has the shape of a state of this memory. Raises nothing."""

    @abstractmethod
    def bytes_max(self) -> int:
        """Return the largest size of the packed state in bytes, for lint (source and id of an event take 64)."""

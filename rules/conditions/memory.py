"""What is remembered of a profile for a condition: a *state*, folded from the profile's events.

A state is a plain JSON value (lists, texts, numbers, null). It is the same for any order and any duplicates of the same
events. Conditions whose memories have one `state_key` share one state, so the key says all that `fold` depends on:
types, `where`, sizes, dates. The segment and the marks are not part of it.

A memory never judges. A condition reads its state at an instant and gives the verdict: `rules.conditions.base`.
"""

from abc import ABC, abstractmethod

from rules.conditions.view import Mark, Register, State
from rules.ground.event import Event


class Memory(ABC):
    """How one state is kept. Frozen after construction; holds no state of any profile."""

    state_key: str
    """Canonical text of all that folding depends on."""
    kin_key: str | None = None
    """The state key that the same definition has in a segment that counts from another mark; None: it is the same."""
    types: frozenset[str] = frozenset()
    """Event types that `fold` wants to see."""
    traits: frozenset[str] = frozenset()
    """Traits whose settings `fold_setting` wants to see."""

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Fold one event of `types` that is no redelivery which the profile still recognises; return the new state.

        Returns the very same object when nothing moved. Idempotent by (time, source, id). `arrival` grows by one with
        each event of the profile. `t_ms` is R: what no window can reach at t_ms or later may be dropped.
        """
        return state

    def fold_setting(self, state: State, trait: str, setting: Register, arrival: int, t_ms: int) -> State:
        """Fold one setting of a trait in `traits`; return the new state. Contract as `fold`."""
        return state

    @abstractmethod
    def prune(self, state: State, t_ms: int) -> State:
        """Return the state without what no window can reach at t_ms or later; None when nothing is left."""

    def adopt(self, state: State) -> State:
        """Return the own state that follows from the state under `kin_key`; None: nothing can be taken over.

        So a condition keeps at a cut what it knows, though its segment now counts from another mark.
        """
        return None

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
    def bytes_max(self) -> int:
        """Return the largest size of the packed state in bytes, for lint (source and id of an event take 64)."""

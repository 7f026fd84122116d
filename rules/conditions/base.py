"""What a condition is: one testable statement inside a rule, compiled.

A condition keeps a *state* a profile: a plain JSON value (lists, strings, numbers, null), folded from
events, the same for any order and any duplicates of the same set of events. Its verdict at an instant is
a pure function of that state and of the `View`. Conditions whose `state_key` is equal share one state
(the key says everything that `fold` depends on; windows' marks and the segment do not belong to it).

A verdict is `(holds, next_ms)`: `holds` is True, False, or None for *no verdict* (Kleene); `next_ms` is an
instant later than `view.t_ms` before which the verdict cannot change with no new event (FOREVER: never).
It may be too early (the engine looks again then and finds nothing), never too late.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from rules.conditions.view import MarkKind, Register, State, View
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader

Verdict: TypeAlias = tuple[bool | None, int]


class Node(ABC):
    """A compiled rule or a part of one: a condition (a leaf) or a group. See `rules.catalogue.logic` for groups."""

    __slots__ = ()

    @abstractmethod
    def verdict(self, view: View) -> Verdict:
        """Tell whether it holds at `view.t_ms`, and until when that cannot change with no event."""

    @abstractmethod
    def describe(self) -> str:
        """Say it in plain English, for people: `2 or more of access_content.viewed within 30d`."""

    @abstractmethod
    def conditions(self) -> "Iterator[Condition]":
        """Walk its leaves in document order."""


@dataclass(frozen=True, slots=True)
class RuleContext:
    """Where a rule stands, which says what it may name and from which mark it counts."""

    dictionary: Dictionary
    rule: Literal["enter", "exit", "restriction"]
    segment: str
    forgets: bool
    """Whether the segment has `exit` or `max_stay`: then `since: exit` is the default in `enter`."""


ReadRule: TypeAlias = Callable[[DefinitionReader, RuleContext], Node | None]
"""Reads a condition or a group, as `rules.catalogue.logic.read_rule`: handed to the kinds that have rules inside
them."""


class Condition(Node):
    """A compiled leaf. Subclasses are frozen after construction and hold no state of any profile."""

    kind: ClassVar[str]
    looks_at_history: ClassVar[bool]
    """Whether it can be *pending* after a cut (definitions.md section 8, Pending)."""

    definition: Any = None
    """The raw value that it was read from; equal ones are the same condition (definitions.md section 8)."""
    state_key: str | None = None
    """Canonical text of all that `fold` depends on (kind, types, where, sizes …); None: keeps no state."""
    kin_key: str | None = None
    """The state key that the same definition has in a place with, or without, a mark; None: it is the same."""
    types: frozenset[str] = frozenset()
    """Event types that `fold` wants to see."""
    traits: frozenset[str] = frozenset()
    """Traits whose settings can move its verdict (and, for held and changed, its state)."""
    segments: frozenset[str] = frozenset()
    """Segments whose membership changes can move its verdict."""
    reads_consent: bool = False
    reads_known_since: bool = False
    """Whether a smaller `known_since_ms`, by a late event, can move its verdict."""
    mark: MarkKind | None = None
    """From which mark it counts, given its place (default marks included)."""
    parts: tuple["Condition", ...] = ()
    """The conditions inside it that keep states of their own (a score's `when`)."""

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Fold one event (its type is in `types`, and not a redelivery that the profile still recognises).

        Returns the very same object when nothing moved. Idempotent by (time, source, id). `arrival` grows by one with
        each event of the profile; `t_ms` is R: what no window can reach at t_ms or later may be dropped.
        """
        return state

    def fold_setting(self, state: State, trait: str, setting: Register, arrival: int, t_ms: int) -> State:
        """Fold one setting of a trait in `traits`. Contract as `fold`. Only held and changed keep state of settings."""
        return state

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what no window can reach at t_ms or later; None when nothing is left."""
        return state

    def adopt(self, state: State) -> State:
        """Make a state of that of its kin: at a cut a condition keeps what it knows though its place has changed."""
        return None

    def inert(self, state: State) -> bool:
        """Tell whether with this state it is false for ever without an event, whatever the mark and the instant.

        Folding that leaves a state inert moves no verdict (a flip by time is a wake of its own), so the segments need
        not be visited. False where that cannot be told at a glance.
        """
        return False

    def complete_at(self, cut_ms: int) -> int:
        """The first instant at which its window begins at cut_ms + 5 min or later; FOREVER: the window never moves."""
        raise NotImplementedError(self.kind)

    def completions(self, cut_ms: int) -> tuple[tuple[int, MarkKind | None], ...]:
        """For each part that has a window of its own: when that is complete, and the mark that it counts from."""
        return ((self.complete_at(cut_ms), self.mark),)

    def conditions(self) -> "Iterator[Condition]":
        """Itself."""
        yield self

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """The occurrences (time_ms, source, id), oldest first, on which the verdict at `view.t_ms` stands."""
        return []

    def capped(self, view: View) -> bool:
        """Whether the 512-entry limit was hit for this profile, so that the verdict is of the latest entries only."""
        return False

    def state_bytes_max(self) -> int:
        """The largest size of its packed state in bytes, for lint (64 bytes of source and id taken for each entry)."""
        return 0

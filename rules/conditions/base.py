"""What a condition is: one testable statement inside a rule, compiled.

A condition judges: its verdict at an instant is a pure function of the `View`. What it needs to know of earlier events
is kept by its `Memory` (`rules.conditions.memory`).

A verdict is `(holds, next_ms)`: `holds` is True, False, or None for *no verdict* (Kleene); `next_ms` is an
instant later than `view.t_ms` before which the verdict cannot change with no new event (FOREVER: never).
It may be too early (the engine looks again then and finds nothing), never too late.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any, ClassVar, Self, TypeAlias

from mypy_extensions import mypyc_attr

from rules.conditions.context import RuleContext
from rules.conditions.facts import Alternatives
from rules.conditions.memory import NO_NAMES, Memory
from rules.conditions.scene import Compared, Judge, Scene, Word
from rules.conditions.view import MarkKind, View
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader
from rules.language.validation import Path

Verdict: TypeAlias = tuple[bool | None, int]
Completion: TypeAlias = tuple[int, MarkKind | None]
"""When a window is complete after a cut, and the mark that it counts from."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Node(metaclass=ABCMeta):
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

    def with_leaves(self, change: "Callable[[Condition], Node]") -> "Node":
        """Return the same rule with every leaf changed."""
        return self


ReadRule: TypeAlias = Callable[[DefinitionReader, RuleContext], Node | None]
"""Reads a condition or a group, as `rules.catalogue.logic.read_rule`: handed to the kinds that have rules inside
them."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Condition(Node):
    """A compiled leaf. Subclasses are frozen after construction and hold no state of any profile."""

    kind: ClassVar[str]
    looks_at_history: ClassVar[bool] = False
    """Whether it can be *pending* after a cut: then `completions` says for how long."""
    meant_always: ClassVar[bool] = False
    """Whether an author writes it in `enter` because it always holds."""

    definition: Any = None
    """The raw value that it was read from; two conditions are the same if theirs are equal."""
    memory: Memory | None = None
    """What it remembers; None: it reads only what the profile keeps anyway."""
    state_key: str = ""
    """The key of its memory's state, where it is set: to look it up each time would cost."""
    text_name: str = ""
    """What `rules.engine.pending.text_name` found; "": nobody asked yet. The partitions of a worker make the same cuts,
    of the same catalogues, so each asks for the same names."""
    traits: frozenset[str] = NO_NAMES
    """Traits whose settings can move its verdict."""
    segments: frozenset[str] = NO_NAMES
    """Segments whose membership changes can move its verdict."""
    reads_consent: bool = False
    reads_known_since: bool = False
    """Whether a smaller `known_since_ms`, by a late event, can move its verdict."""
    mark: MarkKind | None = None
    """From which mark it counts in its rule (default marks included)."""
    lasts: bool = False
    """Whether its memory may say that an event moves no verdict (`Memory.stands_until`): there is no upper bound that
    an event could break, no later instant at which an event begins to count, and no mark, which memories know not."""
    parts: tuple["Condition", ...] = ()
    """The conditions inside it that have memories of their own (a score's `when`)."""

    def conditions(self) -> "Iterator[Condition]":
        """Yield itself."""
        yield self

    def with_leaves(self, change: "Callable[[Condition], Node]") -> Node:
        """Change itself."""
        return change(self)

    # -- for explanations

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the occurrences (time_ms, source, id), oldest first, on which the verdict at `view.t_ms` stands."""
        return []

    def capped(self, view: View) -> bool:
        """Tell whether the limit of entries was hit for this profile: then the verdict is of the latest entries."""
        memory = self.memory
        return memory is not None and memory.capped(view.facts.state(memory.state_key), view.mark(self.mark))

    # -- for cuts

    def of_cut(self, cut: int, since_ms: int | None) -> Self:
        """Return the same condition, come in at a cut (its ordinal) without its history.

        `since_ms`: from which instant on it knows all; None: it knows all, a fill has said so.
        """
        found = copy(self)
        if self.memory is not None:
            found.memory = self.memory.of_cut(cut)
            found.state_key = found.memory.state_key
        return found

    def with_inner(self, change: "Callable[[Condition], Condition]") -> "Condition":
        """Return the same condition with the conditions inside it changed."""
        return self

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """For each window: the first instant at which it begins at cut_ms + 5 min or later (FOREVER: never)."""
        return ()

    # -- for lint

    @abstractmethod
    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say in facts what is so when it holds, or when it does not (see `rules.conditions.facts`)."""

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """Walk what it compares with operators: traits and attributes."""
        return iter(())

    def words(self) -> Iterator[Word]:
        """Walk the words in it that no dictionary declares: channels and purposes."""
        return iter(())

    def rules_inside(self) -> Iterator[tuple[Path, Node]]:
        """Walk the rules inside it, each with its path below the condition."""
        return iter(())

    def beyond_memory(self) -> tuple[Path, str] | None:
        """If it asks for more than is remembered: the path of the key that does, and what to tell the author."""
        return None

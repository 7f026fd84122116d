"""What a condition may read of a profile: its facts, as the rule of one segment sees them at one instant."""

from abc import ABCMeta, abstractmethod
from typing import Any, Final, Literal, TypeAlias, final

from mypy_extensions import mypyc_attr

from rules.conditions.kept import Consents, Grant, Mark, Register, Withdrawal

State: TypeAlias = Any
"""A condition's state of one profile: a JSON value; None: nothing was folded yet, or all was dropped.
Never mutated in place: `fold` returns a new value when it moved. After a checkpoint was read back, tuples
have become lists: code must not tell the two apart."""

PAST_ARRIVAL: Final = 0
"""The arrival of a fact that a record of history brings: it is later than no mark of its own time."""

__all__ = [
    "PAST_ARRIVAL",
    "Consents",
    "Facts",
    "Grant",
    "Mark",
    "MarkKind",
    "Register",
    "State",
    "View",
    "Withdrawal",
    "enter_view",
    "exit_view",
]

MarkKind: TypeAlias = Literal["entry", "exit"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Facts(metaclass=ABCMeta):
    """What a condition may read of a profile besides its own state."""

    known_since_ms: int
    """The smallest time of the profile's events."""
    latest_ms: int
    """The greatest time of the profile's events."""
    arrivals: int
    """How many events were applied (redeliveries not counted); the arrival of the newest one."""
    born_cut: int
    """The ordinal of the cut in force when the profile became known."""
    born_ms: int
    """R of the event with which it became known; -FOREVER: long ago (profiles of older layouts do not know it)."""

    lacking: dict[str, int] | None
    """By `state_key`: from which instant on a state knows all, where another subject brought facts without it."""

    @property
    @abstractmethod
    def traits(self) -> dict[str, Register]:
        """By name."""

    @property
    @abstractmethod
    def consents(self) -> Consents:
        """As `Consents`."""

    @abstractmethod
    def state(self, key: str) -> State:
        """State by `state_key`; None: there is none."""

    @abstractmethod
    def member_since(self, segment: str) -> int | None:
        """The `effective_at` of the present stay's entry; None while out."""

    @abstractmethod
    def exit_marked_ms(self, segment: str) -> int:
        """The `effective_at` of the latest exit that left a mark; -FOREVER: there was none."""


@final
class View:
    """One profile as seen by the rule of one segment at one instant. Nothing of it changes but the profile's facts."""

    __slots__ = ("entry_mark", "exit_mark", "facts", "observed_since_ms", "t_ms")

    def __init__(
        self,
        t_ms: int,
        facts: Facts,
        entry_mark: Mark | None = None,
        exit_mark: Mark | None = None,
        observed_since_ms: int | None = None,
    ) -> None:
        self.t_ms: Final = t_ms
        self.facts: Final = facts
        self.entry_mark: Final = entry_mark
        """In `exit`: of the present stay's entry, or while out the mark that an entry now would get."""
        self.exit_mark: Final = exit_mark
        """In `enter`: of the latest exit by exit_rule or max_stay; None: there was none, all counts."""
        self.observed_since_ms: Final = observed_since_ms
        """Since when absence was observed: in `enter` known_since_ms; in `exit` the stay's entry, None while out."""

    def mark(self, kind: MarkKind | None) -> Mark | None:
        """Return the mark from which a condition counts: None where everything counts."""
        if kind is None:
            return None
        return self.entry_mark if kind == "entry" else self.exit_mark


def enter_view(t_ms: int, facts: Facts, exit_mark: Mark | None) -> View:
    """Return what an entry rule sees. `exit_mark`: None where everything counts."""
    return View(t_ms, facts, None, exit_mark, facts.known_since_ms)


def exit_view(t_ms: int, facts: Facts, entry_mark: Mark | None, since_ms: int | None) -> View:
    """Return what an exit rule sees: of a member, its entry's mark and instant; while out, `since_ms` is None."""
    return View(t_ms, facts, entry_mark, None, since_ms)

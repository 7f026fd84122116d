"""What a condition may read of a profile: its facts, as the rule of one segment sees them at one instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from rules.ground.event import Value

State: TypeAlias = Any
"""A condition's state of one profile: a JSON value; None: nothing was folded yet, or all was dropped.
Never mutated in place: `fold` returns a new value when it moved. After a checkpoint was read back, tuples
have become lists: code must not tell the two apart."""

PAST_ARRIVAL: Final = 0
"""The arrival of a fact that a record of history brings: it is later than no mark of its own time."""

MarkKind: TypeAlias = Literal["entry", "exit"]


class Mark(NamedTuple):
    """The mark of a change (docs/language.md, Marks): the greatest event time known of the profile at it.

    `arrival` is the profile's count of events applied at the change: an event whose time equals `time_ms`
    is later than the mark if its own arrival is greater. `cut` is the ordinal of the cut in force.
    """

    time_ms: int
    arrival: int
    cut: int

    def precedes(self, time_ms: int, arrival: int) -> bool:
        """Tell whether an event of that time and arrival is later than the mark."""
        return time_ms > self.time_ms or (time_ms == self.time_ms and arrival > self.arrival)


class Register(NamedTuple):
    """A last-write register: the value of the latest setting by (time, source, id); None: no value."""

    time_ms: int
    source: str
    id: str
    value: Value | None


class Grant(NamedTuple):
    """A grant of consent; from `until_ms` on it is withdrawn; None: it does not end by itself.

    Profiles packed by version 4 of the rules kept no source and no id; both are "" then.
    """

    time_ms: int
    source: str
    id: str
    until_ms: int | None


class Withdrawal(NamedTuple):
    """A withdrawal of consent, by an event of its own or by a reply."""

    time_ms: int
    source: str
    id: str


Consents: TypeAlias = dict[tuple[str, str], tuple[Grant | None, Withdrawal | None]]
"""By (channel, purpose), either may be "all": the latest grant and the latest withdrawal."""


class Facts(Protocol):
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

    @property
    def lacking(self) -> Mapping[str, int] | None:
        """By `state_key`: from which instant on a state knows all, where another subject brought facts without it."""
        ...

    @property
    def traits(self) -> Mapping[str, Register]:
        """By name."""
        ...

    @property
    def consents(self) -> Mapping[tuple[str, str], tuple[Grant | None, Withdrawal | None]]:
        """As `Consents`."""
        ...

    @property
    def states(self) -> Mapping[str, State]:
        """State by `state_key`."""
        ...

    def member_since(self, segment: str) -> int | None:
        """The `effective_at` of the present stay's entry; None while out."""
        ...

    def exit_marked_ms(self, segment: str) -> int:
        """The `effective_at` of the latest exit that left a mark; -FOREVER: there was none."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """One profile as seen by the rule of one segment at one instant. Nothing of it changes but the profile's facts."""

    t_ms: int
    facts: Facts
    entry_mark: Mark | None = None
    """In `exit`: of the present stay's entry, or while out the mark that an entry now would get."""
    exit_mark: Mark | None = None
    """In `enter`: of the latest exit by exit_rule or max_stay; None: there was none, all counts."""
    observed_since_ms: int | None = None
    """Since when absence was observed: in `enter` known_since_ms; in `exit` the stay's entry, None while out."""

    def mark(self, kind: MarkKind | None) -> Mark | None:
        """Return the mark from which a condition counts: None where everything counts."""
        if kind is None:
            return None
        return self.entry_mark if kind == "entry" else self.exit_mark


class _Made:
    """A view in the making: becomes a View of the same slots, at a third of the cost of the frozen class's way."""

    __slots__ = ("entry_mark", "exit_mark", "facts", "observed_since_ms", "t_ms")

    def __init__(
        self, t_ms: int, facts: Facts, entry_mark: Mark | None, exit_mark: Mark | None, observed_since_ms: int | None
    ) -> None:
        self.t_ms = t_ms
        self.facts = facts
        self.entry_mark = entry_mark
        self.exit_mark = exit_mark
        self.observed_since_ms = observed_since_ms
        self.__class__ = View  # type: ignore[assignment]


def enter_view(t_ms: int, facts: Facts, exit_mark: Mark | None) -> View:
    """Return what an entry rule sees. `exit_mark`: None where everything counts."""
    return _Made(t_ms, facts, None, exit_mark, facts.known_since_ms)  # type: ignore[return-value]


def exit_view(t_ms: int, facts: Facts, entry_mark: Mark | None, since_ms: int | None) -> View:
    """Return what an exit rule sees: of a member, its entry's mark and instant; while out, `since_ms` is None."""
    return _Made(t_ms, facts, entry_mark, None, since_ms)  # type: ignore[return-value]

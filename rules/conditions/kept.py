"""What is kept of a profile beside its states, as it is packed: msgspec reads these by their annotations."""

from typing import NamedTuple, TypeAlias

from rules.ground.event import Value


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

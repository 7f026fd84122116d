"""What is measured of the changes: how long each took, what came of time alone, how long a partition was silent.

Latency is the time from just before the send of an event to the arrival, at a `read_committed` reader in this same
process, of each change that it caused: both by one monotonic clock, matched by the event's source and id as the change
names it. A change by time alone has no event: its delay is from the instant at which it takes effect to its arrival, by
the wall clock that the broker stamps with (all of it is this machine's).
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from streams.example.organisations import MARKET_ACCESS, TIGHTENED
from streams.example.persons import STEWARD

RECENT: Final = 500
"""Changes that the figures of the moment stand on."""
SENT_KEPT: Final = 200_000
"""Events whose time of sending is remembered."""


@dataclass(frozen=True, slots=True)
class Took:
    """One change: from its event (or, by time alone, its instant) to its arrival, in seconds of the monotonic clock."""

    sent_s: float
    arrived_s: float

    @property
    def ms(self) -> float:
        """How long it took."""
        return (self.arrived_s - self.sent_s) * 1000


@dataclass(slots=True)
class Contact:
    """All activation changes that arrived, of every channel."""

    activated: int = 0
    deactivated: int = 0
    suppressed: int = 0
    """Deactivations by a suppression; `deactivated` counts them too."""
    took: list[Took] = field(default_factory=list)
    suppressed_took: list[Took] = field(default_factory=list)
    """From the send of the event behind a suppression to its arrival from the channel's topic."""
    suppressing_took: list[Took] = field(default_factory=list)
    """From the send of that event to the arrival of the membership change that suppresses."""

    @property
    def changes(self) -> int:
        """How many arrived."""
        return self.activated + self.deactivated


@dataclass(slots=True)
class Linked:
    """What came of links and erasures, each from the send of its event to the arrival of the change."""

    links: int = 0
    """How many were sent."""
    left_took: list[Took] = field(default_factory=list)
    """To the exit of the subject that stands for another now."""
    over_took: list[Took] = field(default_factory=list)
    """To the entry of the subject that takes its stay over."""
    ended_took: list[Took] = field(default_factory=list)
    """To the end of an activation of that subject."""
    erased_took: list[Took] = field(default_factory=list)
    """From the send of an erasure to the exit of each membership that it ends."""


@dataclass(slots=True)
class Told:
    """What came of what payers told their prescribers."""

    tellings: int = 0
    """How many events payers were told."""
    took: list[Took] = field(default_factory=list)
    """From the send of a payer's event to the entry of each prescriber, told by an event of another partition."""


@dataclass(slots=True)
class Arrivals:
    """All that arrived. Filled by the sender (`sent`) and the reader (`arrived`)."""

    entered: int = 0
    exited: int = 0
    alone: int = 0
    """Changes with no event behind them; `entered` and `exited` count them too."""
    took: list[Took] = field(default_factory=list)
    alone_took: list[Took] = field(default_factory=list)
    """Of changes by time alone."""
    contact: Contact = field(default_factory=Contact)
    linked: Linked = field(default_factory=Linked)
    told: Told = field(default_factory=Told)
    silence_s: dict[int, float] = field(default_factory=dict)
    """By partition: the longest time between two changes while `watching` it."""
    _sent_s: dict[str, float] = field(default_factory=dict)
    _last_s: dict[int, float] = field(default_factory=dict)
    _watched: frozenset[int] = frozenset()
    _recent: deque[Took] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def changes(self) -> int:
        """How many changes arrived."""
        return self.entered + self.exited

    def sent(self, source: str, id_: str, now_s: float) -> None:
        """Note that an event is about to be sent; a redelivery changes nothing."""
        self.linked.links += source == STEWARD and id_.startswith("link-")
        self.told.tellings += _is_telling(f"{source} {id_}")
        self._sent_s.setdefault(f"{source} {id_}", now_s)
        if len(self._sent_s) > SENT_KEPT:
            for old in list(islice(self._sent_s, SENT_KEPT // 10)):
                del self._sent_s[old]

    def arrived(self, partition: int, change: Mapping[str, Any], effective_ms: int, now_s: float, wall_ms: int) -> None:
        """Note a change."""
        if change["change"] == "entered":
            self.entered += 1
        else:
            self.exited += 1
        events = change["reason"]["events"]
        if not events:
            self.alone += 1
            self.alone_took.append(Took(now_s - max(0, wall_ms - effective_ms) / 1000, now_s))
        elif (sent_s := self._sent_s.get(events[0])) is not None:
            took = Took(sent_s, now_s)
            self.took.append(took)
            self._recent.append(took)
            if _is_telling(events[0]) and change["profile"].startswith("hcp:"):
                self.told.took.append(took)
        self._of_persons(change["reason"]["kind"], change["change"], events, now_s)
        if partition in self._watched:
            silent_s = now_s - self._last_s.get(partition, now_s)
            self.silence_s[partition] = max(silent_s, self.silence_s.get(partition, 0.0))
        self._last_s[partition] = now_s

    def contacted(self, change: Mapping[str, Any], now_s: float) -> Took | None:
        """Note a change of an activation; what it took where an event is behind it."""
        contact, reason = self.contact, change["reason"]
        linked = _is_link(reason["events"])
        suppressed = reason["kind"] == "suppressed_by" and not linked
        if change["change"] == "activated":
            contact.activated += 1
        else:
            contact.deactivated += 1
            contact.suppressed += suppressed
        took = self._since_sent(reason["events"], now_s)
        if took is not None:
            contact.took.append(took)
            if suppressed:
                contact.suppressed_took.append(took)
            if linked and change["change"] == "deactivated":
                self.linked.ended_took.append(took)
        return took

    def suppresses(self, change: Mapping[str, Any], now_s: float) -> None:
        """Note that a membership change is one that suppresses."""
        took = self._since_sent(change["reason"]["events"], now_s)
        if took is not None:
            self.contact.suppressing_took.append(took)

    def _of_persons(self, kind: str, way: str, events: Sequence[str], now_s: float) -> None:
        """Note what a link or an erasure did to a membership."""
        linked = self.linked
        noted = {
            ("merged", "exited"): linked.left_took,
            ("merged", "entered"): linked.over_took,
            ("erased", "exited"): linked.erased_took,
        }.get((kind, way))
        took = None if noted is None else self._since_sent(events, now_s)
        if noted is not None and took is not None:
            noted.append(took)

    def _since_sent(self, events: Sequence[str], now_s: float) -> Took | None:
        sent_s = self._sent_s.get(events[0]) if events else None
        return None if sent_s is None else Took(sent_s, now_s)

    def watch(self, partitions: Iterable[int]) -> None:
        """From now on measure the silences of these partitions; of none: stop."""
        self._watched = frozenset(partitions)

    def recent_ms(self) -> list[float]:
        """What the latest changes took."""
        return [each.ms for each in self._recent]


def _is_link(events: Sequence[str]) -> bool:
    return bool(events) and events[0].startswith(f"{STEWARD} link-")


def _is_telling(event: str) -> bool:
    return event.startswith(f"{MARKET_ACCESS} {TIGHTENED}")


def undisturbed_ms(took: Iterable[Took], from_s: float | None, to_s: float | None) -> list[float]:
    """What changes took that were not under way at any time between two instants (None: there was no trouble)."""
    if from_s is None:
        return [each.ms for each in took]
    end_s = float("inf") if to_s is None else to_s
    return [each.ms for each in took if each.arrived_s < from_s or each.sent_s > end_s]


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which that share of the values lies; None: there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]

"""What is known about a profile, and what was published about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.naive.conditions import Known, Mark
from tests.naive.decode import Event

Identity = tuple[int, str, str, str]


@dataclass(frozen=True)
class Stay:
    """A present stay in a segment."""

    entered_at: int
    mark: Mark


@dataclass(frozen=True)
class Told:
    """The last published values of an active activation."""

    channel: str
    version: int
    journey: str | None
    content: Mapping[str, Any]
    arm: str | None
    group: str | None

    @property
    def published(self) -> tuple[Any, ...]:
        """The values of an activation that a change publishes."""
        return (self.channel, self.version, self.journey, self.content, self.arm)


@dataclass
class Profile:
    """What is known about a profile, and what was published about it."""

    subject: str
    born: int
    """The era in which the profile became known."""
    born_at: int
    """The instant of the record by which it became known."""
    filled: Mapping[int, int | None]
    """Each cut whose history is filled in → the instant since which the log was whole; None: always."""
    histories: dict[int, dict[Identity, Known]] = field(default_factory=dict)
    """Each cut → the facts that histories of it brought, by identity."""
    known: list[Known] = field(default_factory=list)
    """In the order of (time, source, id)."""
    stays: dict[str, Stay] = field(default_factory=dict)
    last_exit: dict[str, int] = field(default_factory=dict)
    exit_mark: dict[str, Mark] = field(default_factory=dict)
    """Marks of the latest exit by exit_rule or max_stay."""
    disarmed: set[str] = field(default_factory=set)
    sequence: int = 0
    active: dict[str, Told] = field(default_factory=dict)
    """The active activations, with their last published values."""
    last_refusal: dict[str, str] = field(default_factory=dict)
    """Activation → the kind of its last `deactivated`."""
    channel_sequence: dict[str, int] = field(default_factory=dict)
    arrivals: int = 0
    """The number of the last arrival that it can have seen."""
    cursor: int = 0
    """The last instant evaluated."""

    def learn(self, known: Known) -> None:
        """Insert a fact at its place in the order."""
        self.known.append(known)
        self.known.sort(key=lambda one: one.event.identity)

    def recall(self, cut: int, events: Sequence[Event]) -> None:
        """Take the facts of a history in. One that is there already changes nothing."""
        facts = self.histories.setdefault(cut, {})
        for event in events:
            facts.setdefault(event.identity, Known(event, -1 - len(facts), -1))

    def facts(self, ordinal: int, cut: int, also: Sequence[Known]) -> list[Known]:
        """List what conditions that came in at a cut know, in order. `also`: facts from before it that they know."""
        found = {one.event.identity: one for one in also}
        found |= {one.event.identity: one for one in self.known if one.era >= ordinal}
        for identity, past in self.histories.get(cut, {}).items():
            known = found.get(identity)
            if known is None:
                found[identity] = past
            elif known not in also or known.event.sets.keys() <= past.event.sets.keys():
                # a fact keeps the types and sets of its arrival, and is later than no mark of its own time
                found[identity] = known._replace(arrival=past.arrival)
        return [found[identity] for identity in sorted(found)]

    def mark(self, t: int) -> Mark:
        """Return the mark of a change at t."""
        return Mark(self.known[-1].event.time if self.known else 0, self.arrivals, t)

    def forget(self) -> None:
        """Erase everything but what was published: sequences, and `was`."""
        self.known, self.histories = [], {}
        self.stays, self.last_exit, self.exit_mark, self.disarmed = {}, {}, {}, set()

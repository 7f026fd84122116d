"""One profile of the model: its facts, what they come to, where it stands, and what it may be told."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.faults.catalogues import Rules, Segment
from tests.faults.contact import Contact, cap_ends, consent_ends
from tests.faults.persons import ENDLESS, Event, Identity, Mark, Person, Taken


@dataclass
class Profile:
    """What is known of one subject."""

    subject: str
    rules: Rules
    told: dict[Identity, Event] = field(default_factory=dict)
    """The facts that were told of itself."""
    arrived: dict[Identity, int] = field(default_factory=dict)
    """By fact, also those that aliases brought: its place among the arrivals."""
    arrivals: int = 0
    person: Person | None = None
    """None: it never met a link or an erasure."""
    logins: list[int] = field(default_factory=list)
    """The latest times, ascending; as many as any rule needs."""
    login_count: int = 0
    first_ms: int = 1 << 62
    greatest_ms: int = -(1 << 62)
    tier: tuple[Identity, str | None] | None = None
    left: bool = False
    """Whether a portal.left counts: it is later than the last exit."""
    left_mark: Mark | None = None
    since: dict[str, int] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    """The segments that it was ever in, or of which it took an exit over."""
    exited: set[str] = field(default_factory=set)
    """Those of which it has a last exit."""
    sequence: int = 0
    due_ms: int | None = None
    visit_ms: int | None = None
    """The instant of a cut, or of the end of a fill, that has not visited the profile yet."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Segments whose rule came in at a cut (its instant), and whose history is not filled in: they have no verdict."""
    contact: Contact = field(default_factory=Contact)

    @property
    def alive(self) -> bool:
        """Whether it is known: it has facts, and stands for itself."""
        person = self.person
        return bool(self.told) if person is None else person.canonical is None and bool(person.own or person.parts)

    @property
    def forgotten(self) -> bool:
        """Whether it was erased and knows nothing since: nobody was linked to it later, who would be remembered."""
        person = self.person
        if person is None or person.erased is None:
            return False
        return not (person.own or person.parts or person.aliases or person.held or self.met)

    def take(self, event: Event, identity: Identity) -> None:
        """Take an event in that it was told; it never met a link."""
        self.told[identity] = event
        self.arrive([identity])
        self._fold(event, identity)

    def arrive(self, identities: Iterable[Identity]) -> None:
        """Number facts that it did not know, as they arrive together."""
        self.arrivals += 1
        for identity in identities:
            self.arrived[identity] = self.arrivals

    def refold(self) -> None:
        """Work out anew what all of its person's facts come to."""
        assert self.person is not None
        facts = self.person.facts()
        self.arrived = {identity: place for identity, place in self.arrived.items() if identity in facts}
        self.logins, self.login_count, self.tier, self.left = [], 0, None, False
        self.greatest_ms = -(1 << 62)
        self.contact.consents, self.contact.sends = {}, {}
        for identity in sorted(facts):
            self._fold(facts[identity], identity)
        # after an erasure a worker may not know the smallest time of what an alias brought
        self.first_ms = min((part.first_ms for _, _, part in self.person.ways()), default=1 << 62)

    def _fold(self, event: Event, identity: Identity) -> None:
        time_ms = identity[0]
        self.contact.fold(event["type"], event.get("data") or {}, time_ms)
        self.first_ms, self.greatest_ms = min(self.first_ms, time_ms), max(self.greatest_ms, time_ms)
        if event["type"] == "portal.login":
            self.login_count += 1
            insort(self.logins, time_ms)
            del self.logins[:-8]
            data = event.get("data")
            if isinstance(data, dict) and "tier" in data and (self.tier is None or identity > self.tier[0]):
                self.tier = (identity, data["tier"] or None)
        if event["type"] == "portal.left":
            mark = self.left_mark
            self.left |= mark is None or (time_ms, self.arrived[identity]) > (mark.time_ms, mark.arrivals)

    def mark_left(self, t_ms: int) -> None:
        """Leave a limited stay: from here on only later evidence counts."""
        self.left, self.left_mark = False, Mark(t_ms, self.greatest_ms, self.arrivals)

    def taken(self) -> Taken:
        """Return what another takes over, if this becomes its alias."""
        mark = None if self.left_mark is None else self.left_mark._replace(arrivals=ENDLESS)
        return Taken(dict(self.since), frozenset(self.met), frozenset(self.exited), mark)

    def take_exits(self, taken: Taken) -> None:
        """Take last exits over, where they are later."""
        self.exited |= taken.exited
        self.met |= taken.exited
        if taken.left is not None and (self.left_mark is None or taken.left.set_ms > self.left_mark.set_ms):
            self.left_mark = taken.left
            self.refold()

    def forget(self) -> None:
        """Forget all but what was published."""
        self.left_mark = self.due_ms = None
        self.since, self.met, self.exited, self.waiting = {}, set(), set(), {}
        self.refold()

    def holds(self, one: Segment, t_ms: int) -> bool:
        """Return whether a segment's entry rule holds."""
        match one.kind:
            case "everyone":
                return True
            case "logins" if not one.length_ms:
                return self.login_count >= one.count
            case "logins":
                return len(self.logins) >= one.count and self.logins[-one.count] > t_ms - one.length_ms
            case "quiet":
                last_ms = self.logins[-1] if self.logins else -(1 << 62)
                return max(self.first_ms, last_ms) <= t_ms - one.length_ms
            case "tier":
                return self.tier is not None and self.tier[1] == one.value
            case "left":
                return self.left
        raise AssertionError(one.kind)

    def next_due(self, t_ms: int) -> int | None:
        """Return the first instant after t at which a verdict may change without an event."""
        if not self.alive:
            return None
        found = [*cap_ends(self.contact, self.rules), *consent_ends(self.contact)]
        for one in self.rules.segments:
            if one.kind == "logins" and one.length_ms and len(self.logins) >= one.count:
                found.append(self.logins[-one.count] + one.length_ms)
            elif one.kind == "quiet":
                found.append(max([self.first_ms, *self.logins[-1:]]) + one.length_ms)
            elif one.kind == "left" and one.id in self.since:
                found.append(self.since[one.id] + one.length_ms)
        return min((due for due in found if due > t_ms), default=None)

"""Who is one person: a second reading of docs/language.md (persons, erasure) and docs/protocol.md (effects).

Shares nothing with `rules` and `streams`. A record touches one profile. What it brings to another one is an effect: a
record of that profile's partition. The model keeps what an effect must bring under the effect's id, and takes that in
where the record stands; it never reads what the record says of facts.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AnySet
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Identity = tuple[int, str, str]
Event = Mapping[str, Any]
LINKED: Final = "identity.linked"
UNLINKED: Final = "identity.unlinked"
ERASURE: Final = "privacy.erased"
NO_FACTS: Final = frozenset({LINKED, UNLINKED, ERASURE})
FACTS: Final = "segue.facts"
FACT: Final = "segue.fact"
WITHDRAWN: Final = "segue.withdrawn"
ERASED: Final = "segue.erased"
EFFECTS: Final = frozenset({FACTS, FACT, WITHDRAWN, ERASED})
OWN: Final = ""
"""In place of an alias, where the facts are the subject's own."""
ENDLESS: Final = 1 << 62


class Mark(NamedTuple):
    """The mark of the last exit that asks for new evidence."""

    set_ms: int
    """When it was set."""
    time_ms: int
    """The greatest event time that was known then."""
    arrivals: int
    """How many facts had arrived; ENDLESS where another subject left, so that only a later time is later."""


class Taken(NamedTuple):
    """What another subject takes over from one that becomes an alias, as it was before."""

    since: Mapping[str, int]
    """The memberships, each with the instant of its entry."""
    met: AnySet[str]
    """The segments that it was ever in, or of which it took an exit over. Without any there is nothing to take over."""
    exited: AnySet[str]
    """Those of which it has a last exit."""
    left: Mark | None


NOTHING: Final = Taken({}, frozenset(), frozenset(), None)


class Brought(NamedTuple):
    """The facts of one origin, as an alias brings them."""

    origin: str
    facts: Mapping[Identity, Event]
    between: frozenset[str]
    """The subjects between the origin and the alias: the facts came through these, too."""
    first_ms: int
    """The smallest time of the facts, as far as the alias knows it."""


class Effect(NamedTuple):
    """What a record brings to another subject."""

    id: str
    subject: str
    type: str
    way: tuple[str, ...]
    """The subjects that it came through; the last one sends it."""
    event: str
    """The `source id` that changes name as their event."""
    brought: Sequence[Brought] = ()
    taken: Taken = NOTHING
    link: Identity | None = None
    origins: AnySet[str] | None = None
    """Of a withdrawal: whose facts no longer come; None: all that came through the sender."""
    erasure: Identity | None = None
    fact: tuple[str, Identity, Event] | None = None
    """Of one fact: its origin, its identity, and itself."""
    to: str | None = None
    """Of a withdrawal: the subject by way of which the facts come from now on, if they do."""
    left: str | None = None
    """Of an answer to a withdrawal: the alias whose facts have come by way of `to`, as far as they come."""
    instead: str | None = None
    """Of facts: the subject that the alias stood for before."""
    withdrawn: AnySet[str] = frozenset()
    """Of facts: whose no longer come through the sender."""
    refused: bool = False
    """Of an erasure: the sender refused a link, and was erased before."""


@dataclass
class Part:
    """The facts of one subject that came one way."""

    facts: dict[Identity, Event]
    first_ms: int
    """The smallest time of the facts, as far as a worker knows it."""
    between: frozenset[str] = frozenset()

    def later(self, after_ms: int, *, at_hand: bool) -> "Part | None":
        """Return the facts that are later than an instant; None: there is none.

        A worker has states, not facts (docs/language.md, Limits). So of a part that lost some facts the smallest time
        that it knows is that of a trait's last setting, or else the greatest. `at_hand`: it has the facts.
        """
        left = {identity: event for identity, event in self.facts.items() if identity[0] > after_ms}
        if self.first_ms > after_ms or not left:
            return self if left else None
        set_ms = max((identity[0] for identity, event in left.items() if _sets(event)), default=None)
        known_ms = max(identity[0] for identity in left) if set_ms is None else set_ms
        return Part(left, min(identity[0] for identity in left) if at_hand else known_ms, self.between)


def _sets(event: Event) -> bool:
    """Tell whether a fact sets the one trait of the runs."""
    return event["type"] == "portal.login" and "tier" in (event.get("data") or {})


class Held(NamedTuple):
    """Facts that stay although their way ended, until they have come another way."""

    via: str
    to: str
    origins: frozenset[str] | None


@dataclass
class Person:
    """What a subject that met a link or an erasure remembers of it."""

    subject: str
    own: dict[Identity, Event]
    """The facts that were told of itself."""
    parts: dict[tuple[str, str], Part] = field(default_factory=dict)
    """What aliases brought, by (alias, origin). None is empty."""
    link: Identity | None = None
    """Its latest link event."""
    canonical: str | None = None
    """The subject that it stands for."""
    erased: Identity | None = None
    aliases: set[str] = field(default_factory=set)
    held: list[Held] = field(default_factory=list)

    def freed(self, *, via: str | None = None, to: str | None = None) -> list[Held]:
        """Hold facts no longer that came through `via` and were to come through `to`, each if given; return them."""
        found = [held for held in self.held if via in (None, held.via) and to in (None, held.to)]
        self.held = [held for held in self.held if held not in found]
        return found

    def unhold(self, via: str, origins: AnySet[str]) -> None:
        """Note that an alias brings facts of these subjects again."""
        left = [
            held if held.via != via or held.origins is None else held._replace(origins=held.origins - origins)
            for held in self.held
        ]
        self.held = [held for held in left if held.origins is None or held.origins]

    def ways(self) -> Iterator[tuple[str, str, Part]]:
        """Walk (alias, origin, facts): its own first, then by origin."""
        if self.own:
            yield OWN, self.subject, Part(self.own, min(identity[0] for identity in self.own))
        for (via, origin), part in sorted(self.parts.items(), key=lambda item: (item[0][1], item[0][0])):
            yield via, origin, part

    def facts(self) -> dict[Identity, Event]:
        """Return all facts. Of one that came several ways the first counts."""
        found: dict[Identity, Event] = {}
        for _, _, part in self.ways():
            for identity, event in part.facts.items():
                found.setdefault(identity, event)
        return found

    def knows(self, identity: Identity) -> bool:
        """Return whether a fact is known, whatever way it came."""
        return identity in self.own or any(identity in part.facts for part in self.parts.values())

    def shown(self) -> set[str]:
        """Return whose facts the subject has that it stands for."""
        return {origin for via, origin, part in self.ways() if self.canonical not in passed(via, origin, part)}

    def brought(self, origins: AnySet[str] | None = None) -> list[Brought]:
        """Return what it brings to the subject that it stands for. What came through that one does not go back."""
        found: dict[str, Brought] = {}
        for via, origin, part in self.ways():
            came = passed(via, origin, part)
            if self.canonical in came or (origins is not None and origin not in origins):
                continue
            before = found.get(origin, Brought(origin, {}, frozenset(), ENDLESS))
            between = before.between | (came - {origin, self.subject})
            first_ms = min(before.first_ms, part.first_ms)
            found[origin] = Brought(origin, {**part.facts, **before.facts}, between, first_ms)
        return [found[origin] for origin in sorted(found)]

    def takes(self, time_ms: int, *, anew: bool) -> bool:
        """Tell whether a fact or a link event of that time is not refused as erased. `anew`: the policy."""
        return self.erased is None or (anew and time_ms > self.erased[0])

    def forget(self, erasure: Identity, *, anew: bool, at_hand: bool) -> None:
        """Forget everything but its aliases, and be erased. What they bring it keeps, as far as it would take it."""
        self.erased, self.link, self.canonical = erasure, None, None
        self.own.clear()
        kept = {way: part.later(erasure[0], at_hand=at_hand) for way, part in self.parts.items() if anew}
        self.parts = {way: part for way, part in kept.items() if part is not None}
        self.held = [held for held in self.held if any(via == held.via for via, _ in self.parts)]


def passed(via: str, origin: str, part: Part) -> frozenset[str]:
    """Return the subjects through which facts came, their origin among them."""
    return (part.between | {origin, via}) - {OWN}

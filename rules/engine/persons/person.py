"""What a profile remembers of links and erasures (docs/language.md, One person, several subjects; Erasure).

A profile that never met one has none of this, and costs nothing for it.
"""

from collections.abc import Iterable, Iterator, Set
from typing import Any

from rules.engine.persons.packed import Held, Identity, Link, PackedPerson
from rules.engine.persons.part import OWN, Part, Way, unpack_part
from rules.engine.persons.pieces import Waiting
from rules.ground.digest import identity
from rules.ground.event import Event


class Person:
    """What a profile remembers of links and erasures. Mutable: its profile owns it."""

    __slots__ = ("aliases", "erased", "held", "link", "moved", "page", "parts", "pieces", "subject")

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.link: Link | None = None
        """Its latest link event; None: there was none, or it was erased since."""
        self.erased: Identity | None = None
        """The erasure that stands."""
        self.aliases: set[str] = set()
        """Its direct aliases, also those without facts."""
        self.parts: dict[Way, Part] = {}
        """Its facts. A part has at least one."""
        self.pieces: Waiting = {}
        """Pieces of effects that are not whole yet."""
        self.held: list[Held] = []
        """Facts that stay until they come another way."""
        self.page: list[list[Any]] | None = None
        """Ties to an organisation, where this is a page of them (`rules.engine.affiliations.pages`) and no person."""

        self.moved: list[list[Any]] = []
        """Journeys that links moved (`rules.engine.persons.journeys`), the newest last."""

    @property
    def canonical(self) -> str | None:
        """The subject that it stands for; None: it is no alias."""
        return None if self.link is None else self.link.canonical

    @property
    def is_forgotten(self) -> bool:
        """Whether it was erased and remembers nothing else: no facts, no link, no aliases."""
        if self.erased is None or self.link is not None or self.page is not None:
            return False
        return not (self.parts or self.aliases or self.pieces or self.held)

    @property
    def own(self) -> Part | None:
        """The facts that were told of itself."""
        return self.parts.get(Way(OWN, self.subject))

    def begin_own(self) -> Part:
        """Return the facts that were told of itself, begun where there are none."""
        return self.parts.setdefault(Way(OWN, self.subject), Part())

    def ordered(self) -> Iterator[Part]:
        """Walk the parts: of a fact that is told twice the first counts. Its own come first, then by subject."""
        return (self.parts[way] for way in sorted(self.parts, key=lambda way: (way.via != OWN, way.origin, way)))

    def knows(self, identity: int, r_ms: int) -> bool:
        """Tell whether a fact is known, under whatever subject it was told."""
        return any(part.seen.recognises(identity, r_ms) for part in self.parts.values())

    def knows_event(self, event: Event, r_ms: int) -> bool:
        """As `knows`, of an event."""
        return self.knows(identity(event.time_ms, event.source, event.id), r_ms)

    def takes(self, time_ms: int, anew: bool) -> bool:
        """Tell whether a fact of that time is not refused as erased. `anew`: the policy says `begin_anew`."""
        return self.erased is None or (anew and time_ms > self.erased.time_ms)

    def newly_erased_by(self, erasure: Identity) -> bool:
        """Tell whether an erasure is another than the one that stands, and later."""
        return self.erased is None or self.erased < erasure

    def came_by(self, way: Way) -> set[str]:
        """Return the subjects through which a part came, its origin among them."""
        return {way.origin, *self.parts[way].between, way.via} - {OWN}

    def shown(self) -> set[str]:
        """Return whose facts the subject has that it stands for. What came through that one does not go back there."""
        target = self.canonical
        return set() if target is None else {way.origin for way in self.parts if target not in self.came_by(way)}

    def origins(self) -> set[str]:
        """Return whose facts it has."""
        return {way.origin for way in self.parts}

    def freed(self, *, via: str | None = None, to: str | None = None) -> list[Held]:
        """Hold facts no longer that came through `via` and were to come through `to`, each if given; return them."""
        found = [held for held in self.held if via in (None, held.via) and to in (None, held.to)]
        self.held = [held for held in self.held if held not in found]
        return found

    def unhold(self, via: str, origins: Set[str]) -> None:
        """Note that an alias brings facts of these subjects again."""
        left = [
            held._replace(origins=tuple(each for each in held.origins if each not in origins))
            if held.via == via and held.origins is not None
            else held
            for held in self.held
        ]
        self.held = [held for held in left if held.origins != ()]

    def pack(self, t_ms: int) -> PackedPerson:
        """Write it as it is packed."""
        parts = [self.parts[way].pack(way, t_ms) for way in sorted(self.parts)]
        return PackedPerson(
            self.link,
            self.erased,
            sorted(self.aliases),
            parts,
            dict(self.pieces),
            self.page,
            self.moved or None,
            [*self.held],
        )


def unpack_person(subject: str, packed: PackedPerson) -> Person:
    """Read what `Person.pack` wrote."""
    person = Person(subject)
    person.link, person.erased = packed.link, packed.erased
    person.aliases = set(packed.aliases)
    person.parts = dict(unpack_part(part) for part in packed.parts)
    person.pieces, person.page, person.held = packed.pieces, packed.page, packed.held
    person.moved = packed.moved or []
    return person


def identity_of(event: Event) -> Identity:
    """Return the (time, source, id) of an event."""
    return Identity(event.time_ms, event.source, event.id)


def logged(parts: Iterable[Part]) -> set[Identity]:
    """Return the identities of all facts of some parts, where everything is at hand."""
    return {identity_of(seen.event) for part in parts for seen in part.log or ()}

"""Who is one person: links between subjects, the facts that come through them, and erasures (docs, sections 11 and 12).

Everything is computed from all facts and all links, after each record anew. What is remembered besides them is only
what the text makes depend on the past: when a fact arrived, and which policy was in force when it did.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.naive.conditions import Known
from tests.naive.decode import Event
from tests.naive.profile import Identity, Profile

Origin = tuple[Identity, str]
"""A fact and the subject under which it was told."""


@dataclass
class Person:
    """A subject: what was told under its own name, and its profile. `profile.known` holds also what links bring."""

    subject: str
    profile: Profile
    own: dict[Identity, Known] = field(default_factory=dict)
    links: dict[Identity, str | None] = field(default_factory=dict)
    """Its link events: the subject that it stands for, or None for itself again."""
    erasures: set[Identity] = field(default_factory=set)
    """Its own erasures, for redeliveries."""
    erased: Identity | None = None
    """The erasure that stands."""
    touched: int = -1
    """The last record that touched it."""

    @property
    def canonical(self) -> str | None:
        """The subject that it stands for; None: it is no alias. The latest link event decides."""
        return self.links[max(self.links)] if self.links else None

    @property
    def alive(self) -> bool:
        """Whether it is known: it has facts and is no alias."""
        return self.canonical is None and bool(self.profile.known)

    def told(self, event: Event) -> bool:
        """Tell whether an event of this subject was told under its own name before."""
        return event.identity in self.own or event.identity in self.links or event.identity in self.erasures

    def takes(self, event: Event, anew: bool) -> bool:
        """Tell whether a fact or a link event is not refused as erased. `anew`: the policy is begin_anew."""
        return self.erased is None or (anew and event.time > self.erased[0])

    def forget(self, erasure: Identity) -> None:
        """Erase it. Sequences, `was`, and the identities of its erasures stay."""
        self.erased = erasure
        self.own.clear()
        self.links.clear()
        self.profile.forget()


class Persons:
    """All subjects, and the links between them."""

    def __init__(self, filled: Mapping[int, int | None], linking: bool) -> None:
        """Begin with nobody. `linking`: whether links bring facts (with --as-live they do not)."""
        self.filled = filled
        self.linking = linking
        self.all: dict[str, Person] = {}
        self.arrivals = 0
        """Facts and records are numbered in the order in which they arrive."""
        self.linked: set[str] = set()
        """Every subject that ever had a link event, and every one that one named."""
        self.policies: dict[tuple[str, str], dict[Origin, bool]] = {}
        """(alias, its canonical) → each fact that came that way → whether the policy then was begin_anew."""

    def of(self, subject: str) -> Person:
        """Return a subject. One that was never heard of has nothing."""
        if subject not in self.all:
            self.all[subject] = Person(subject, Profile(subject, 0, 0, self.filled))
        return self.all[subject]

    def link(self, person: Person, links: Mapping[Identity, str | None]) -> None:
        """Give a subject its link events."""
        person.links = dict(links)
        self.linked |= {person.subject, *(one for one in links.values() if one is not None)}
        for one in self.linked:
            self.of(one)

    def number(self) -> int:
        """Number the next arrival."""
        self.arrivals += 1
        return self.arrivals

    def aliases(self, subject: str) -> list[str]:
        """List the direct aliases of a subject, in order."""
        return sorted(one for one in self.linked if self.all[one].canonical == subject)

    def end(self, subject: str | None) -> Person | None:
        """Follow the links from a subject to their end. None: there is no subject, or they lead in a ring."""
        passed: set[str] = set()
        while subject is not None and subject not in passed:
            passed.add(subject)
            person = self.of(subject)
            if person.canonical is None:
                return person
            subject = person.canonical
        return None

    def facts(self, anew: bool) -> dict[str, dict[Origin, Known]]:
        """Map every linked subject to the facts of its own and those that links bring to it.

        A fact passes from an alias if the canonical takes it. The policy that decides is that of its arrival; `anew`
        is the one in force now.
        """
        found = {
            name: {(identity, name): known for identity, known in self.all[name].own.items()} for name in self.linked
        }
        if not self.linking:
            return found
        policies: dict[tuple[str, str], dict[Origin, bool]] = {}
        moved = True
        while moved:
            moved = False
            for alias in self.linked:
                canonical = self.all[alias].canonical
                if canonical is None:
                    continue
                way = policies.setdefault((alias, canonical), {})
                for origin, known in list(found[alias].items()):
                    way[origin] = self.policies.get((alias, canonical), {}).get(origin, anew)
                    # a fact that a ring leads back is its own subject's already
                    if self.of(canonical).takes(known.event, way[origin]) and origin not in found[canonical]:
                        found[canonical][origin] = known
                        moved = True
        self.policies = policies
        return found

    def refresh(self, person: Person, facts: Mapping[str, Mapping[Origin, Known]], era: int, at: int) -> None:
        """Let a subject know its facts, and no others. One that stays keeps its arrival; the others arrive now."""
        if person.subject not in self.linked:
            self.refresh_alone(person, era, at)
            return
        chosen: dict[Identity, Known] = {}
        for (identity, origin), known in sorted(
            facts[person.subject].items(), key=lambda one: (one[0][1] != person.subject, one[0])
        ):
            if identity not in chosen:
                chosen[identity] = known if origin == person.subject else known._replace(arrival=0)
        before = {one.event.identity: one.arrival for one in person.profile.known}
        known_before = bool(before)
        person.profile.known = [
            known._replace(arrival=before.get(identity) or known.arrival or self.number())
            for identity, known in sorted(chosen.items(), key=lambda one: one[0])
        ]
        person.profile.arrivals = self.arrivals
        if person.profile.known and not known_before:
            person.profile.born, person.profile.born_at = era, at

    def refresh_alone(self, person: Person, era: int, at: int) -> None:
        """Let a subject without links know its own facts."""
        profile = person.profile
        if len(person.own) == len(profile.known) + 1 and profile.known:
            profile.learn(next(reversed(person.own.values())))
        else:
            if person.own and not profile.known:
                profile.born, profile.born_at = era, at
            profile.known = [person.own[identity] for identity in sorted(person.own)]
        profile.arrivals = self.arrivals

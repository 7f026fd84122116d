"""Say which subjects a profile is made of, for whom it stands, and under which subject each fact was told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from rules.conditions.view import State
from rules.engine.persons.packed import Identity
from rules.engine.persons.part import OWN, Part
from rules.engine.persons.person import Person
from rules.engine.profile import Profile
from rules.ground.digest import identity
from rules.ground.instants import format_instant

Evidence: TypeAlias = tuple[tuple[int, str, str], ...]
"""(time_ms, source, id) of events."""


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """One subject whose facts a profile has."""

    subject: str
    via: str
    """The direct alias through which they came; "": the profile's own."""
    known_since_ms: int
    latest_ms: int


@dataclass(frozen=True, slots=True)
class PersonExplanation:
    """What links and erasures have made of a profile."""

    subject: str
    stands_for: str | None
    """The subject that it is an alias of; None: it is none."""
    link: Identity | None
    """Its latest link event; None: there was none, or it is forgotten."""
    erased: Identity | None
    """Its erasure; None: it never was erased."""
    aliases: tuple[str, ...]
    """The subjects that stand for it directly, also those without facts."""
    subjects: tuple[SubjectFacts, ...]
    """Whose facts it has: its own first, then by subject."""

    @property
    def in_nothing(self) -> bool:
        """Whether it can be in nothing: it is an alias, or has no facts."""
        return self.stands_for is not None or not self.subjects

    @property
    def because(self) -> tuple[str, ...]:
        """Sentences about it as a whole; none: only its own facts are its facts."""
        return tuple(_sentences(self))


def explain_person(profile: Profile) -> PersonExplanation | None:
    """Return what links and erasures have made of a profile; None: it never met one."""
    person = profile.person
    if person is None:
        return None
    subjects: dict[tuple[str, str], SubjectFacts] = {}
    for way in sorted(person.parts, key=lambda each: (each.via != OWN, each.origin, each)):
        part = person.parts[way]
        known = subjects.get((way.origin, way.via))
        since_ms, latest_ms = part.known_since_ms, part.latest_ms
        if known is not None:  # two parts of one way came under different policies
            since_ms, latest_ms = min(since_ms, known.known_since_ms), max(latest_ms, known.latest_ms)
        subjects[way.origin, way.via] = SubjectFacts(way.origin, way.via, since_ms, latest_ms)
    return PersonExplanation(
        profile.subject,
        person.canonical,
        None if person.link is None else person.link.identity,
        person.erased,
        tuple(sorted(person.aliases)),
        tuple(subjects.values()),
    )


def told_under(profile: Profile, evidence: Evidence) -> tuple[str, ...]:
    """Return the subject under which each event was told; none where all facts of the profile are its own."""
    person = profile.person
    if person is None or all(way.via == OWN for way in person.parts):
        return ()
    parts = [(origin, part) for origin, part in _in_order(person)]
    return tuple(_origin(parts, each, profile.subject) for each in evidence)


def _in_order(person: Person) -> Iterator[tuple[str, Part]]:
    """Walk the parts with their subjects: of a fact that is told twice the first counts."""
    for way in sorted(person.parts, key=lambda each: (each.via != OWN, each.origin, each)):
        yield way.origin, person.parts[way]


def _origin(parts: Iterable[tuple[str, Part]], event: tuple[int, str, str], own: str) -> str:
    """Return the first subject that knows an event: one remembers it, or recognises it."""
    name = identity(*event)
    for origin, part in parts:
        known = name in part.seen.days or _sets(part, event) or _consents(part, event)
        if known or any(_remembers(state, event) for state in part.states.values()):
            return origin
    return own


def _sets(part: Part, event: tuple[int, str, str]) -> bool:
    return any(setting[:3] == event for setting in part.traits.values())


def _consents(part: Part, event: tuple[int, str, str]) -> bool:
    return any(said is not None and said[:3] == event for pair in part.consents.values() for said in pair)


def _remembers(state: State, event: tuple[int, str, str]) -> bool:
    """Tell whether a state has an entry of an event: entries begin with (time, source, id)."""
    if not isinstance(state, list | tuple):
        return False
    return tuple(state[:3]) == event or any(_remembers(each, event) for each in state)


def event_words(event: Identity) -> str:
    """Name an event: `2026-03-06T10:00:00.000Z by /steward link-1`."""
    return f"{format_instant(event.time_ms)} by {event.source} {event.id}"


def _sentences(told: PersonExplanation) -> Iterator[str]:
    if told.erased is not None:
        gone = "nothing is known of it" if not told.subjects else "what is known of it came later"
        yield f"erased at {event_words(told.erased)}: {gone}"
    if told.stands_for is not None and told.link is not None:
        yield f"stands for {told.stands_for} since {event_words(told.link)}: it is in nothing itself"
    elif told.link is not None:
        yield f"stands for itself again since {event_words(told.link)}"

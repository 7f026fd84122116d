"""The subjects of one person: what the profile knows of their facts, with what their own states say of their links."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.engine.persons.packed import Identity
from rules.explain.persons import PersonExplanation
from streams.operations.linked_subjects import LinkedSubject, LinkedSubjects


@dataclass(frozen=True, slots=True)
class PersonSubject:
    """One subject of a person."""

    subject: str
    via: str
    """The direct alias through which its facts came; "": they are the profile's own, or it has none here."""
    known_since_ms: int | None
    """The smallest time of its facts; None: the profile has none of it."""
    latest_ms: int | None
    """The greatest."""
    canonical: str | None
    """The subject that it stands for; None: for itself, or its state was not read."""
    link: Identity | None
    """Its latest link event."""


def subjects_of(person: PersonExplanation, linked: LinkedSubjects | None) -> list[PersonSubject]:
    """Return the subjects of a person: those whose facts it has, then those that stand for it without facts.

    Of an alias: itself, with its own aliases. `linked` None: what other states say is not known.
    """
    return [*_with_facts(person, linked), *_without(person, linked)]


def _with_facts(person: PersonExplanation, linked: LinkedSubjects | None) -> Iterator[PersonSubject]:
    for each in person.subjects:
        found = _of(linked, each.subject)
        yield PersonSubject(each.subject, each.via, each.known_since_ms, each.latest_ms, found.canonical, found.link)


def _without(person: PersonExplanation, linked: LinkedSubjects | None) -> Iterator[PersonSubject]:
    known = {each.subject for each in person.subjects}
    for name in sorted({*person.aliases, *_below(person, linked)} - known):
        found = _of(linked, name)
        yield PersonSubject(name, "", None, None, found.canonical, found.link)


def _below(person: PersonExplanation, linked: LinkedSubjects | None) -> set[str]:
    """Return all that stand for a profile, over any number of steps."""
    found: set[str] = set()
    waiting = [*person.aliases]
    while waiting:
        name = waiting.pop()
        if name not in found and name != person.subject:
            found.add(name)
            waiting += _of(linked, name).aliases
    return found


def _of(linked: LinkedSubjects | None, name: str) -> LinkedSubject:
    return LinkedSubject(name) if linked is None else linked.subjects.get(name, LinkedSubject(name))

"""What links and erasures did to one profile in the course of time: found by comparing it before and after a record."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.engine.persons.packed import Identity
from rules.engine.profile import Profile

MoveKind: TypeAlias = Literal["stands_for", "stands_alone", "joined", "left", "erased"]
"""It came to stand for another; for itself again; another came to stand for it; or did no longer; it was erased."""


@dataclass(frozen=True, slots=True)
class PersonMove:
    """One link, taken back or not, or an erasure."""

    at_ms: int
    """R of the record that brought it."""
    kind: MoveKind
    other: str | None
    """The subject that it stands for now, or that stands for it, or no longer; None: there is no other."""
    event: Identity | None
    """Its own link event, or the erasure; None where the event is another subject's."""


@dataclass(frozen=True, slots=True)
class PersonStanding:
    """What links and erasures have made of a profile, to be compared."""

    canonical: str | None = None
    link: Identity | None = None
    erased: Identity | None = None
    aliases: frozenset[str] = frozenset()


def standing_of(profile: Profile | None) -> PersonStanding:
    """Return what links and erasures have made of a profile."""
    if profile is None or profile.person is None:
        return PersonStanding()
    person = profile.person
    link = None if person.link is None else person.link.identity
    return PersonStanding(person.canonical, link, person.erased, frozenset(person.aliases))


def moves(before: PersonStanding, after: PersonStanding, at_ms: int) -> Iterator[PersonMove]:
    """Yield what a record at R = `at_ms` did. An erasure ends a link without a word of its own."""
    if after.erased != before.erased:
        yield PersonMove(at_ms, "erased", None, after.erased)
    elif after.canonical != before.canonical:
        kind: MoveKind = "stands_alone" if after.canonical is None else "stands_for"
        yield PersonMove(at_ms, kind, after.canonical, after.link)
    for other in sorted(after.aliases - before.aliases):
        yield PersonMove(at_ms, "joined", other, None)
    for other in sorted(before.aliases - after.aliases):
        yield PersonMove(at_ms, "left", other, None)

"""Links as a graph: whom each subject stands for in the end, persons, rings, and what is odd about them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rules.engine.persons.journeys import Moved
from rules.ground.instants import format_instant

SUBJECTS_MAX: Final = 50
"""Subjects of one person: more are odd."""
Odd: TypeAlias = Literal["erased", "ring", "many"]


@dataclass(frozen=True, slots=True)
class Linked:
    """What a subject's state says of links. Instants are epoch ms; those of a link are the time of its event."""

    subject: str
    canonical: str | None = None
    """For whom it stands; None: for itself."""
    since_ms: int | None = None
    event: str = ""
    """`source id` of the link event that decides."""
    erased_ms: int | None = None
    """The time of the erasure that stands; None: it was not erased."""
    aliases: tuple[str, ...] = ()
    """Its direct aliases, also those without facts, sorted."""
    moved: tuple[Moved, ...] = ()
    """Journeys that links to it ended, or switched to another arm."""
    active: tuple[str, ...] = ()
    """Activations that are active for it now, sorted."""
    known: bool = True
    """Whether anything was ever told of it."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value of its link, for programs."""
        return {
            "subject": self.subject,
            "canonical": self.canonical,
            "since": None if self.since_ms is None else format_instant(self.since_ms),
            "event": self.event or None,
            "erased": None if self.erased_ms is None else format_instant(self.erased_ms),
        }


@dataclass(frozen=True, slots=True)
class Person:
    """All subjects from which links lead to one. `end`: the subject that stands for all; None: they are a ring."""

    end: str | None
    subjects: tuple[str, ...]
    """All of them, with the end; sorted."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """One odd thing. `subject`: whose link it is, of a ring its first, of a person its end; `other`: where it leads."""

    kind: Odd
    subject: str
    other: str = ""
    count: int = 0
    """Subjects of the ring or the person."""


class Links:
    """All links that are known, by subject."""

    def __init__(self, known: Iterable[Linked]) -> None:
        self.by_subject: Mapping[str, Linked] = {each.subject: each for each in known}
        self._aliases: dict[str, list[str]] = defaultdict(list)
        for each in sorted(self.by_subject.values(), key=lambda linked: linked.subject):
            if each.canonical is not None:
                self._aliases[each.canonical].append(each.subject)

    def canonical(self, subject: str) -> str | None:
        """Return for whom a subject stands; None: for itself."""
        found = self.by_subject.get(subject)
        return None if found is None else found.canonical

    @property
    def count(self) -> int:
        """How many subjects stand for another."""
        return len(self._linked())

    @property
    def standing(self) -> dict[str, str]:
        """Whom each alias stands for."""
        return {each: found.canonical for each, found in self.by_subject.items() if found.canonical is not None}

    @property
    def erased(self) -> set[str]:
        """The subjects that were erased, and for which the erasure stands."""
        return {each for each, found in self.by_subject.items() if found.erased_ms is not None}

    def next(self, way: Sequence[str]) -> str:
        """Return where the last subject of a way in a ring leads."""
        return self.canonical(way[-1]) or way[-1]

    def way(self, subject: str) -> list[str]:
        """Return the subjects on the links from a subject, itself first; where they lead in a ring, each once."""
        found = {subject: None}
        at = self.canonical(subject)
        while at is not None and at not in found:
            found[at] = None
            at = self.canonical(at)
        return list(found)

    def end(self, subject: str) -> str | None:
        """Return the subject at the end of the links; None: they lead in a ring."""
        last = self.way(subject)[-1]
        return last if self.canonical(last) is None else None

    def subjects_of(self, end: str) -> list[str]:
        """Return all subjects from which links lead to one, with it, sorted."""
        found, left = {end}, [end]
        while left:
            new = [each for each in self._aliases.get(left.pop(), ()) if each not in found]
            found.update(new)
            left += new
        return sorted(found)

    def with_part(self, text: str) -> list[Linked]:
        """Return the aliases whose link names a subject with this text in it, on either side; case does not matter."""
        part = text.casefold()
        return [
            self.by_subject[each]
            for each in self._linked()
            if part in each.casefold() or part in (self.canonical(each) or "").casefold()
        ]

    def persons(self) -> Iterator[Person]:
        """Walk the persons of several subjects, by their end; then the rings, by their first subject."""
        ends = sorted({end for each in self._linked() if (end := self.end(each)) is not None})
        for each in ends:
            yield Person(each, tuple(self.subjects_of(each)))
        for ring in self.rings():
            yield Person(None, tuple(self.subjects_of(ring[0])))

    def rings(self) -> list[tuple[str, ...]]:
        """Return the rings: in each, every subject stands for the next, the last for the first, which is the least."""
        found: set[tuple[str, ...]] = set()
        looked: set[str] = set()
        for subject in self._linked():
            way = self.way(subject)
            back = self.canonical(way[-1])
            if back is not None and looked.isdisjoint(way):
                ring = way[way.index(back) :]
                first = ring.index(min(ring))
                found.add((*ring[first:], *ring[:first]))
            looked.update(way)
        return sorted(found)

    def to_erased(self) -> list[Linked]:
        """Return the aliases whose link leads to an erased subject, at once or over others, sorted: they vanish."""
        return [
            self.by_subject[each]
            for each in self._linked()
            if any(self._is_erased(other) for other in self.way(each)[1:])
        ]

    def oddities(self) -> list[Oddity]:
        """Return all that is odd: links to erased subjects, rings, persons of too many subjects."""
        found = [Oddity("erased", each.subject, self._erased_on(each.subject)) for each in self.to_erased()]
        found += [Oddity("ring", each[0], each[-1], len(each)) for each in self.rings()]
        found += [
            Oddity("many", person.end, count=len(person.subjects))
            for person in self.persons()
            if person.end is not None and len(person.subjects) > SUBJECTS_MAX
        ]
        return found

    def _linked(self) -> Sequence[str]:
        return sorted(subject for subject, each in self.by_subject.items() if each.canonical is not None)

    def _is_erased(self, subject: str) -> bool:
        found = self.by_subject.get(subject)
        return found is not None and found.erased_ms is not None

    def _erased_on(self, subject: str) -> str:
        return next(each for each in self.way(subject)[1:] if self._is_erased(each))

"""The subjects that links tie to one: whom it stands for, and who stands for it, over any number of steps.

Each subject's state is read from its own partition, as the worker there wrote it last. So a link of the last second may
be missing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rules.engine.persons.packed import Identity
from rules.engine.profile import unpack
from rules.ground.partitioning import by_partition
from streams.operations.errors import NoState, OtherState
from streams.operations.profile_state import read_together
from streams.operations.servers import Servers

SUBJECTS_MAX: Final = 1_000
"""Subjects that are read for one person. A person of more than 50 is a mistake of matching already."""


@dataclass(frozen=True, slots=True)
class LinkedSubject:
    """What the state of one subject says of links and erasures."""

    subject: str
    canonical: str | None = None
    """The subject that it stands for; None: for itself."""
    link: Identity | None = None
    """Its latest link event."""
    erased: Identity | None = None
    """The erasure that stands."""
    aliases: tuple[str, ...] = ()
    """The subjects that stand for it directly."""
    has_facts: bool = False
    """Whether any fact was told of itself."""


@dataclass(frozen=True, slots=True)
class LinkedSubjects:
    """One subject, and all that links tie to it."""

    asked: str
    subjects: Mapping[str, LinkedSubject]
    """By name, the one that was asked about among them."""
    whole: bool
    """False: there are more than SUBJECTS_MAX."""

    @property
    def end(self) -> str | None:
        """The subject at the end of the links; None: they lead in a ring, or on to what was not read."""
        passed: set[str] = set()
        name: str | None = self.asked
        while name is not None and name not in passed and name in self.subjects:
            passed.add(name)
            canonical = self.subjects[name].canonical
            if canonical is None:
                return name
            name = canonical
        return None


async def linked_subjects(servers: Servers, subject: str) -> LinkedSubjects:
    """Return a subject and all that links tie to it. Raises OtherState, Unanswered; Unreachable."""
    found: dict[str, LinkedSubject] = {}
    asked: set[str] = {subject}
    while asked and len(found) < SUBJECTS_MAX:
        for each in await _read(servers, sorted(asked)[: SUBJECTS_MAX - len(found)]):
            found[each.subject] = each
        known = found.values()
        named = {each.canonical for each in known if each.canonical is not None}
        asked = {*named, *(alias for each in known for alias in each.aliases)} - found.keys()
    return LinkedSubjects(subject, found, whole=not asked)


async def _read(servers: Servers, subjects: Iterable[str]) -> list[LinkedSubject]:
    """Read subjects, a partition after the other."""
    parted = by_partition(subjects, servers.deployment.partitions)
    found = []
    for partition, some in sorted(parted.items()):
        try:
            async with servers.stored(partition) as store:
                _, blobs = await read_together(store, partition, some)
        except NoState:
            blobs = [None] * len(some)
        found += [_linked(subject, blob) for subject, blob in zip(some, blobs, strict=True)]
    return found


def _linked(subject: str, blob: bytes | None) -> LinkedSubject:
    if blob is None:
        return LinkedSubject(subject)
    try:
        profile = unpack(subject, blob)
    except ValueError:
        raise OtherState from None
    person = profile.person
    if person is None:
        return LinkedSubject(subject, has_facts=True)
    return LinkedSubject(
        subject,
        person.canonical,
        None if person.link is None else person.link.identity,
        person.erased,
        tuple(sorted(person.aliases)),
        person.own is not None,
    )

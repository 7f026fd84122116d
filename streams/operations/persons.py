"""Who else a subject is: the subjects of one person, by following links both ways in the state of every partition.

The links are followed in rounds: all subjects of a round are read at once, each partition with one request. A chain of
three links takes three rounds; a ring ends where it began, because each subject is read once.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rules.engine.profile import Profile, unpack
from rules.ground.partitioning import by_partition
from streams.operations.errors import OtherState, WrongInput
from streams.operations.profile_state import read_together
from streams.operations.servers import AT_ONCE, Servers

SUBJECTS_MAX: Final = 1_000
"""Subjects at most, besides those that were named: more are a mistake of linking, and nobody reads them through."""


@dataclass(frozen=True, slots=True)
class PersonFound:
    """One person as the state has it now."""

    asked: str
    profiles: Mapping[str, Profile | None]
    """By subject, in the order in which links lead to them; None: nothing is known of that subject."""
    sizes_bytes: Mapping[str, int]
    """How much Redis holds, by subject, of others too; a subject of which nothing is known is not there."""

    def stands_for(self, subject: str) -> str | None:
        """Return whom a subject is an alias of; None: of nobody."""
        profile = self.profiles[subject]
        return None if profile is None or profile.person is None else profile.person.canonical

    def channels_told(self) -> set[tuple[str, str]]:
        """Return the (subject, channel) pairs that a channel ever told of: each has a sequence of its own."""
        return {
            (subject, channel)
            for subject, profile in self.profiles.items()
            if profile is not None
            for channel, sequence in profile.sequences.items()
            if sequence
        }


async def find_people(servers: Servers, subjects: Sequence[str]) -> list[PersonFound]:
    """Find each person once, however many of the subjects are theirs, in the order of the subjects.

    Raises NoState, OtherState, WrongInput (too many subjects); Unreachable.
    """
    profiles: dict[str, Profile | None] = {}
    sizes: dict[str, int] = {}
    asked = list(dict.fromkeys(subjects))
    most = len(asked) + SUBJECTS_MAX
    while asked:
        if len(profiles) + len(asked) > most:
            whose = "this person has" if len(subjects) == 1 else "these people have"
            raise WrongInput(f"{whose} more than {SUBJECTS_MAX:,} other subjects: take wrong links back first")
        blobs = await _blobs(servers, asked)
        sizes |= {each: len(blob) for each, blob in blobs.items() if blob is not None}
        profiles |= {each: _unpacked(each, blobs[each]) for each in asked}
        named = dict.fromkeys(name for each in asked for name in _tied(profiles[each]))
        asked = [each for each in named if each not in profiles]
    found: list[PersonFound] = []
    for subject in subjects:
        if not any(subject in person.profiles for person in found):
            theirs = _reached(subject, profiles)
            found.append(PersonFound(subject, {each: profiles[each] for each in theirs}, sizes))
    return found


def _reached(subject: str, profiles: Mapping[str, Profile | None]) -> list[str]:
    """Return a subject and all that links tie to it, the nearest first."""
    reached = {subject: None}
    waiting = [subject]
    for each in waiting:
        waiting += (fresh := [name for name in _tied(profiles[each]) if name not in reached])
        reached |= dict.fromkeys(fresh)
    return list(reached)


async def profiles_of(servers: Servers, subjects: Collection[str]) -> dict[str, Profile | None]:
    """Read profiles as they are stored; None: there is none. Raises NoState, OtherState; Unreachable."""
    return {each: _unpacked(each, blob) for each, blob in (await _blobs(servers, subjects)).items()}


def _tied(profile: Profile | None) -> list[str]:
    """Name the subjects that one link leads to or comes from."""
    person = None if profile is None else profile.person
    if person is None:
        return []
    return [*([] if person.canonical is None else [person.canonical]), *sorted(person.aliases)]


async def _blobs(servers: Servers, subjects: Collection[str]) -> dict[str, bytes | None]:
    """Read what is stored of subjects: one request for each partition, a few partitions at the same time."""
    parted = by_partition(subjects, servers.deployment.partitions)
    few = asyncio.Semaphore(AT_ONCE)

    async def one(partition: int, some: Sequence[str]) -> dict[str, bytes | None]:
        async with few, servers.stored(partition) as store:
            _, blobs = await read_together(store, partition, some)
        return dict(zip(some, blobs, strict=True))

    found: dict[str, bytes | None] = {}
    for part in await asyncio.gather(*(one(partition, some) for partition, some in parted.items())):
        found |= part
    return found


async def named_in_redis(servers: Servers, subjects: Collection[str]) -> set[str]:
    """Return those of whom a profile stands in Redis under its name. Raises Unreachable."""
    parted = by_partition(subjects, servers.deployment.partitions)
    found: set[str] = set()
    for partition, some in parted.items():
        async with servers.stored(partition) as store:
            found.update(each for each, stands in zip(some, await store.named(some), strict=True) if stands)
    return found


def _unpacked(subject: str, blob: bytes | None) -> Profile | None:
    try:
        return None if blob is None else unpack(subject, blob)
    except (KeyError, ValueError):
        raise OtherState from None

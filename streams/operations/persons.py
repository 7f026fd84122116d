"""Who else a subject is: the subjects of one person, by following links both ways in the state of every partition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rules.engine.profile import Profile, unpack
from rules.ground.partitioning import partition_of
from streams.operations.errors import OtherState, WrongInput
from streams.operations.profile_state import read_profile
from streams.operations.servers import Servers

SUBJECTS_MAX: Final = 1_000
"""Subjects of one person at most: more are a mistake of linking, and nobody can read them through."""


@dataclass(frozen=True, slots=True)
class PersonFound:
    """One person as the state has it now."""

    asked: str
    profiles: Mapping[str, Profile | None]
    """By subject, in the order in which links lead to them; None: nothing is known of that subject."""

    def stands_for(self, subject: str) -> str | None:
        """Return whom a subject is an alias of; None: of nobody."""
        profile = self.profiles[subject]
        return None if profile is None or profile.person is None else profile.person.canonical


async def find_person(servers: Servers, subject: str) -> PersonFound:
    """Find every subject of a person. Raises NoState, OtherState, WrongInput (too many); Unreachable."""
    found: dict[str, Profile | None] = {}
    waiting = [subject]
    while waiting:
        one = waiting.pop(0)
        if one in found:
            continue
        if len(found) == SUBJECTS_MAX:
            raise WrongInput(f"this person has more than {SUBJECTS_MAX:,} subjects: take wrong links back first")
        profile = found[one] = await profile_of(servers, one)
        person = None if profile is None else profile.person
        if person is not None:
            waiting += [] if person.canonical is None else [person.canonical]
            waiting += sorted(person.aliases)
    return PersonFound(subject, found)


async def profile_of(servers: Servers, subject: str) -> Profile | None:
    """Read one profile as it is stored; None: there is none. Raises NoState, OtherState; Unreachable."""
    state = await read_profile(servers, subject, partition_of(subject.encode(), servers.deployment.partitions))
    if state.blob is None:
        return None
    try:
        return unpack(subject, state.blob)
    except (KeyError, ValueError):
        raise OtherState from None

"""Whatever the order in which partitions hear of each other: nobody is half linked or half erased in the end."""

import random
from collections.abc import Iterator, Mapping

import pytest

from rules.engine.persons.person import Person
from rules.engine.profile import Profile
from tests.properties.scattered import FILES, history, scatter
from tests.properties.test_same import HOURS

SEEDS = 24
FOUND = 96
"""A block with a link that comes again after its end was erased by a later erasure than the one that it was told."""
BLOCK = 6
END_MS = HOURS.start + 10_000_000


@pytest.mark.parametrize("first", [*range(0, SEEDS, BLOCK), FOUND])
def test_links_and_erasures_that_cross_leave_both_sides_of_one_mind(first: int) -> None:
    for seed in range(first, first + BLOCK):
        rng = random.Random(seed)
        lines = history(rng, 60, erased=0.12)
        policy = {"erasure": {"afterwards": "begin_anew" if seed % 4 < 2 else "refuse"}}
        found: dict[str, Profile] = {}
        files = {**FILES, "policy.yaml": policy}
        for partition in scatter(rng, lines, END_MS, restarting=bool(seed % 2), files=files):
            found |= partition.profiles
        persons = {subject: profile.person for subject, profile in found.items() if profile.person is not None}
        assert [*odd(persons)] == [], f"seed {seed}"


def odd(persons: Mapping[str, Person]) -> Iterator[str]:
    """Say what does not fit together once nothing is in flight."""
    for subject, person in persons.items():
        if person.pieces or person.held:
            yield f"{subject}: something waits for ever"
        for alias in person.aliases:
            if persons[alias].canonical != subject:
                yield f"{alias} is remembered as an alias of {subject}, and is none"
        target = None if person.canonical is None else persons[person.canonical]
        if target is not None and subject not in target.aliases:
            yield f"{subject}: an erasure of {target.subject} would not find it"
        erased = None if target is None else target.erased
        if erased is not None and person.link is not None and person.link.identity <= erased:
            yield f"{subject}: its link is not later than the erasure of {person.canonical}"
        for way, part in person.parts.items():
            origin = persons[way.origin]
            if way.via and persons[way.via].canonical != subject:
                yield f"{subject}: it has facts through {way.via}, which is no alias of it"
            for of in (origin, person):
                if of.erased is not None and part.known_since_ms <= of.erased.time_ms:
                    yield f"{subject}: it has a fact of {way.origin} from before an erasure"

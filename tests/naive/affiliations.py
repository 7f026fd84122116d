"""Who is tied to an organisation, and what is told to them (docs/language.md, Affiliations).

Ties follow from the affiliations among a subject's own facts alone. So nothing is remembered here: who is tied, and the
latest facts of an organisation, are looked up among all facts each time.
"""

from collections.abc import Collection, Iterator

from tests.naive.decode import ENDED, STARTED, Event
from tests.naive.persons import Person, Persons
from tests.naive.reading import Catalogue

Tie = tuple[str, str]
"""(organisation, role)."""
KNOWN_MAX = 512


def ties(person: Person) -> set[Tie]:
    """Collect the ties of a subject: of each organisation and role its latest own affiliation decides.

    A subject knows the latest KNOWN_MAX of these.
    """
    decided: dict[Tie, bool] = {}
    for identity in sorted(person.own):
        event = person.own[identity].event
        if event.type in (STARTED, ENDED):
            tie = (event.data["organisation"], event.data["role"])
            decided.pop(tie, None)  # the latest stands last
            decided[tie] = event.type == STARTED
    return {tie for tie, stands in [*decided.items()][-KNOWN_MAX:] if stands}


def tied(persons: Persons, organisation: str, roles: Collection[str]) -> Iterator[str]:
    """Walk who is tied to an organisation in one of these roles, by subject; then those tied to its aliases.

    Direct aliases go by subject, each followed by its own aliases. A subject may come several times.
    """
    for subject in sorted(persons.all):
        if any((organisation, role) in ties(persons.all[subject]) for role in roles):
            yield subject
    for alias in persons.aliases(organisation):
        yield from tied(persons, alias, roles)


def latest(organisation: Person, catalogue: Catalogue) -> dict[str, Event]:
    """Map each type that reaches somebody to the latest fact of it, where the organisation knows one."""
    return {
        known.event.type: known.event
        for known in organisation.profile.known
        if organisation.alive and known.event.type in catalogue.reaching
    }


def way_in(persons: Persons, subject: str, end: str) -> str:
    """Name the direct alias of an end through which the links from a subject lead to it."""
    while (canonical := persons.of(subject).canonical) != end:
        assert canonical is not None
        subject = canonical
    return subject

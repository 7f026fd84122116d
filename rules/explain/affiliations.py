"""Say to which organisations a profile is tied, and which organisation told it each fact."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.conditions.view import State
from rules.engine.affiliations.memories import TIES, ToldMemory, affiliations_in, told_in
from rules.engine.affiliations.ties import Order
from rules.engine.persons.packed import Identity
from rules.engine.persons.part import OWN
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.explain.persons import Evidence, event_words
from rules.ground.instants import format_instant


@dataclass(frozen=True, slots=True)
class Affiliation:
    """What the latest affiliation of a subject with an organisation in a role says."""

    subject: str
    """Whose affiliation it is: the profile's own subject, or an alias of it."""
    organisation: str
    role: str
    tied: bool
    event: Identity
    """The event that says so."""

    def __str__(self) -> str:
        """Say it: `tied to payer:7 as prescriber since 2026-03-01T00:00:00.000Z by /crm t-1`."""
        verb, since = ("tied", "since") if self.tied else ("no longer tied", "since")
        return f"{verb} to {self.organisation} as {self.role} {since} {event_words(self.event)}"


@dataclass(frozen=True, slots=True)
class ToldBy:
    """Which organisation told a fact, and how who was told is tied to it."""

    organisation: str
    affiliations: tuple[Affiliation, ...] | None
    """With the organisation, in each role. Empty: it was tied under another name of the organisation. None: the reader
    does not see affiliations."""

    def __str__(self) -> str:
        """Say it: `told of payer:7, tied as prescriber since 2026-03-01T00:00:00.000Z`."""
        if self.affiliations is None:
            return f"told of {self.organisation}"
        ways = [
            f"{'tied' if each.tied else 'no longer tied'} as {each.role} since {format_instant(each.event.time_ms)}"
            for each in self.affiliations
        ]
        return f"told of {self.organisation}, {', '.join(ways) if ways else 'tied to another name of it'}"


def explain_affiliations(profile: Profile) -> tuple[Affiliation, ...]:
    """Return the affiliations of a profile and of its aliases: the profile's own first; by organisation and role."""
    return tuple(
        Affiliation(subject, organisation, role, tied, Identity(*event))
        for subject, states in _states(profile)
        for (organisation, role), event, tied in sorted(affiliations_in(states.get(TIES.state_key)))
    )


def told_by(profile: Profile, plan: Plan, evidence: Evidence) -> tuple[ToldBy | None, ...]:
    """Return for each event the organisation that told it; None: none did. Empty: no organisation told any of them."""
    if not plan.reaching:
        return ()
    keys = [ToldMemory(each.told_as).state_key for each in plan.reaching.values()]
    organisations: dict[Order, tuple[str, str]] = {}
    for subject, states in _states(profile):
        for key in keys:
            for event, organisation in told_in(states.get(key)).items():
                organisations.setdefault(event, (subject, organisation))
    if organisations.keys().isdisjoint(evidence):
        return ()
    ties = explain_affiliations(profile)
    return tuple(None if each not in organisations else _told_by(*organisations[each], ties) for each in evidence)


def _told_by(subject: str, organisation: str, ties: tuple[Affiliation, ...]) -> ToldBy:
    found = tuple(each for each in ties if (each.subject, each.organisation) == (subject, organisation))
    return ToldBy(organisation, found)


def _states(profile: Profile) -> Iterator[tuple[str, Mapping[str, State]]]:
    """Walk whose facts a profile has, with the states of these facts: its own first."""
    person = profile.person
    if person is None:
        yield profile.subject, profile.states
        return
    for way in sorted(person.parts, key=lambda each: (each.via != OWN, each.origin, each)):
        yield way.origin, person.parts[way].states

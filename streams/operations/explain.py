"""Explain one profile, now or at another instant: its state, judged by the rules in force with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.outcome import changes_of, whole
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.explain.activations import ActivationExplanation, explain_activations
from rules.explain.affiliations import Affiliation, explain_affiliations
from rules.explain.persons import PersonExplanation, explain_person
from rules.explain.segments import Explanation, explain, without_affiliations
from rules.ground.instants import FOREVER, format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.operations.as_it_was import profile_at
from streams.operations.erased_since import ErasedSince, erased_by, erasure_of
from streams.operations.errors import NoCutYet, UnknownProfile
from streams.operations.filling.state import HistoryState, read_history_state
from streams.operations.linked_subjects import LinkedSubjects, linked_subjects
from streams.operations.naming import NamedDefinitions, resolve
from streams.operations.partitions import OnOffset
from streams.operations.profile_state import engine_of, read_profile
from streams.operations.servers import Servers
from streams.operations.sight import Sight
from streams.operations.tied_people import tied_people


@dataclass(frozen=True, slots=True)
class ProfileExplanation:
    """What is known of one profile at an instant."""

    subject: str
    known_since_ms: int
    """FOREVER: it has no facts."""
    evaluated_ms: int
    """The profile's last evaluation."""
    at_ms: int
    """The instant asked about, or the profile's last evaluation if that is later."""
    applied_ms: int
    """The partition's clock in the state that was read."""
    offset: int
    """The next record of the partition that the state does not hold yet."""
    catalogue: Catalogue
    """The catalogue in force at this state."""
    traits: Mapping[str, Any]
    """Traits that have a value, by name; a trait of type datetime as RFC 3339 text."""
    expected: tuple[AnyChange, ...]
    """Changes due by `at_ms` that the state lacks, in order: no record with a later timestamp was applied."""
    segments: tuple[Explanation, ...]
    """All approved segments in evaluation order; only the named one, or none, where a name was asked for."""
    activations: tuple[ActivationExplanation, ...]
    """All approved activations; only the named one, or none, where a name was asked for."""
    person: PersonExplanation | None = None
    """What links and erasures have made of it; None: it never met one. Who is in nothing has no segments here."""
    affiliations: tuple[Affiliation, ...] = ()
    """What it and its aliases were told of organisations: to which they are tied, and were."""
    tied_to_it: Mapping[str, int] = field(default_factory=dict)
    """How many subjects are tied to it, by role; empty: none is, or an instant in the past is asked about."""
    linked: LinkedSubjects | None = None
    """The subjects that links tie to it now; None: none do, or an instant in the past is asked about."""
    history: HistoryState | None = None
    """What is open of the partition's history; None: nothing is, or another instant than now is asked about."""
    history_said: str = ""
    """The same as a clause: `being read: 60 %`; "": None."""
    not_shown: Mapping[str, int] = field(default_factory=dict)
    """How many restricted segments, activations and traits were left out."""
    note: str = ""
    """The same as a sentence; "": nothing was left out."""

    @property
    def kind(self) -> str:
        """The kind of the profile, as audiences name it: `hcp`."""
        return self.subject.partition(":")[0]


async def explain_profile(
    servers: Servers,
    subject: str,
    name: str | None = None,
    at_ms: int | None = None,
    on_offset: OnOffset = lambda *_: None,
    *,
    restricted: bool = False,
) -> ProfileExplanation:
    """Explain a profile at an instant, epoch milliseconds (None: now).

    An instant in the past is answered from the log (`streams.operations.as_it_was`), with the catalogue then in force;
    `on_offset` is told how far the log is read. `name` asks for the segment and the activation of that name only.
    What uses restricted data is left out, unless `restricted`; of the past, also what the catalogue in force now
    restricts. Raises UnknownProfile, UnknownName, Restricted, NoState, NoCutYet, OtherState; PastGone, NoCutThen,
    UnknownThen, ErasedSince; Unreachable.
    """
    now_ms = SystemClock().wall_ms()
    if at_ms is not None and at_ms <= now_ms:
        was = await profile_at(servers, subject, at_ms, on_offset)
        if await erasure_of(servers, subject) != erased_by(was.profile):
            raise ErasedSince
        moment = _Moment(was.profile, was.plan, at_ms, was.clock_ms, was.offset, (), past=True)
    else:
        moment = await _ahead(servers, subject, now_ms if at_ms is None else at_ms)
    profile, plan = moment.profile, moment.plan
    named = None if name is None else resolve(plan.catalogue, name)
    sight = Sight(restricted, [plan.catalogue, await servers.catalogue()])
    _expect(sight, named)
    asked = (profile, plan, moment.at_ms, servers.deployment.generation, name)
    person = explain_person(profile)
    nothing = moment.unheard or (person is not None and person.in_nothing)
    segments = explain(*asked) if not nothing and (named is None or named.segment) else []
    activations = explain_activations(*asked) if not nothing and (named is None or named.activation) else []
    seen = set(sight.shown("segment", (each.segment for each in segments)))
    active = set(sight.shown("activation", (each.activation for each in activations)))
    traits = traits_of(profile, plan)
    affiliations = explain_affiliations(profile)
    tied_to_it: Mapping[str, int] = {}
    if not sight.shows_affiliations:
        if moment.unheard:
            raise UnknownProfile(partition_of(subject.encode(), servers.deployment.partitions))
        sight.left_out["affiliation"] += len(affiliations)
        affiliations = ()
        segments = [_without_affiliations(each) for each in segments]
    elif not moment.past:
        tied_to_it = await tied_people(servers, subject)
    return ProfileExplanation(
        subject=subject,
        known_since_ms=profile.known_since_ms,
        evaluated_ms=profile.evaluated_ms,
        at_ms=moment.at_ms,
        applied_ms=moment.applied_ms,
        offset=moment.offset,
        catalogue=plan.catalogue,
        traits={trait: traits[trait] for trait in sight.shown("trait", traits)},
        expected=tuple(change for change in moment.expected if _shows(sight, change)),
        segments=tuple(each for each in segments if each.segment in seen),
        activations=tuple(each for each in activations if each.activation in active),
        person=person,
        affiliations=affiliations,
        tied_to_it=tied_to_it,
        linked=None if person is None or moment.past else await linked_subjects(servers, subject),
        history=moment.history,
        history_said="" if moment.history is None else moment.history.said(now_ms),
        not_shown=sight.as_json(),
        note=sight.note,
    )


def _without_affiliations(each: Explanation) -> Explanation:
    return replace(each, enter=without_affiliations(each.enter), exit=without_affiliations(each.exit))


def _expect(sight: Sight, named: NamedDefinitions | None) -> None:
    """See that the reader may read what was named."""
    if named is not None and named.segment is not None:
        sight.expect("segment", named.segment.id)
    if named is not None and named.activation is not None:
        sight.expect("activation", named.activation.id)


def _shows(sight: Sight, change: AnyChange) -> bool:
    if isinstance(change, ActivationChange):
        return sight.shows("activation", change.activation)
    return sight.shows("segment", change.segment)


@dataclass(frozen=True, slots=True)
class _Moment:
    """A profile and the catalogue in force, at an instant."""

    profile: Profile
    plan: Plan
    at_ms: int
    applied_ms: int
    offset: int
    expected: tuple[AnyChange, ...]
    history: HistoryState | None = None
    past: bool = False
    """Whether it is an instant in the past."""
    unheard: bool = False
    """Whether no event of it was applied: people are tied to it, and that is all that is known."""


async def _ahead(servers: Servers, subject: str, wanted_ms: int) -> _Moment:
    """Return a profile as it will be at an instant if no record comes before then."""
    partition = partition_of(subject.encode(), servers.deployment.partitions)
    state = await read_profile(servers, subject, partition)
    engine = await engine_of(servers, state)
    plan = engine.current
    if plan is None:
        raise NoCutYet(partition)
    profile = engine.profiles.get(subject)
    if profile is None:
        if not await tied_people(servers, subject):
            raise UnknownProfile(partition)
        at_ms = max(wanted_ms, plan.t_ms)
        nobody = Profile(subject, plan.ordinal, FOREVER, plan.t_ms)
        return _Moment(nobody, plan, at_ms, state.meta.clock_ms, state.meta.offset, (), unheard=True)
    # the newest cut may not have visited this profile yet: the next records bring it there
    at_ms = max(wanted_ms, profile.evaluated_ms, plan.t_ms)
    expected = changes_of(whole(engine.pass_time(at_ms + 1)).items)
    history = await read_history_state(servers.log, servers.deployment, partition)
    return _Moment(profile, plan, at_ms, state.meta.clock_ms, state.meta.offset, tuple(expected), history)


def traits_of(profile: Profile, plan: Plan) -> dict[str, Any]:
    """Return the traits that have a value, by name; one of type datetime as RFC 3339 text."""
    declared = plan.catalogue.dictionary.traits
    shown: dict[str, Any] = {}
    for name, each in sorted(profile.traits.items()):
        value: Any = each.value
        if isinstance(value, int) and name in declared and declared[name].type == "datetime":
            value = format_instant(value).removesuffix("T00:00:00.000Z")
        if value is not None:
            shown[name] = value
    return shown

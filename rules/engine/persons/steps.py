"""What links, erasures and facts that come through links do to one profile. Pure but for the profile handed in."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from rules.engine.change import AnyChange
from rules.engine.evaluation import MERGED, Evaluation
from rules.engine.outcome import Item, Mark
from rules.engine.persons.effects import Effect
from rules.engine.persons.joining import arrived, joined_part, later, rejoin
from rules.engine.persons.journeys import forget_gone
from rules.engine.persons.lacking import note_target
from rules.engine.persons.packed import Identity, Link
from rules.engine.persons.part import OWN, Part, Way
from rules.engine.persons.person import Person, identity_of
from rules.engine.persons.taking_over import Taken, take_exits
from rules.engine.plan import Plan, all_of
from rules.engine.profile import Profile
from rules.engine.sleeping import awake
from rules.engine.step import due
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.dictionary import ERASED, LINKED, NO_FACTS

ERASED_KIND = "erased"
"""Why everything ends of a subject that was erased."""

Brought = list[tuple[str, Part]]
"""What a subject brings: parts, each with the subject of which its facts were told."""


@dataclass(slots=True)
class At:
    """The record at hand: its R, what changes name as their event, and what it brought so far."""

    r_ms: int
    events: tuple[str, ...]
    items: list[Item] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    """What follows for other profiles, in order."""
    marks: list[Mark] = field(default_factory=list)
    """What is worth a person's look."""


def evaluate(profile: Profile, plan: Plan, at: At, generation: str, taken: Taken | None = None) -> list[AnyChange]:
    """Evaluate a profile whose facts a link moved: all of it. One without facts leaves everything with `merged`.

    `taken`: what it takes over. It has been brought over to `plan`.
    """
    if taken is not None:
        take_exits(profile, taken)
    evaluation = Evaluation(profile, plan, at.r_ms, generation, at.events)
    if not profile.is_known:
        return evaluation.leave(MERGED)
    profile.mask_cut = -1
    if taken is not None:
        return evaluation.take_over(taken)
    return evaluation.run(awake(profile, plan, all_of(plan)))


def evaluate_fact(profile: Profile, plan: Plan, at: At, generation: str, mask: int) -> list[AnyChange]:
    """Evaluate a profile that took a fact in, which can move what a mask says."""
    mask = awake(profile, plan, mask) | due(profile, plan, at.r_ms + 1)
    if not mask:
        profile.evaluated_ms = at.r_ms
        return []
    return Evaluation(profile, plan, at.r_ms, generation, at.events).run(mask)


def leave(profile: Profile, plan: Plan, at: At, generation: str, kind: str) -> list[AnyChange]:
    """Leave everything, with `merged` or `erased`."""
    return Evaluation(profile, plan, at.r_ms, generation, at.events).leave(kind)


def begun(subject: str, plan: Plan, r_ms: int) -> Profile:
    """Begin a profile without facts: it is not known, and may stand for another, or have aliases, or be erased."""
    profile = Profile(subject, plan.ordinal, FOREVER, r_ms)
    profile.latest_ms = -FOREVER
    profile.person = Person(subject)
    return profile


def is_later_link(person: Person, event: Event) -> bool:
    """Tell whether a link event is the latest of its subject."""
    return person.link is None or person.link.identity < identity_of(event)


def link_of(event: Event) -> Link:
    """Return what a link event says."""
    canonical = str(event.data["canonical"]) if event.type == LINKED else None
    return Link(*identity_of(event), canonical)


def brought_by(profile: Profile, plan: Plan, r_ms: int, origins: Set[str] | None = None) -> Brought:
    """Return all that a subject brings to the one that it stands for: copies, one an origin. `origins`: of these.

    What came through that one does not go back there. So no facts hold each other up after they are withdrawn.
    """
    person = profile.linked()
    parts: dict[str, list[Part]] = {}
    for way in sorted(person.parts):
        came_by = person.came_by(way)
        if person.canonical not in came_by and (origins is None or way.origin in origins):
            part = person.parts[way].copy()
            part.between = tuple(sorted(came_by - {way.origin, profile.subject}))
            parts.setdefault(way.origin, []).append(part)
    return [(origin, joined_part(found, plan.states, r_ms)) for origin, found in sorted(parts.items())]


def add_facts(profile: Profile, via: str, brought: Brought, plan: Plan, r_ms: int, kept: str | None = None) -> set[str]:
    """Take facts in that an alias brings; return whose were taken.

    Facts that came through it come back in a ring: they are left. So are facts that it would refuse as erased. `kept`:
    the states that the alias keeps (`rules.engine.persons.lacking`); None: those that this plan keeps.
    """
    person = profile.linked()
    anew = plan.catalogue.policy.begins_anew
    known = [*person.parts.values()]
    profile.arrivals += 1
    taken: set[str] = set()
    for origin, given in brought:
        part: Part | None = given
        if person.erased is not None:
            part = later(given, plan.states, person.erased.time_ms) if anew else None
        if part is None or profile.subject == origin or profile.subject in part.between:
            continue
        if kept is not None:
            note_target(part, plan, kept, r_ms)
        part = arrived(part, known, plan.states, profile.arrivals)
        person.parts[Way(via, origin, anew)] = part
        taken.add(origin)
    if taken and not known:
        profile.born_cut, profile.born_ms = plan.ordinal, r_ms
    settle(profile, plan, r_ms)
    return taken


def drop_facts(profile: Profile, via: str, origins: Set[str] | None, plan: Plan, r_ms: int) -> set[str]:
    """Drop the facts that came through an alias (`origins`: of these subjects); return whose facts were dropped."""
    person = profile.linked()
    dropped = {way for way in person.parts if way.via == via and (origins is None or way.origin in origins)}
    for way in dropped:
        del person.parts[way]
    forget_gone(person)
    settle(profile, plan, r_ms)
    return {way.origin for way in dropped}


def forget(profile: Profile, erasure: Identity, plan: Plan, r_ms: int) -> None:
    """Forget its facts, its link, stays, last exits and arming. Sequences and `was` stay, and the erasure.

    What an alias brings it keeps as far as it would take it anew. Nothing judges it for that now: the alias is erased
    next, or left alone and brings its facts again. What comes before that judges all of it.
    """
    person = profile.linked()
    person.erased, person.link, person.moved = erasure, None, []
    left: dict[Way, Part] = {}
    for way, part in person.parts.items():
        kept = later(part, plan.states, erasure.time_ms) if way.via != OWN and way.anew else None
        if kept is not None:
            left[way] = kept
    person.parts = left
    person.held = [held for held in person.held if any(way.via == held.via for way in left)]
    profile.stays, profile.held_back = {}, None
    profile.wakes, profile.wake_ms = {}, FOREVER
    if left:
        profile.born_cut, profile.born_ms = plan.ordinal, r_ms
        profile.evaluated_ms = r_ms - 1
    settle(profile, plan, r_ms)


def settle(profile: Profile, plan: Plan, r_ms: int) -> None:
    """Join what a profile has now; what can move is found anew."""
    rejoin(profile, plan.states, r_ms)
    profile.mask_cut = -1


def classify(profile: Profile | None, event: Event, name: int, r_ms: int, *, anew: bool) -> str:
    """Tell what an event is to a profile that met a link or an erasure, or that meets one now.

    `fact`, `link`, `erasure`; `refused`, since it was erased; `redelivery`: it changes nothing. `name`: its identity
    (`rules.ground.digest.identity`). `anew`: the policy says `begin_anew`.
    """
    person = None if profile is None else profile.person
    if event.type == ERASED:
        newly = person is None or person.newly_erased_by(identity_of(event))
        return "erasure" if newly else "redelivery"
    if person is not None and not person.takes(event.time_ms, anew):
        return "refused"
    own = None if person is None else person.own
    if own is not None and own.seen.recognises(name, r_ms):
        return "redelivery"
    if event.type not in NO_FACTS:
        return "fact"
    if profile is not None and person is None and profile.seen.recognises(name, r_ms):
        return "redelivery"
    return "redelivery" if person is not None and not is_later_link(person, event) else "link"


def others_of(person: Person) -> Iterable[str]:
    """Walk whom an erasure reaches next: whom the subject was an alias of, then its direct aliases, by subject."""
    if person.canonical is not None:
        yield person.canonical
    yield from sorted(person.aliases)

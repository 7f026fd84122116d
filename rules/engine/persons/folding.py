"""Fold a fact into one part of a linked profile, and into the join of its parts."""

from collections.abc import Sequence

from rules.conditions.consent import CONSENT_EVENTS, join_consents
from rules.conditions.view import Register
from rules.engine.fold import moved_by_states
from rules.engine.folds import NO_FOLDS, Fold
from rules.engine.persons.joining import joined_state
from rules.engine.persons.part import Part, Way
from rules.engine.plan import Plan, all_of
from rules.engine.profile import Profile
from rules.engine.seen import Seen
from rules.ground.digest import identity
from rules.ground.event import Event


def fold_fact(
    profile: Profile, way: Way, plan: Plan, event: Event, r_ms: int, *, passed: Sequence[str] = (), logs: bool
) -> int | None:
    """Fold a fact into the part of its way; return the mask of what it can move. None: its person knew it already.

    The profile stands under `plan`. `passed`: the subjects that the fact came through. `logs`: keep the fact, because
    everything is at hand. What an alias knows is folded only; its mask says nothing.
    """
    person = profile.person
    assert person is not None
    name = identity(event.time_ms, event.source, event.id)
    known = person.knows(name, r_ms)
    part, begins = person.parts.get(way), not person.parts
    if part is None:
        if begins:
            profile.born_cut, profile.born_ms = plan.ordinal, r_ms
            profile.known_since_ms, profile.latest_ms = event.time_ms, event.time_ms
        part = person.parts[way] = Part()
        part.between = tuple(sorted({*passed} - {way.origin, way.via}))
        part.log = [] if logs else None
    if not known:
        profile.arrivals += 1
    if part.log is not None:
        part.log.append(Seen(event, profile.arrivals, r_ms))
    part.seen.remember(name, r_ms)
    mask = all_of(plan) if begins or profile.is_to_be_judged else 0
    if event.time_ms < profile.known_since_ms:
        mask |= plan.known_since_mask
    part.reach(event.time_ms)
    profile.known_since_ms = min(profile.known_since_ms, event.time_ms)
    profile.latest_ms = max(profile.latest_ms, event.time_ms)
    moved = _fold(part, plan, event, profile.arrivals, r_ms)
    if known:
        for key, memory in ((fold.state_key, fold.memory) for fold in moved):
            was = [profile.states.get(key), *(one.states.get(key) for one in person.parts.values())]
            part.states[key] = memory.arrived(part.states[key], profile.arrivals, was)
    if person.canonical is not None:
        return None if known else 0
    mask |= _settings(profile, plan, event)
    if event.type in CONSENT_EVENTS:
        consents = join_consents([one.consents for one in person.ordered()])
        if consents != profile.consents:
            mask |= plan.consent_mask
            profile.know(profile.traits, consents, profile.states)
    parts = [*person.ordered()]
    states = [(fold, joined_state(parts, fold.state_key, fold.memory, r_ms)) for fold in moved]
    mask |= moved_by_states(profile, plan, states)
    return None if known else mask


def _settings(profile: Profile, plan: Plan, event: Event) -> int:
    """Set the traits of the join; return what that can move."""
    mask = 0
    for trait, value in event.sets:
        known = profile.traits.get(trait)
        taken = profile.set_later(trait, Register(event.time_ms, event.source, event.id, value))
        if taken and (known is None or known.value != value or known.value.__class__ is not value.__class__):
            mask |= plan.trait_masks.get(trait, 0)
    return mask


def _fold(part: Part, plan: Plan, event: Event, arrival: int, r_ms: int) -> list[Fold]:
    """Fold a fact into a part; return the folds whose states moved."""
    moved = []
    for trait, value in event.sets:
        setting = Register(event.time_ms, event.source, event.id, value)
        part.set_later(trait, setting)
        for fold in plan.setting_folds.get(trait, ()):
            state = part.states.get(fold.state_key)
            left = fold.memory.fold_setting(state, trait, setting, arrival, r_ms)
            if left is not state:
                part.states[fold.state_key] = left
                moved.append(fold)
    if event.type in CONSENT_EVENTS:
        part.fold_consent(event)
    for fold in plan.folds.get(event.type, NO_FOLDS).of(event):
        state = part.states.get(fold.state_key)
        left = fold.memory.fold(state, event, arrival, r_ms)
        if left is not state:
            part.states[fold.state_key] = left
            moved.append(fold)
    return moved

"""Fold an event into a profile, and tell which segments and activations that can move."""

from collections.abc import Iterable

from rules.conditions.consent import CONSENT_EVENTS
from rules.conditions.view import Register, State
from rules.engine.folds import NO_FOLDS, Fold
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.ground.event import Event


def fold_event(profile: Profile, plan: Plan, event: Event, r_ms: int) -> int:
    """Fold an event into registers and condition states; returns the mask of what it can move.

    A state that only an exit rule looks at moves no profile that is out, unless that rule may be what keeps it out. A
    state that only an entry rule looks at moves no member of a segment with an exit rule. A setting that repeats the
    value moves only the conditions that keep a history of settings: the others look at the value and the instant.
    """
    mask = enter_mask = exit_mask = 0
    states, arrival = profile.states, profile.arrivals
    for trait, value in event.sets:
        setting = Register(event.time_ms, event.source, event.id, value)
        known = profile.traits.get(trait)
        if known is None or known[:3] < setting[:3]:
            profile.set_trait(trait, setting)
            if known is None or known.value != value or known.value.__class__ is not value.__class__:
                mask |= plan.trait_masks.get(trait, 0)
        for fold in plan.setting_folds.get(trait, ()):
            state = states.get(fold.state_key)
            moved = fold.memory.fold_setting(state, trait, setting, arrival, r_ms)
            if moved is not state:
                states[fold.state_key] = moved
                enter_mask |= fold.enter_mask
                exit_mask |= fold.exit_mask
    if event.type in CONSENT_EVENTS and profile.fold_consent(event):
        mask |= plan.consent_mask
    for fold in plan.folds.get(event.type, NO_FOLDS).of(event):
        state = states.get(fold.state_key)
        memory = fold.memory
        moved = memory.fold(state, event, arrival, r_ms)
        if moved is not state:
            states[fold.state_key] = moved
            if not memory.inert(moved):
                enter_mask |= fold.enter_mask
                exit_mask |= fold.exit_mask
                if fold.needed_mask & profile.asleep_mask:
                    _awaken(profile, plan, fold.needed_mask & profile.asleep_mask)
    # most events move little, and a mask of thousands of bits is not free
    if enter_mask:
        with_exit = profile.members_mask & plan.with_exit_mask
        mask |= enter_mask & (~with_exit | profile.rearming_mask) if with_exit else enter_mask
    if exit_mask:
        mask |= exit_mask & (profile.members_mask | profile.blocked_mask)
    return mask


def moved_by_states(profile: Profile, plan: Plan, states: Iterable[tuple[Fold, State]]) -> int:
    """Give a profile new states; return the mask of what that can move."""
    enter_mask = exit_mask = 0
    for fold, state in states:
        if state == profile.states.get(fold.state_key):
            continue
        profile.states[fold.state_key] = state
        if state is not None and fold.memory.inert(state):
            continue
        enter_mask |= fold.enter_mask
        exit_mask |= fold.exit_mask
        if fold.needed_mask & profile.asleep_mask:
            _awaken(profile, plan, fold.needed_mask & profile.asleep_mask)
    with_exit = profile.members_mask & plan.with_exit_mask
    mask = enter_mask & (~with_exit | profile.rearming_mask) if with_exit else enter_mask
    return mask | (exit_mask & (profile.members_mask | profile.blocked_mask))


def find_masks(profile: Profile, plan: Plan) -> None:
    """Find which segments a profile is in; each other segment may be blocked by its exit rule until it is visited."""
    members = rearming = awake = needed = 0
    bit_of, needed_masks = plan.wake_bits.get, plan.needed_masks
    for name, stay in profile.stays.items():
        bit = bit_of(name, 0)
        awake |= bit
        if stay.member:
            members |= bit
            if stay.disarmed:
                rearming |= bit
    for name in profile.wakes:
        if name not in profile.stays:
            awake |= bit_of(name, 0)
    asleep = profile.asleep_mask = plan.needing_mask & ~awake
    for key in profile.states.keys() & needed_masks.keys():
        if not plan.states[key].inert(profile.states[key]):
            needed |= needed_masks[key]
    _awaken(profile, plan, needed & asleep)
    profile.members_mask = members
    profile.rearming_mask = rearming
    profile.blocked_mask = plan.exits_mask & ~members
    profile.mask_cut = plan.ordinal


def _awaken(profile: Profile, plan: Plan, mask: int) -> None:
    """Wake the segments of a mask whose needed states are no longer inert."""
    states, conditions, needs = profile.states, plan.states, plan.needs
    while mask:
        lowest = mask & -mask
        mask ^= lowest
        if not any(conditions[key].inert(states.get(key)) for key in needs[lowest.bit_length() - 1]):
            profile.asleep_mask &= ~lowest

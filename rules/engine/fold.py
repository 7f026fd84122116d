"""Fold an event into a profile, and tell which segments and activations that can move."""

from collections.abc import Iterable, Mapping

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

    What an event only prolongs it does not move: each verdict stays as it is, and ends no sooner. So nothing changes
    now, and the next look (`Profile.wakes`) does not come too late. It may find nothing then, and sets the next one.
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
                if state is None:
                    _begin(profile, plan, fold.state_key)
                enter_mask |= _entering(profile, plan, fold)
                exit_mask |= fold.exit_mask
    if event.type in CONSENT_EVENTS and profile.fold_consent(event):
        mask |= plan.consent_mask
    for fold in plan.folds.get(event.type, NO_FOLDS).of(event):
        state = states.get(fold.state_key)
        memory = fold.memory
        moved = memory.fold(state, event, arrival, r_ms)
        if moved is not state:
            states[fold.state_key] = moved
            if state is None:
                _begin(profile, plan, fold.state_key)
            if memory.inert(moved):
                continue
            # the last look may have been one at R + 1 (Evaluation._peek), so what stood then must stand still
            if fold.lasting and memory.stands_until(state) > r_ms + 1 and not profile.lacking:
                if fold.loose_mask:
                    enter_mask |= _entering(profile, plan, fold) & fold.loose_mask
                    exit_mask |= fold.exit_mask & fold.loose_mask
            else:
                enter_mask |= _entering(profile, plan, fold)
                exit_mask |= fold.exit_mask
    return mask | _of_rules(profile, plan, enter_mask, exit_mask)


def moved_by_states(profile: Profile, plan: Plan, states: Iterable[tuple[Fold, State]]) -> int:
    """Give a profile new states; return the mask of what that can move."""
    enter_mask = exit_mask = 0
    for fold, state in states:
        if state == profile.states.get(fold.state_key):
            continue
        profile.states[fold.state_key] = state
        _begin(profile, plan, fold.state_key)
        if state is not None and fold.memory.inert(state):
            continue
        enter_mask |= _entering(profile, plan, fold)
        exit_mask |= fold.exit_mask
    return _of_rules(profile, plan, enter_mask, exit_mask)


def _begin(profile: Profile, plan: Plan, state_key: str) -> None:
    """Note that a profile has a state."""
    profile.first_mask |= plan.first_masks.get(state_key, 0)
    if plan.second_masks:
        profile.second_mask |= plan.second_masks.get(state_key, 0)


def _entering(profile: Profile, plan: Plan, fold: Fold) -> int:
    """Return which segments a state that moved can move by their entry rules."""
    if not fold.enter_first_mask and not fold.enter_second_mask:
        return fold.enter_mask
    if profile.mask_cut != plan.ordinal:
        find_masks(profile, plan)
    return fold.entering(profile)


def _of_rules(profile: Profile, plan: Plan, enter_mask: int, exit_mask: int) -> int:
    """Return which segments entry rules and exit rules can move that look at what moved."""
    # most events move little, and a mask of thousands of bits is not free
    if not exit_mask and not enter_mask & plan.with_exit_mask:
        return enter_mask
    if profile.mask_cut != plan.ordinal:
        find_masks(profile, plan)
    with_exit = profile.members_mask & plan.with_exit_mask
    if with_exit:
        enter_mask &= ~with_exit | profile.rearming_mask
    return enter_mask | (exit_mask & (profile.members_mask | profile.blocked_mask))


def find_masks(profile: Profile, plan: Plan) -> None:
    """Find the masks of a profile: which segments it is in, and of which it has something.

    Each segment that it is not in may be blocked by its exit rule until it is visited.
    """
    bit_of = plan.wake_bits.get
    members = rearming = known = 0
    for name, stay in profile.stays.items():
        bit = bit_of(name, 0)
        known |= bit
        if stay.member:
            members |= bit
            if stay.disarmed:
                rearming |= bit
    for name in profile.wakes:
        known |= bit_of(name, 0)
    profile.members_mask = members
    profile.rearming_mask = rearming
    profile.blocked_mask = plan.exits_mask & ~members
    profile.first_mask = _with_states(known, profile, plan.first_masks)
    profile.second_mask = _with_states(known, profile, plan.second_masks)
    profile.mask_cut = plan.ordinal


def _with_states(mask: int, profile: Profile, masks: Mapping[str, int]) -> int:
    for key in profile.states.keys() & masks.keys():
        mask |= masks[key]
    return mask

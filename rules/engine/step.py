"""Step a profile: evaluate it at a wake, take an event in, bring it over a cut. Pure but for the profile handed in."""

from collections.abc import Iterable, Iterator, Mapping

from rules.conditions.view import Mark, Register, State
from rules.engine.change import AnyChange
from rules.engine.evaluation import Evaluation
from rules.engine.first_wake import find_first, set_wake
from rules.engine.fold import fold_event
from rules.engine.membership import judge
from rules.engine.past import FIRST_CUT, release
from rules.engine.persons.joining import rejoin
from rules.engine.persons.lacking import filled
from rules.engine.persons.part import Part
from rules.engine.plan import Plan, all_of
from rules.engine.profile import NEVER, Profile
from rules.engine.seen import Seen
from rules.engine.segment_plan import SegmentPlan
from rules.engine.sleeping import awake
from rules.ground.event import Event
from rules.ground.instants import FOREVER


def wake(profile: Profile, plan: Plan, t_ms: int, generation: str) -> list[AnyChange]:
    """Evaluate at a wake: all of the profile whose wake is due at t_ms."""
    return Evaluation(profile, plan, t_ms, generation).run(due(profile, plan, t_ms))


def apply_event(
    profile: Profile | None, plan: Plan, event: Event, known: int, r_ms: int, generation: str
) -> tuple[Profile, list[AnyChange]]:
    """Fold an event that the profile does not know yet, and evaluate the profile at R.

    Returns the profile (None given: a new one) and its changes. `known` is the event's identity
    (`rules.ground.digest.identity`). The profile's own wakes before r_ms must have fired, and it must have been brought
    over to `plan`.
    """
    if profile is None:
        profile = Profile(event.subject, plan.ordinal, event.time_ms, r_ms)
        profile.mask_cut = plan.ordinal
        mask = plan.fresh_mask
    else:
        mask = 0
    profile.seen.remember(known, r_ms)
    profile.arrivals += 1
    if event.time_ms > profile.latest_ms:
        profile.latest_ms = event.time_ms
    elif event.time_ms < profile.known_since_ms:
        profile.known_since_ms = event.time_ms
        mask |= plan.known_since_mask
    if profile.evaluated_ms == NEVER:  # history began it: all of it is to be judged
        mask = all_of(plan)
    mask = awake(profile, plan, mask | fold_event(profile, plan, event, r_ms))
    if profile.wake_ms <= r_ms + 1:
        # due a millisecond later: a change at r_ms itself, at a cut or by the event before, left it something to decide
        mask |= due(profile, plan, r_ms + 1)
    if not mask:
        profile.evaluated_ms = r_ms
        return profile, []
    return profile, Evaluation(profile, plan, r_ms, generation, (event.name,)).run(mask)


def look_again(profile: Profile, plan: Plan, mask: int, r_ms: int) -> None:
    """Wake a profile where history, which came at R, decides something about a segment or an activation of a mask.

    History itself evaluates nothing. But a profile is evaluated at every millisecond: at R, or if it was evaluated at R
    already, a millisecond later.
    """
    due_ms = r_ms if profile.evaluated_ms < r_ms else r_ms + 1
    mark = Mark(profile.latest_ms, profile.arrivals, plan.ordinal)
    wakes = profile.wakes
    for segment in _segments_of(profile, plan, mask):
        if wakes.get(segment.id, FOREVER) > due_ms:
            kind, next_ms, rearms = judge(segment, profile, due_ms, mark)
            if kind is not None or rearms:
                next_ms = due_ms
            set_wake(profile, segment.id, next_ms)
            profile.first_mask |= 1 << segment.position
            profile.second_mask |= 1 << segment.position
    if mask & plan.activations_mask:
        for each in plan.activations.by_id.values():
            if mask & each.bit:
                set_wake(profile, each.wake, min(due_ms, wakes.get(each.wake, FOREVER)))
    find_first(profile)


def bring_over(profile: Profile, plan: Plan, generation: str, history: Iterable[Seen] | None) -> list[AnyChange]:
    """Bring a profile over the cut that began `plan`: evaluate it once at the cut's instant.

    States of conditions that are gone are dropped; new ones start from `history` where it is given, else from what
    the profile itself still knows: the last setting of each trait, which stands on after the cut.

    The end of a fill is such a cut, too: it sets the traits that were held back until then.
    """
    person = profile.person
    if person is None:
        profile.states.replace(_carried(profile, plan, history))
        mask = release(profile, plan) if profile.held_back else 0
    else:
        mask = 0
        for part in person.parts.values():
            part.states = _carried(part, plan, part.log)
            part.lacking = {key: since_ms for key, since_ms in part.lacking.items() if key in plan.states}
            filled(part, plan)
            mask |= release(part, plan) if part.held_back else 0
        rejoin(profile, plan.states, plan.t_ms)
    profile.cut = plan.ordinal
    if not profile.is_known:
        profile.mask_cut = -1
        return []
    if profile.evaluated_ms == NEVER and FIRST_CUT not in plan.fills:
        profile.mask_cut = -1
        return []
    if profile.is_to_be_judged:
        mask = all_of(plan)
    evaluation = Evaluation(profile, plan, plan.t_ms, generation)
    # every profile is evaluated; but only what the cut or the fill is about, or what is due, can move
    mask |= due(profile, plan, plan.t_ms + 1)
    if not plan.ends_fill:
        return evaluation.run_cut(awake(profile, plan, mask | plan.cut_mask))
    return evaluation.run(awake(profile, plan, mask | plan.fill_mask), backfill=True)


def _segments_of(profile: Profile, plan: Plan, mask: int) -> Iterator[SegmentPlan]:
    segments = plan.governing(profile)
    mask &= ~plan.activations_mask
    while mask:
        lowest = mask & -mask
        mask ^= lowest
        yield segments[lowest.bit_length() - 1]


def due(profile: Profile, plan: Plan, t_ms: int) -> int:
    """Return the mask of what is due at an instant or before it."""
    mask = 0
    for name, due_ms in profile.wakes.items():
        if due_ms <= t_ms:
            mask |= plan.wake_bits.get(name, 0)  # at a cut the wakes of what is gone are still there
    return mask


def _carried(facts: Profile | Part, plan: Plan, history: Iterable[Seen] | None) -> dict[str, State]:
    """Return the states under a plan: those that are known, and those that begin."""
    kept = {key: state for key, state in facts.states.items() if key in plan.states}
    for key, memory in plan.shared_before.items():
        if key not in kept:
            continue
        if history is not None:
            del kept[key]  # its windows may reach further back than before
        else:
            kept[key] = memory.prune(kept[key], plan.t_ms)  # what is known does not depend on when it was packed
    # without history only the last setting of a trait is still known
    for key in plan.setting_states if history is None else plan.states:
        if key not in kept:
            state = _begun(plan, key, facts.traits) if history is None else _filled(plan, key, history)
            if state is not None:
                kept[key] = state
    return kept


def _begun(plan: Plan, key: str, traits: Mapping[str, Register]) -> object:
    memory = plan.states[key]
    for trait in memory.traits:
        register = traits.get(trait)
        if register is not None:
            return memory.standing(register)
    return None


def _filled(plan: Plan, key: str, history: Iterable[Seen]) -> object:
    condition = plan.states[key]
    settings = any(fold.state_key == key for folds in plan.setting_folds.values() for fold in folds)
    state = None
    for event, arrival, r_ms in history:
        if event.type in condition.types:
            state = condition.fold(state, event, arrival, r_ms)
        if settings:
            for trait, value in event.sets:
                if trait in condition.traits:
                    setting = Register(event.time_ms, event.source, event.id, value)
                    state = condition.fold_setting(state, trait, setting, arrival, r_ms)
    return state

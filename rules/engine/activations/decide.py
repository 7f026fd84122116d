"""The activations of one profile in one evaluation, after all its segments.

It looks at the activations that something moved and at all that share a group with them; at a cut, at all. The changes
come out in the order in which they are published: first every activation that ends, by id, then every one that begins.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Final, NamedTuple

from rules.conditions.view import View
from rules.engine.activations.change import ActivationChange, ActivationReason, activation_change
from rules.engine.activations.plan import ActivationPlan, Activations, Told
from rules.engine.activations.refusals import EXCLUSIVE, ContactRefusal, first_refusal
from rules.engine.activations.slots import journey_with_slot
from rules.engine.first_wake import set_wake
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.ground.instants import FOREVER

RETIRED: Final = "retired"
CHANGED: Final = "definition_changed"
ALLOWED: Final = "allowed"


class Move(NamedTuple):
    """One activation that begins, ends, or is published again."""

    told: Told
    activated: bool
    kind: str
    by: tuple[str, ...] = ()


class Looked(NamedTuple):
    """An activation that was looked at: what refuses it (None: it is active), and when to look again."""

    plan: ActivationPlan
    refusal: ContactRefusal | None
    next_ms: int


def look(plan: Plan, profile: Profile, view: View, mask: int, before: Mapping[str, ActivationPlan]) -> list[Looked]:
    """Look at the activations of a mask and at all that share a group with them, by id; changes nothing.

    `before`: the definitions under which the profile's active ones became so.
    """
    here = plan.activations.governing(profile)
    return _look([here[name] for name in sorted(plan.activations.chosen(mask))], profile, view, before)


def _look(
    chosen: Sequence[ActivationPlan], profile: Profile, view: View, before: Mapping[str, ActivationPlan]
) -> list[Looked]:
    looked = [Looked(each, *first_refusal(each.questions, profile, view)) for each in chosen]
    free: dict[str, list[ActivationPlan]] = {}
    for each in looked:
        if each.refusal is None and each.plan.group is not None:
            free.setdefault(each.plan.group, []).append(each.plan)
    slots = {
        group: journey_with_slot(
            those,
            () if those[0].preempt else holders_of(group, profile, before),
            preempt=those[0].preempt,
        )
        for group, those in free.items()
    }
    return [_with_slot(each, slots) for each in looked]


def _named(activations: Activations, profile: Profile) -> set[str]:
    """Return the ids of the activations that may be active or become so, by what the profile is in: perhaps too many.

    A catalogue has many activations, and a profile is in few segments that they ask for.
    """
    found = {name for name, standing in profile.activations.items() if standing.active}
    found |= activations.asking_none
    stays, asking = profile.stays, activations.asking
    for segment in stays.keys() & asking.keys():
        if stays[segment].member:
            found |= asking[segment]
    return found


def _sleep(activations: Activations, profile: Profile, names: Set[str], chosen: Set[str]) -> None:
    """Look no more at the activations of these names that were not chosen, before something moves them."""
    for wake in profile.wakes.keys() & activations.of_wake.keys():
        name = activations.of_wake[wake]
        if name in names and name not in chosen:
            set_wake(profile, wake, FOREVER)


def _may_move(each: ActivationPlan, profile: Profile) -> bool:
    """Tell whether an activation is active or may become so: most of a group are neither, and are not asked further.

    An activation that is left out refuses until a membership moves it, so it needs no wake and competes for no slot.
    """
    if not each.wanted:
        return True
    standing = profile.activations.get(each.id)
    if standing is not None and standing.active:
        return True
    for segment in each.wanted:  # a generator would cost more than the memberships
        stay = profile.stays.get(segment)
        if stay is not None and stay.member:
            return True
    return False


def holders_of(group: str, profile: Profile, before: Mapping[str, ActivationPlan]) -> set[str]:
    """Return the journeys of a group that have an active activation."""
    active = (before[name] for name, standing in profile.activations.items() if standing.active)
    return {each.slot for each in active if each.group == group}


def _with_slot(each: Looked, slots: Mapping[str, str]) -> Looked:
    if each.refusal is not None or each.plan.group is None:
        return each
    slot = slots[each.plan.group]
    return each if each.plan.slot == slot else each._replace(refusal=ContactRefusal(EXCLUSIVE, (slot,), each.next_ms))


def decide(
    plan: Plan, profile: Profile, view: View, mask: int, generation: str, events: tuple[str, ...], *, at_cut: bool
) -> list[ActivationChange]:
    """Decide the activations that something moved, carry it out in the profile, and return the changes in order."""
    here = plan.activations.governing(profile)
    before = (plan.activations_before if at_cut else plan.activations).told(profile)
    remembers = plan.activations.takes or (at_cut and plan.activations_before.takes)
    names = plan.activations.chosen(mask)
    chosen = [
        here[name] for name in sorted(names & _named(plan.activations, profile)) if _may_move(here[name], profile)
    ]
    _sleep(plan.activations, profile, names, {each.id for each in chosen})
    looked = _look(chosen, profile, view, before)
    moves = _ended_by_cut(plan, profile, here, before) if at_cut else []
    ended = {move.told.id for move in moves}
    for each in looked:
        move = _move(each, profile, None if each.plan.id in ended else before.get(each.plan.id))
        if move is not None:
            moves.append(move)
        if remembers and each.refusal is None:
            profile.standing(each.plan.id).other = each.plan.other
        set_wake(profile, each.plan.wake, each.next_ms)
    moves.sort(key=lambda move: (move.activated, move.told.id))
    return [_carry_out(move, profile, view.t_ms, generation, events) for move in moves]


def deactivate_all(
    plan: Plan, profile: Profile, t_ms: int, generation: str, events: Sequence[str], kind: str
) -> list[ActivationChange]:
    """End every activation of a profile that is not known any more, by id."""
    told = plan.activations.told(profile)
    active = sorted(name for name, standing in profile.activations.items() if standing.active)
    return [_carry_out(Move(told[name].told, False, kind), profile, t_ms, generation, events) for name in active]


def _ended_by_cut(
    plan: Plan, profile: Profile, here: Mapping[str, ActivationPlan], before: Mapping[str, ActivationPlan]
) -> list[Move]:
    """Return the activations that end with their definition.

    It is retired, gone, not approved, on another channel, or a pilot that leaves the profile out, with nothing before.
    """
    dropped = plan.activations.dropped
    moves = []
    for name, standing in profile.activations.items():
        if not standing.active:
            continue
        old = before[name].told
        now = here[name].told if name in here else dropped.get(name)
        moved = now is None or now.channel != old.channel
        if moved or name not in here or here[name].nothing:
            moves.append(Move(old if moved or now is None else now, False, RETIRED))
    for name in before.keys() - here.keys():
        set_wake(profile, before[name].wake, FOREVER)
    return moves


def _move(each: Looked, profile: Profile, before: ActivationPlan | None) -> Move | None:
    """Return how an activation moves; None: not. `before`: the definition under which it may be active, None: none."""
    standing = profile.activations.get(each.plan.id)
    active = before is not None and standing is not None and standing.active
    if each.refusal is not None:
        return Move(each.plan.told, False, each.refusal.code, each.refusal.by) if active else None
    if not active:
        return Move(each.plan.told, True, ALLOWED)
    if before is None or before is each.plan or each.plan.told.same(before.told, profile.subject):
        return None
    return Move(each.plan.told, True, CHANGED)


def _carry_out(move: Move, profile: Profile, t_ms: int, generation: str, events: Sequence[str]) -> ActivationChange:
    told = move.told
    standing = profile.standing(told.id)
    was = standing.was
    standing.active = move.activated
    if not move.activated:
        standing.was = move.kind
    sequence = profile.sequences.get(told.channel, 0) + 1
    profile.sequences[told.channel] = sequence
    return activation_change(
        generation=generation,
        subject=profile.subject,
        activation=told.id,
        version=told.version,
        channel=told.channel,
        activated=move.activated,
        sequence=sequence,
        effective_ms=t_ms,
        reason=ActivationReason(move.kind, move.by, tuple(events), was),
        journey=told.journey,
        content=told.content,
        arm=told.arm(profile.subject),
    )

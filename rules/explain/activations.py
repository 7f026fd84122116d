"""Say why an activation is active for a profile, all that refuses it, and what would change it next and when.

Read off the same questions that decide, at one instant. What comes next with no event, and when each refusal ends by
itself, is found by letting the profile's own wakes fire on a copy: memberships end in them, and with them what they
refuse; what no membership has a part in (a cap, a restriction) says its own end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from rules.conditions.view import View
from rules.engine.activations.change import ActivationChange
from rules.engine.activations.decide import holders_of, look
from rules.engine.activations.plan import ActivationPlan
from rules.engine.activations.refusals import EXCLUSIVE, ContactRefusal, all_refusals
from rules.engine.activations.slots import journey_with_slot
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.engine.step import wake
from rules.explain.consent import ConsentSaid, consent_said
from rules.explain.segments import WAKES_AHEAD_MAX, copy_at, copy_of, governed_by
from rules.explain.sentences import SAYINGS, Asked, endings
from rules.ground.instants import FOREVER
from rules.ground.reasons import RefusalCode


@dataclass(frozen=True, slots=True)
class Refusing:
    """One refusal that applies."""

    code: RefusalCode
    by: tuple[str, ...]
    text: str
    changes_it: str
    until_ms: int | None
    """When it ends with no event; None: time alone does not end it."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Something that would end an active one."""

    text: str
    at_ms: int | None
    """When time alone does it; None: it takes an event, or a catalogue."""


@dataclass(frozen=True, slots=True)
class NextActivation:
    """The next change with no new event."""

    at_ms: int
    activated: bool
    kind: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActivationExplanation:
    """One activation for one profile at `t_ms`."""

    activation: str
    channel: str
    journey: str | None
    group: str | None
    arm: str | None
    t_ms: int
    active: bool
    was: str | None
    """The kind of its last deactivation."""
    because: tuple[str, ...]
    """Sentences: why it is so."""
    refusals: tuple[Refusing, ...]
    """All refusals that apply, in order of precedence; the first is the reason."""
    ends: tuple[Ends, ...]
    """What would end it, if it is active."""
    next: NextActivation | None
    consent: ConsentSaid | None = None
    """The consent event that decides, where the activation requires consent; None also: nothing was said."""


@dataclass(slots=True)
class _Ahead:
    """What time alone brings."""

    changes: dict[str, NextActivation] = field(default_factory=dict)
    """By activation: the first."""
    ended: dict[tuple[str, RefusalCode], int] = field(default_factory=dict)
    """By (activation, refusal that applies now): the first instant at which the refusal does not apply."""


_OF_OTHERS: Final[frozenset[RefusalCode]] = frozenset({"not_member", "suppressed_by", EXCLUSIVE})
"""Refusals that end with a membership, or with another activation."""
_Applying = dict[str, list[ContactRefusal]]


def explain_activations(
    profile: Profile, plan: Plan, t_ms: int, generation: str, activation: str | None = None
) -> list[ActivationExplanation]:
    """Explain one activation, or all of the catalogue, at t_ms or the profile's last evaluation, whichever is later.

    The profile is not changed. Raises KeyError for an activation that is not approved.
    """
    ahead = copy_at(profile, plan, t_ms, generation)
    now = copy_of(ahead)
    governing = plan.activations.governing(now)
    chosen = list(governing.values()) if activation is None else [governing[activation]]
    view = View(max(t_ms, profile.evaluated_ms), now)
    looked = _look(now, plan, view)
    applying = {each.id: _refusals(now, plan, each, view, looked) for each in chosen}
    found = _look_ahead(ahead, plan, generation, chosen, applying)
    return [_explain(now, plan, each, view, looked, applying[each.id], found) for each in chosen]


def _look(profile: Profile, plan: Plan, view: View) -> dict[str, ContactRefusal | None]:
    before = plan.activations.told(profile)
    return {each.plan.id: each.refusal for each in look(plan, profile, view, plan.activations_mask, before)}


def _refusals(
    profile: Profile, plan: Plan, each: ActivationPlan, view: View, looked: Mapping[str, ContactRefusal | None]
) -> list[ContactRefusal]:
    """Return all refusals, in order of precedence; the slot of its group too, though something else refuses first."""
    found = all_refusals(each.questions, profile, view)
    first = looked[each.id]
    if not found:
        return [] if first is None else [first]
    slots = {one.slot for one in _rivals(profile, plan, each, looked)}
    return [*found, ContactRefusal(EXCLUSIVE, tuple(sorted(slots)), FOREVER)] if slots else found


def _rivals(
    profile: Profile, plan: Plan, each: ActivationPlan, looked: Mapping[str, ContactRefusal | None]
) -> list[ActivationPlan]:
    """Return the active activations of other journeys of its group."""
    if each.group is None:
        return []
    others = plan.activations.governing(profile).values()
    return [one for one in others if one.group == each.group and one.slot != each.slot and looked[one.id] is None]


def _look_ahead(
    profile: Profile, plan: Plan, generation: str, chosen: Sequence[ActivationPlan], applying: _Applying
) -> _Ahead:
    """Let the wakes of a copy fire until nothing more is asked."""
    found = _Ahead()
    waiting = {(name, each.code) for name, refusals in applying.items() for each in refusals if each.code in _OF_OTHERS}
    for _ in range(WAKES_AHEAD_MAX):
        if profile.wake_ms >= FOREVER or (not waiting and len(found.changes) == len(chosen)):
            break
        at_ms = profile.wake_ms
        changes = wake(profile, plan, at_ms, generation)
        for change in changes:
            if isinstance(change, ActivationChange) and change.activation in applying:
                by = tuple(orjson.loads(change.value)["reason"]["by"])
                told = NextActivation(change.effective_ms, change.activated, change.kind, by)
                found.changes.setdefault(change.activation, told)
        if changes and waiting:
            view = View(at_ms, profile)
            looked = _look(profile, plan, view)
            for each in chosen:
                still = {refusal.code for refusal in _refusals(profile, plan, each, view, looked)}
                over = {key for key in waiting if key[0] == each.id and key[1] not in still}
                found.ended |= dict.fromkeys(over, at_ms)
                waiting -= over
    return found


def _explain(
    profile: Profile,
    plan: Plan,
    each: ActivationPlan,
    view: View,
    looked: Mapping[str, ContactRefusal | None],
    refusals: Sequence[ContactRefusal],
    ahead: _Ahead,
) -> ActivationExplanation:
    definition = now = plan.catalogue.activations[each.id]
    if each.other and not each.nothing:
        definition = plan.catalogue.activations_before[each.id]
    restrictions = ((name, plan.catalogue.policy.restrictions[name].refuse) for name in sorted(definition.restricted))
    asked = Asked(
        each,
        definition,
        profile,
        view,
        tuple((name, refuse) for name, refuse in restrictions if refuse is not None),
        tuple(_rivals(profile, plan, each, looked)),
        goes_before=_goes_before(profile, plan, each, looked),
        consent=None if each.consent is None else consent_said(each.consent, view, profile),
    )
    standing = profile.activations.get(each.id)
    refusing = tuple(_refusing(asked, refusal, ahead.ended.get((each.id, refusal.code))) for refusal in refusals)
    active = not refusing
    arm = each.told.arm(profile.subject)
    because = [one.text for one in refusing] or ["nothing refuses it"]
    if now.pilot is not None:
        because.insert(0, governed_by(now.pilot, each.other, None if each.nothing else each.told.version))
    if active and each.group is not None:
        because.append(f"its journey {each.slot} has the slot of the group {each.group}")
    if active and asked.consent is not None:
        because.append(f"consent to {definition.consent_purpose} {asked.consent.text(view.t_ms)}")
    if active and arm is not None:
        because.append(f"it is assigned to the arm {arm}, for good")
    return ActivationExplanation(
        activation=each.id,
        channel=each.told.channel,
        journey=each.told.journey,
        group=each.group,
        arm=arm,
        t_ms=view.t_ms,
        active=active,
        was=None if standing is None else standing.was,
        because=tuple(because),
        refusals=refusing,
        ends=tuple(Ends(*ending) for ending in endings(asked)) if active else (),
        next=ahead.changes.get(each.id),
        consent=asked.consent,
    )


def _goes_before(
    profile: Profile, plan: Plan, each: ActivationPlan, looked: Mapping[str, ContactRefusal | None]
) -> bool:
    """Tell whether its journey would have the slot of its group if nothing else refused it."""
    if each.group is None:
        return False
    all_ = plan.activations.governing(profile).values()
    mates = [one for one in all_ if one.group == each.group and one is not each]
    free = [one for one in mates if (refusal := looked[one.id]) is None or refusal.code == EXCLUSIVE]
    holders = () if each.preempt else holders_of(each.group, profile, plan.activations.told(profile))
    return journey_with_slot([*free, each], holders, preempt=each.preempt) == each.slot


def _refusing(asked: Asked, refusal: ContactRefusal, ended_ms: int | None) -> Refusing:
    text, changes_it = SAYINGS[refusal.code](asked, refusal.by)
    until_ms = ended_ms if refusal.code == EXCLUSIVE else _sooner(ended_ms, _own_end(asked, refusal))
    return Refusing(refusal.code, refusal.by, text, changes_it, until_ms)


def _sooner(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _own_end(asked: Asked, refusal: ContactRefusal) -> int | None:
    """Return when a refusal ends that rests on facts, not on memberships; None: never by itself."""
    ask = dict(asked.plan.questions)[refusal.code]
    at_ms = refusal.next_ms
    for _ in range(WAKES_AHEAD_MAX):
        if at_ms >= FOREVER:
            return None
        by, next_ms = ask(asked.profile, View(at_ms, asked.profile))
        if by is None:
            return at_ms
        at_ms = next_ms
    return None

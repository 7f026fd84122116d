"""Say why an activation is active for a profile, all that refuses it, and what would change it next and when.

Read off the same questions that decide, at one instant; what comes next with no new event is found by letting the
profile's own wakes fire on a copy.
"""

from dataclasses import dataclass
from typing import Final

from rules.activations.change import ActivationChange
from rules.activations.decide import look
from rules.activations.plan import ActivationPlan
from rules.activations.refusals import EXCLUSIVE, Refusal, all_refusals
from rules.conditions.base import View
from rules.explain import WAKES_AHEAD_MAX, copy_at, copy_of
from rules.instants import FOREVER, format_instant
from rules.plan import Plan
from rules.profile import Profile
from rules.step import wake

TEXTS: Final = {
    "restricted": "a restriction refuses the profile: {by}",
    "audience": "the subject is of another kind than its audience",
    "market": "the profile's market is not one of its markets",
    "not_member": "the profile is not in the segments that it addresses",
    "content_not_approved": "its content is not approved: its review is pending, or was withdrawn",
    "content_expired": "its content has expired",
    "consent": "there is no consent to its channel and purpose",
    "suppressed_by": "suppressed while a member of {by}",
    "holdout": "the profile belongs to the holdout, for good",
    "frequency_cap": "a frequency cap is reached, counted by {by}",
    "exclusive_group": "another journey of its group has the slot: {by}",
}
"""One sentence a refusal."""
CHANGES_IT: Final = {
    "restricted": "the opt-out is taken back",
    "audience": "nothing: a subject keeps its kind",
    "market": "the market trait is set to one of its markets",
    "not_member": "the profile enters or leaves those segments",
    "content_not_approved": "a catalogue with approved content is applied",
    "content_expired": "a catalogue with a later expiry is applied",
    "consent": "a grant of consent comes",
    "suppressed_by": "the profile leaves {by}",
    "holdout": "nothing: assignment depends on nothing else",
    "frequency_cap": "enough of the messages are older than the cap's window",
    "exclusive_group": "{by} is refused itself, or a better activation of this journey is free",
}
"""What would end a refusal."""


@dataclass(frozen=True, slots=True)
class Refusing:
    """One refusal that applies."""

    code: str
    by: tuple[str, ...]
    text: str
    changes_it: str
    until_ms: int | None
    """When it ends with no event, were nothing else to come; None: time alone does not end it."""


@dataclass(frozen=True, slots=True)
class NextActivation:
    """The next change with no new event."""

    at_ms: int
    activated: bool
    kind: str


@dataclass(frozen=True, slots=True)
class ActivationExplanation:
    """One activation for one profile at `t_ms`."""

    activation: str
    channel: str
    journey: str | None
    arm: str | None
    t_ms: int
    active: bool
    was: str | None
    """The kind of its last deactivation."""
    because: tuple[str, ...]
    """Sentences: why it is so."""
    refusals: tuple[Refusing, ...]
    """All that apply, in order of precedence; the first is the reason."""
    next: NextActivation | None


def explain_activations(
    profile: Profile, plan: Plan, t_ms: int, generation: str, activation: str | None = None
) -> list[ActivationExplanation]:
    """Explain one activation, or all of the catalogue, at t_ms or the profile's last evaluation, whichever is later.

    The profile is not changed. Raises KeyError for an activation that is not approved.
    """
    by_id = plan.activations.by_id
    chosen = list(by_id.values()) if activation is None else [by_id[activation]]
    ahead = copy_at(profile, plan, t_ms, generation)
    now = copy_of(ahead, plan)
    following = _following(ahead, plan, generation, {each.id for each in chosen})
    view = View(max(t_ms, profile.evaluated_ms), now)
    looked = {each.plan.id: each.refusal for each in look(plan, now, view, plan.activations_mask, by_id)}
    return [_explain(now, plan, each, view, looked, following.get(each.id)) for each in chosen]


def _following(profile: Profile, plan: Plan, generation: str, wanted: set[str]) -> dict[str, NextActivation]:
    found: dict[str, NextActivation] = {}
    for _ in range(WAKES_AHEAD_MAX):
        if profile.wake_ms >= FOREVER or wanted <= found.keys():
            break
        for change in wake(profile, plan, profile.wake_ms, generation):
            if isinstance(change, ActivationChange):
                found.setdefault(change.activation, NextActivation(change.effective_ms, change.activated, change.kind))
    return found


def _explain(
    profile: Profile,
    plan: Plan,
    each: ActivationPlan,
    view: View,
    looked: dict[str, Refusal | None],
    following: NextActivation | None,
) -> ActivationExplanation:
    refusals = all_refusals(each.questions, profile, view)
    first = looked[each.id]
    if not refusals and first is not None:
        refusals = [first]
    elif refusals and each.group is not None:
        refusals += _beaten(plan, each, looked)
    standing = profile.activations.get(each.id)
    active = first is None
    because = ["nothing refuses it"] if active else [TEXTS[r.code].format(by=", ".join(r.by)) for r in refusals]
    if active and each.group is not None:
        because.append(f"its journey {each.slot} has the slot of the group {each.group}")
    if active and each.told.arms is not None:
        because.append(f"assigned to the arm {each.told.arm(profile.subject)}, for good")
    if following is not None:
        way = "begins" if following.activated else "ends"
        because.append(f"with no event it {way} at {format_instant(following.at_ms)} ({following.kind})")
    return ActivationExplanation(
        each.id,
        each.told.channel,
        each.told.journey,
        each.told.arm(profile.subject),
        view.t_ms,
        active,
        None if standing is None else standing.was,
        tuple(because),
        tuple(_refusing(refusal) for refusal in refusals),
        following,
    )


def _beaten(plan: Plan, each: ActivationPlan, looked: dict[str, Refusal | None]) -> list[Refusal]:
    """The journey that has the slot now, for one that something else refuses already."""
    others = plan.activations.by_id.values()
    slots = {one.slot for one in others if one.group == each.group and looked[one.id] is None}
    return [Refusal(EXCLUSIVE, tuple(sorted(slots - {each.slot})), FOREVER)] if slots - {each.slot} else []


def _refusing(refusal: Refusal) -> Refusing:
    by = ", ".join(refusal.by)
    return Refusing(
        refusal.code,
        refusal.by,
        TEXTS[refusal.code].format(by=by),
        CHANGES_IT[refusal.code].format(by=by),
        None if refusal.next_ms >= FOREVER or refusal.code == EXCLUSIVE else refusal.next_ms,
    )

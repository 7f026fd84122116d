"""Sentences about an activation: why each refusal applies and what would end it; and what would end an active one.

Instants stand apart from the sentences (`rules.explain.activations` finds them): here is only what, never when.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from rules.catalogue.activation import Activation
from rules.conditions.base import Node
from rules.conditions.view import View
from rules.engine.activations.plan import ActivationPlan
from rules.engine.activations.sends import SendCap
from rules.engine.profile import Profile
from rules.explain.consent import ConsentSaid
from rules.ground.instants import format_duration, format_instant
from rules.ground.reasons import RefusalCode


@dataclass(frozen=True, slots=True)
class Asked:
    """One activation and one profile at one instant."""

    plan: ActivationPlan
    definition: Activation
    profile: Profile
    view: View
    opt_outs: tuple[tuple[str, Node], ...]
    """The classes that restrict it, and the condition by which a profile opts out of each."""
    rivals: tuple[ActivationPlan, ...]
    """Active activations of other journeys of its group."""
    goes_before: bool
    """Whether its journey would have the slot, if nothing else refused it."""
    consent: ConsentSaid | None = None
    """The consent event that decides, where it requires consent."""


class Said(NamedTuple):
    """Why a refusal applies, and what would end it."""

    text: str
    changes_it: str


Saying: TypeAlias = Callable[[Asked, tuple[str, ...]], Said]
"""(activation and profile, what refuses) → what is said."""


def _restricted(asked: Asked, by: tuple[str, ...]) -> Said:
    opted_out = "; ".join(f"{each} ({text})" for each, text in _opt_outs(asked) if each in by)
    return Said(
        f"its segments use restricted data, and the profile opted out of that: {opted_out}",
        "the profile takes its opt-out back",
    )


def _audience(asked: Asked, by: tuple[str, ...]) -> Said:
    return Said(
        f"it is for {asked.definition.audience} profiles, this one is {asked.profile.kind}",
        "nothing: a profile keeps its kind",
    )


def _market(asked: Asked, by: tuple[str, ...]) -> Said:
    if asked.plan.nothing:
        return Said("its pilot leaves the profile out, and it has no version before", "the pilot takes the profile in")
    markets, trait = _or(asked.definition.markets), asked.plan.market_trait or ""
    value = asked.profile.trait(trait)
    here = "is not known" if value is None else f"is {value}"
    return Said(f"it is for {markets}; the profile's {trait} {here}", f"{trait} is set to {markets}")


def _not_member(asked: Asked, by: tuple[str, ...]) -> Said:
    missing, some, excluded = _not_fitting(asked)
    why = [f"not in {_and(missing)}"] if missing else []
    why += [f"in none of {_and(some)}"] if some else []
    why += [f"in {_and(excluded)}, which it excludes"] if excluded else []
    ends = [f"enters {_and(missing)}"] if missing else []
    ends += [f"enters {_or(some)}"] if some else []
    ends += [f"leaves {_and(excluded)}"] if excluded else []
    return Said(f"the profile is {' and '.join(why)}", f"the profile {' and '.join(ends)}")


def _content_not_approved(asked: Asked, by: tuple[str, ...]) -> Said:
    return Said(f"the review of its content is {asked.definition.review}", "a catalogue with approved content")


def _content_expired(asked: Asked, by: tuple[str, ...]) -> Said:
    expired = format_instant(asked.definition.review_expires_ms or 0)
    return Said(f"its content expired at {expired}", "a catalogue with a later expiry")


def _consent(asked: Asked, by: tuple[str, ...]) -> Said:
    definition = asked.definition
    what = f"{definition.consent_purpose} by {definition.channel}"
    state = "is not known" if asked.consent is None else asked.consent.text(asked.view.t_ms)
    return Said(f"consent to {what} {state}", f"the profile consents to {what}")


def _suppressed_by(asked: Asked, by: tuple[str, ...]) -> Said:
    return Said(f"suppressed while in {_and(by)}", f"the profile leaves {_and(by)}")


def _holdout(asked: Asked, by: tuple[str, ...]) -> Said:
    holdout = asked.definition.holdout
    share = f"{holdout.percent:g} %" if holdout is not None else "a share"
    return Said(f"the profile is in its holdout: {share} are never contacted", "nothing: the assignment is for good")


def _frequency_cap(asked: Asked, by: tuple[str, ...]) -> Said:
    reached = [cap for cap in asked.plan.caps if cap.reached(asked.view)[0]]
    counted = "; ".join(f"{_messages(_sent(cap, asked.view))} {_of(cap)}, at most {cap.at_most}" for cap in reached)
    return Said(counted, "enough of these messages grow older than that")


def _exclusive_group(asked: Asked, by: tuple[str, ...]) -> Said:
    group, priority = asked.plan.group, asked.plan.priority
    with_it = "; ".join(f"{each.id} has priority {each.priority}" for each in asked.rivals)
    text = f"the journey {_and(by)} has the slot of the group {group}: {with_it}, this one {priority}"
    if asked.goes_before:
        return Said(text, "no other refusal applies: it takes the slot then")
    return Said(text, f"the activations of {_and(by)} are refused, or one of this journey goes before them")


SAYINGS: Final[Mapping[RefusalCode, Saying]] = {
    "restricted": _restricted,
    "audience": _audience,
    "market": _market,
    "not_member": _not_member,
    "content_not_approved": _content_not_approved,
    "content_expired": _content_expired,
    "consent": _consent,
    "suppressed_by": _suppressed_by,
    "holdout": _holdout,
    "frequency_cap": _frequency_cap,
    "exclusive_group": _exclusive_group,
}
"""What is said about each refusal that is asked of a profile. An erased or merged one is asked nothing."""
FOR_GOOD: Final[frozenset[RefusalCode]] = frozenset({"audience", "holdout"})
"""Refusals that nothing ends."""


class Ending(NamedTuple):
    """Something that would end an active activation, and when, if time alone does it."""

    text: str
    at_ms: int | None = None


def endings(asked: Asked) -> Iterator[Ending]:
    """Yield what would end an active activation, in order of precedence."""
    definition, plan, profile = asked.definition, asked.plan, asked.profile
    for _, text in _opt_outs(asked):
        yield Ending(f"the profile opts out: {text}")
    if plan.market_trait is not None:
        yield Ending(f"{plan.market_trait} is set to another than {_or(definition.markets)}")
    named = definition.segments
    if named.all:
        yield Ending(f"the profile leaves {_or(named.all)}")
    inside = [each for each in named.any or () if profile.member_since(each) is not None]
    if inside:
        yield Ending(f"the profile leaves {_and(inside)}")
    if named.none:
        yield Ending(f"the profile enters {_or(named.none)}")
    if definition.review_expires_ms is not None:
        yield Ending("its content expires", definition.review_expires_ms)
    if definition.consent_purpose is not None:
        yield Ending(f"consent to {definition.consent_purpose} by {definition.channel} is withdrawn")
        if asked.consent is not None and asked.consent.until_ms is not None:
            yield Ending("its consent ends", asked.consent.until_ms)
    if definition.suppress_while:
        yield Ending(f"the profile enters {_or(sorted(definition.suppress_while))}")
    for cap in plan.caps:
        left = cap.at_most - _sent(cap, asked.view)
        yield Ending(f"{_messages(left, 'more ')} {_of(cap)}: at most {cap.at_most}")
    if plan.group is not None and plan.preempt:
        yield Ending(f"a journey of {plan.group} that goes before it (priority above {plan.priority}) becomes free")


def _opt_outs(asked: Asked) -> Iterator[tuple[str, str]]:
    for name, node in asked.opt_outs:
        yield name, "; ".join(leaf.describe() for leaf in node.conditions())


def _not_fitting(asked: Asked) -> tuple[list[str], list[str], list[str]]:
    """Return segments that it wants and are missing, segments of which it wants one, and segments that exclude it."""
    named, inside = asked.definition.segments, asked.profile.member_since
    missing = [each for each in named.all or () if inside(each) is None]
    some = [] if any(inside(each) is not None for each in named.any or ()) else list(named.any or ())
    return missing, some, [each for each in named.none or () if inside(each) is not None]


def _sent(cap: SendCap, view: View) -> int:
    entries = view.facts.state(cap.counter.state_key) or ()
    return sum(entry[0] > view.t_ms - cap.within_ms for entry in entries)


def _messages(count: int, more: str = "") -> str:
    return f"{count} {more}message{'' if count == 1 else 's'}"


def _of(cap: SendCap) -> str:
    return f"of {cap.counter.of} {cap.counter.value} within {format_duration(cap.within_ms)}"


def _and(names: Iterable[str]) -> str:
    return _joined(names, "and")


def _or(names: Iterable[str]) -> str:
    return _joined(names, "or")


def _joined(names: Iterable[str], word: str) -> str:
    *some, last = names
    return f"{', '.join(some)} {word} {last}" if some else last

"""An activation compiled for evaluation, and what can move it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rules.catalogue.activation import Activation, Arms
from rules.catalogue.catalogue import Catalogue
from rules.conditions.base import Node
from rules.conditions.consent import Consent
from rules.engine.activations.refusals import REFUSES, Given, Questions, questions_of
from rules.engine.activations.sends import Counters, SendCap, SendCounter, caps_of, counters_of
from rules.engine.pilots import Takes, takes_of
from rules.engine.profile import Profile
from rules.ground.assignment import arm_of

WAKE_PREFIX: Final = "@"
"""Stands before the id of an activation where the wakes of a profile are kept; no segment's id begins with it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a change says of an activation besides its reason."""

    id: str
    version: Any
    channel: str
    journey: str | None
    content: Mapping[str, Any]
    arms: Arms | None
    key: bytes
    """Key of the assignment; empty where nothing is assigned."""

    def arm(self, subject: str) -> str | None:
        """The arm of a profile; None: there are no arms."""
        return None if self.arms is None else arm_of(self.key, self.arms.salt, self.arms.weights, subject)

    def same(self, other: "Told", subject: str) -> bool:
        """Tell whether a consumer would learn nothing new about a profile for which it stays active."""
        if (self.version, self.journey, self.content) != (other.version, other.journey, other.content):
            return False
        return (self.arms, self.key) == (other.arms, other.key) or self.arm(subject) == other.arm(subject)


@dataclass(frozen=True, slots=True)
class ActivationPlan:
    """An approved activation as evaluation wants it."""

    id: str
    bit: int
    """Its bit in the masks of `rules.engine.masks`: above the bits of all segments."""
    group: str | None
    group_mask: int
    """The bits of all activations of its group (of a pilot: of both versions' groups), and its own bit."""
    slot: str
    priority: int
    preempt: bool
    told: Told
    questions: Questions
    segments: frozenset[str]
    """The segments whose memberships can move it."""
    wanted: tuple[str, ...]
    """Segments without a membership in any of which it refuses, whatever else is so; (): it asks for none."""
    market_trait: str | None
    """None: the market does not matter."""
    nodes: tuple[Node, ...]
    """Conditions that can move it."""
    caps: tuple[SendCap, ...]
    wake: str
    """Its name among a profile's wakes."""
    consent: Consent | None = None
    """What it asks of consent, for explanations."""
    other: bool = False
    """Whether it is the version before a pilot, or nothing in its place: `Standing.other` remembers it."""
    nothing: bool = False
    """Whether it stands for no definition at all: a pilot has no version before."""


@dataclass(frozen=True, slots=True)
class Activations:
    """All activations of a catalogue, compiled."""

    by_id: Mapping[str, ActivationPlan]
    """The approved activations, in the order of their ids; their bits have the same order."""
    dropped: Mapping[str, Told]
    """Activations that have a file and are not approved: what their `retired` says."""
    counters: tuple[SendCounter, ...]
    others: Mapping[str, ActivationPlan]
    """By id, of pilots: what governs the profiles outside."""
    takes: Mapping[str, Takes]
    """By id, of pilots: whether the new version governs a profile."""
    pilot_traits: Mapping[str, str]
    """By id, of pilots by market: the trait that moves profiles between the versions."""
    first_position: int
    """The position of the first of their bits."""
    mates: tuple[tuple[int, frozenset[str]], ...]
    """By position among them: those that share a group with it, itself among them, as a mask of positions and as ids.
    """
    asking: Mapping[str, frozenset[str]]
    """By segment: the ids of those that refuse without a membership in it, or in another one that they name."""
    asking_none: frozenset[str]
    """The ids of those that ask for no membership."""
    of_wake: Mapping[str, str]
    """By name of a wake: the id."""

    def chosen(self, mask: int) -> frozenset[str]:
        """Return the ids of the activations of a mask, and of all that share a group with one of them."""
        found: frozenset[str] = frozenset()
        known_mask = 0
        rest = mask >> self.first_position
        while rest:
            lowest = rest & -rest
            rest ^= lowest
            mates_mask, mates = self.mates[lowest.bit_length() - 1]
            if mates_mask & ~known_mask:  # mostly one group was moved, by several of its activations
                known_mask |= mates_mask
                found = found | mates if found else mates
        return found

    def governing(self, profile: Profile) -> Mapping[str, ActivationPlan]:
        """Return the approved activations by id, each in the version that governs a profile."""
        if not self.takes:
            return self.by_id
        outside = {name: self.others[name] for name, takes in self.takes.items() if not takes(profile)}
        return {name: outside.get(name, each) for name, each in self.by_id.items()}

    def told(self, profile: Profile) -> Mapping[str, ActivationPlan]:
        """Return them by id, those that are active each in the version that was told last."""
        if not self.takes:
            return self.by_id
        active = ((name, standing) for name, standing in profile.activations.items() if standing.active)
        told = {name: self.others[name] for name, standing in active if standing.other and name in self.others}
        return {**self.by_id, **told}


NO_ACTIVATIONS: Final = Activations({}, {}, (), {}, {}, {}, 0, (), {}, frozenset(), {})
"""What there is before the first catalogue."""


def compile_activations(catalogue: Catalogue, first_position: int) -> Activations:
    """Compile the activations of a catalogue; their bits begin at `first_position`."""
    counters = counters_of(catalogue)
    approved = sorted(catalogue.approved_activations)
    bits = {name: 1 << first_position + index for index, name in enumerate(approved)}
    before = catalogue.activations_before
    groups: dict[str, int] = {}
    for name in approved:
        for each in (catalogue.activations[name], before.get(name)):
            if each is not None and each.exclusive_group is not None:
                groups[each.exclusive_group] = groups.get(each.exclusive_group, 0) | bits[name]
    by_id = {name: _compiled(catalogue.activations[name], catalogue, counters, bits[name], groups) for name in approved}
    pilots = {name: pilot for name in approved if (pilot := catalogue.activations[name].pilot) is not None}
    trait = catalogue.policy.market_trait
    others = {
        name: replace(_compiled(before[name], catalogue, counters, bits[name], groups), other=True)
        if name in before
        else _nothing(by_id[name])
        for name in pilots
    }
    versions = (*by_id.values(), *others.values())
    asking: defaultdict[str, set[str]] = defaultdict(set)
    for version in versions:
        for segment in version.wanted:
            asking[segment].add(version.id)
    return Activations(
        by_id=by_id,
        dropped={
            name: _told(each, catalogue) for name, each in catalogue.activations.items() if each.status != "approved"
        },
        counters=tuple(counters.values()),
        others=others,
        takes={name: takes_of(pilot, catalogue.policy) for name, pilot in pilots.items()},
        pilot_traits={name: trait for name, pilot in pilots.items() if pilot.markets is not None and trait is not None},
        first_position=first_position,
        mates=tuple(
            (
                each.group_mask >> first_position,
                frozenset(other.id for other in by_id.values() if other.bit & each.group_mask),
            )
            for each in by_id.values()
        ),
        asking={segment: frozenset(names) for segment, names in asking.items()},
        asking_none=frozenset(each.id for each in versions if not each.wanted),
        of_wake={each.wake: each.id for each in by_id.values()},
    )


def _nothing(now: ActivationPlan) -> ActivationPlan:
    """Return a plan that refuses everybody with `market`: what governs outside a pilot that has no version before."""
    return replace(
        now,
        group=None,
        questions=(("market", lambda profile, view: REFUSES),),
        segments=frozenset(),
        wanted=(),
        market_trait=None,
        nodes=(),
        caps=(),
        other=True,
        nothing=True,
    )


def _groups_of(activation: Activation, catalogue: Catalogue) -> set[str]:
    """Return the exclusive groups of an activation, of a pilot those of both versions."""
    versions = (catalogue.activations[activation.id], catalogue.activations_before.get(activation.id))
    return {each.exclusive_group for each in versions if each is not None and each.exclusive_group is not None}


def _compiled(
    activation: Activation, catalogue: Catalogue, counters: Counters, bit: int, groups: Mapping[str, int]
) -> ActivationPlan:
    policy, group = catalogue.policy, activation.exclusive_group
    restrictions = ((name, policy.restrictions[name].refuse) for name in sorted(activation.restricted))
    given = Given(
        activation,
        catalogue,
        caps_of(activation, catalogue, counters),
        _consent(activation),
        tuple((name, refuse) for name, refuse in restrictions if refuse is not None),
    )
    named = activation.segments
    group_mask = bit
    for each in _groups_of(activation, catalogue):
        group_mask |= groups[each]
    return ActivationPlan(
        id=activation.id,
        bit=bit,
        group=group,
        group_mask=group_mask,
        slot=activation.slot,
        priority=activation.priority,
        preempt=group is None or policy.preempt.get(group, True),
        told=_told(activation, catalogue),
        questions=questions_of(given),
        segments=frozenset(
            (*(named.all or ()), *(named.any or ()), *(named.none or ()), *activation.suppress_while),
        ),
        wanted=tuple(named.any or (named.all or ())[:1]),
        market_trait=policy.market_trait if activation.markets else None,
        nodes=(*(refuse for _, refuse in given.refuse), *(() if given.consent is None else (given.consent,))),
        caps=given.caps,
        wake=WAKE_PREFIX + activation.id,
        consent=given.consent,
    )


def _told(activation: Activation, catalogue: Catalogue) -> Told:
    return Told(
        activation.id,
        activation.version,
        activation.channel,
        activation.journey,
        activation.content,
        activation.arms,
        b"" if activation.arms is None or catalogue.policy.key is None else catalogue.policy.key.known().encode(),
    )


def _consent(activation: Activation) -> Consent | None:
    purpose = activation.consent_purpose
    if purpose is None:
        return None
    subject = {"channel": activation.channel, "purpose": purpose}
    return Consent({"consent": subject}, activation.channel, purpose, "granted")

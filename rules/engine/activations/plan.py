"""An activation compiled for evaluation, and what can move it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.catalogue.activation import Activation, Arms
from rules.catalogue.catalogue import Catalogue
from rules.conditions.base import Node
from rules.conditions.consent import Consent
from rules.engine.activations.assignment import arm_of
from rules.engine.activations.refusals import Given, Questions, questions_of
from rules.engine.activations.sends import Counters, SendCap, SendCounter, caps_of, counters_of

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
    """The bits of all activations of its group; without a group, its own bit."""
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


@dataclass(frozen=True, slots=True)
class Activations:
    """All activations of a catalogue, compiled."""

    by_id: Mapping[str, ActivationPlan]
    """The approved activations, in the order of their ids; their bits have the same order."""
    dropped: Mapping[str, Told]
    """Activations that have a file and are not approved: what their `retired` says."""
    counters: tuple[SendCounter, ...]


def compile_activations(catalogue: Catalogue, first_position: int) -> Activations:
    """Compile the activations of a catalogue; their bits begin at `first_position`."""
    counters = counters_of(catalogue)
    approved = sorted(name for name, each in catalogue.activations.items() if each.status == "approved")
    bits = {name: 1 << first_position + index for index, name in enumerate(approved)}
    groups: dict[str, int] = {}
    for name in approved:
        group = catalogue.activations[name].exclusive_group
        if group is not None:
            groups[group] = groups.get(group, 0) | bits[name]
    return Activations(
        by_id={
            name: _compiled(catalogue.activations[name], catalogue, counters, bits[name], groups) for name in approved
        },
        dropped={
            name: _told(each, catalogue) for name, each in catalogue.activations.items() if each.status != "approved"
        },
        counters=tuple(counters.values()),
    )


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
    return ActivationPlan(
        id=activation.id,
        bit=bit,
        group=group,
        group_mask=bit if group is None else groups[group],
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

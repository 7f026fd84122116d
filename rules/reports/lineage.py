"""Which fields reach which segments and activations, read off the definitions; restricted fields are marked.

A field is a trait, an event type, or an attribute of an event's data. A field reaches a segment through the segment's
rules, its markets, or a restriction that may refuse. An event that says `reaches` goes on as the event that is told; an
affiliation brings what an organisation tells. A segment reaches the segments and activations that name it. Only
approved segments and activations count: no other decides anything.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from rules.catalogue.activation import Activation
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.mentions import mentions
from rules.catalogue.segment import Segment, references
from rules.conditions.mention import Mention
from rules.language.dictionary import ENDED, GRANTED, REPLIED, SENT, STARTED, WITHDRAWN, EventDeclaration
from rules.language.reaches import ORGANISATION

NodeKind: TypeAlias = Literal["event", "attribute", "trait", "segment", "activation"]
CONSENT_EVENTS: Final = (GRANTED, WITHDRAWN, REPLIED)


class Place(NamedTuple):
    """One node of the picture. An attribute is named `event type: path`."""

    kind: NodeKind
    name: str


@dataclass(frozen=True, slots=True)
class Reach:
    """All that one field reaches."""

    field: Place
    restricted: tuple[str, ...]
    """The classes that the dictionary gives it, its event, and the traits that it sets."""
    traits: tuple[str, ...]
    """The traits that it sets."""
    told_as: tuple[str, ...]
    """The events as which it is told to others, where it is told of an organisation."""
    segments: tuple[str, ...]
    activations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """The picture of a catalogue: edges in the direction in which facts flow, and what each field reaches."""

    edges: tuple[tuple[Place, Place], ...]
    reaches: tuple[Reach, ...]
    """Fields that reach anything, by kind and name."""


def lineage(catalogue: Catalogue) -> Lineage:
    """Trace every declared field of a catalogue."""
    edges = sorted(set(_edges(catalogue)))
    targets: defaultdict[Place, list[Place]] = defaultdict(list)
    for source, target in edges:
        targets[source].append(target)
    reaches = []
    for field, own in _fields(catalogue):
        found = _reached(field, targets)
        names = {kind: tuple(sorted(each.name for each in found if each.kind == kind)) for kind in FLOW}
        if names["segment"] or names["activation"]:
            traits = catalogue.dictionary.traits
            classes = own | {traits[name].restricted for name in names["trait"]}
            classes |= {catalogue.dictionary.events[name].restricted for name in names["event"]}
            told = tuple(sorted(each for each in classes if each is not None))
            reaches.append(Reach(field, told, names["trait"], names["event"], names["segment"], names["activation"]))
    kept = {reach.field for reach in reaches}
    decides = ("segment", "activation")
    return Lineage(
        tuple(edge for edge in edges if edge[0] in kept or edge[0].kind in decides),
        tuple(sorted(reaches, key=lambda reach: reach.field)),
    )


FLOW: Final[tuple[NodeKind, ...]] = ("trait", "event", "segment", "activation")


def _reached(field: Place, targets: Mapping[Place, list[Place]]) -> set[Place]:
    found: set[Place] = set()
    waiting = [field]
    while waiting:
        for target in targets.get(waiting.pop(), ()):
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


def _fields(catalogue: Catalogue) -> Iterator[tuple[Place, set[str | None]]]:
    for name, trait in catalogue.dictionary.traits.items():
        yield Place("trait", name), {trait.restricted}
    for name, event in catalogue.dictionary.events.items():
        yield Place("event", name), {event.restricted}
        for path, attribute in event.data.items():
            yield attribute_of(name, path), {attribute.restricted, event.restricted}


def attribute_of(event: str, path: str) -> Place:
    """Name an attribute of an event's data."""
    return Place("attribute", f"{event}: {path}")


def _edges(catalogue: Catalogue) -> Iterator[tuple[Place, Place]]:
    for name, event in catalogue.dictionary.events.items():
        for trait, path in event.sets.items():
            yield attribute_of(name, path), Place("trait", trait)
        if event.reaches is not None:
            yield from _told(name, event, event.reaches.told_as, catalogue.dictionary.events[event.reaches.told_as])
    for segment in (version for name in catalogue.approved for version in catalogue.versions(name)):
        target = Place("segment", segment.id)
        yield from _named(references(segment.raw), target)
        yield from _refusing(catalogue, catalogue.restricted[segment.id], target)
        yield from _by_market(catalogue, segment, target)
    for activation in (*catalogue.activations.values(), *catalogue.activations_before.values()):
        if activation.status == "approved":
            yield from _into(catalogue, activation)


def _told(name: str, event: EventDeclaration, told_as: str, told: EventDeclaration) -> Iterator[tuple[Place, Place]]:
    """Yield how the event of an organisation, and the ties to the organisation, flow into the event that is told."""
    target = Place("event", told_as)
    yield Place("event", name), target
    for path in event.data:
        if path in told.data or path in told.sets.values():
            yield attribute_of(name, path), attribute_of(told_as, path)
    for tie in (STARTED, ENDED):
        yield Place("event", tie), target
        yield attribute_of(tie, ORGANISATION), attribute_of(told_as, ORGANISATION)


def _into(catalogue: Catalogue, activation: Activation) -> Iterator[tuple[Place, Place]]:
    target = Place("activation", activation.id)
    named = activation.segments
    for segment in (*(named.all or ()), *(named.any or ()), *(named.none or ()), *activation.suppress_while):
        yield Place("segment", segment), target
    yield from _refusing(catalogue, activation.restricted, target)
    yield from _by_market(catalogue, activation, target)
    policy = catalogue.policy
    if activation.consent_purpose is not None:
        for event in CONSENT_EVENTS:
            yield Place("event", event), target
    counted = {cap.of for cap in activation.frequency_caps}
    if any(cap.channel == activation.channel for cap in policy.caps):
        counted.add("channel")
    for of in counted:
        yield Place("event", SENT), target
        yield attribute_of(SENT, of), target


def _by_market(catalogue: Catalogue, each: Segment | Activation, target: Place) -> Iterator[tuple[Place, Place]]:
    """Yield the market trait where it decides: for whom the definition is, or which version of it governs."""
    asked = each.markets or (each.pilot is not None and each.pilot.markets is not None)
    if asked and catalogue.policy.market_trait is not None:
        yield Place("trait", catalogue.policy.market_trait), target


def _refusing(catalogue: Catalogue, classes: Iterable[str], target: Place) -> Iterator[tuple[Place, Place]]:
    for name in classes:
        restriction = catalogue.policy.restrictions.get(name)
        if restriction is not None:
            yield from _named(mentions(restriction.refuse_raw, ()), target)


def _named(named: Iterable[Mention], target: Place) -> Iterator[tuple[Place, Place]]:
    for mention in named:
        if mention.kind == "field":
            yield attribute_of(mention.name, mention.field), target
        else:
            yield Place(mention.kind, mention.name), target
            if mention.path[-1] == "consent":
                # a reply STOP withdraws consent, too
                yield Place("event", REPLIED), target

"""Which fields reach which segments, activations and topics; which of them are restricted."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.language.dictionary import NO_FACTS
from rules.reports.lineage import Lineage, Place, lineage
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics


@dataclass(frozen=True, slots=True)
class FieldReach:
    """All that one field reaches; every tuple is sorted."""

    kind: str
    """`event`, `attribute` or `trait`."""
    field: str
    restricted: tuple[str, ...]
    """The classes that restrict it."""
    traits: tuple[str, ...]
    """The traits that it sets."""
    told_as: tuple[str, ...]
    """The events as which it is told to others, where it is told of an organisation."""
    segments: tuple[str, ...]
    activations: tuple[str, ...]
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TracedLineage:
    """The lineage of a catalogue, up to the topics of a deployment."""

    catalogue: str
    """Hash of the catalogue."""
    fields: tuple[FieldReach, ...]
    """Fields that reach anything, by kind and name."""
    restricted: Mapping[Place, tuple[str, ...]]
    """Restricted fields, segments and activations, each with its classes."""
    edges: tuple[tuple[Place, Place], ...]
    """From a fact to what is made of it."""
    everything: tuple[str, ...]
    """Events that move whole profiles: links and erasures reach every segment, activation and topic."""
    published: tuple[tuple[Place, str], ...]
    """From a segment or an activation to each topic that its changes are published to."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "catalogue": self.catalogue,
            "fields": [
                {
                    "kind": each.kind,
                    "field": each.field,
                    "restricted": each.restricted,
                    "traits": each.traits,
                    "told_as": each.told_as,
                    "segments": each.segments,
                    "activations": each.activations,
                    "topics": each.topics,
                }
                for each in self.fields
            ],
            "restricted": [
                {"kind": place.kind, "name": place.name, "classes": classes}
                for place, classes in sorted(self.restricted.items())
            ],
            "everything": self.everything,
            "edges": [{"from": list(source), "to": list(target)} for source, target in self.edges],
        }


def trace_lineage(catalogue: Catalogue, deployment: Deployment) -> TracedLineage:
    """Trace every declared field of a catalogue to the topics of a deployment. Asks no server."""
    traced = lineage(catalogue)
    fields = (
        FieldReach(
            reach.field.kind,
            reach.field.name,
            reach.restricted,
            reach.traits,
            reach.told_as,
            reach.segments,
            reach.activations,
            _topics(catalogue, reach.segments, reach.activations, deployment),
        )
        for reach in traced.reaches
    )
    return TracedLineage(
        catalogue.hash,
        tuple(fields),
        _restricted(catalogue, traced),
        traced.edges,
        tuple(sorted(NO_FACTS)),
        tuple(_published(catalogue, traced, deployment)),
    )


def _topics(
    catalogue: Catalogue, segments: Iterable[str], activations: Iterable[str], deployment: Deployment
) -> tuple[str, ...]:
    """Return the topics that the changes of segments and activations are published to."""
    restricted, open_ = restricted_topics(deployment)[0], deployment.membership_topic
    names = {restricted if catalogue.is_hidden(segment) else open_ for segment in segments}
    names |= {channel_topics(deployment, catalogue.activations[name].channel)[0] for name in activations}
    return tuple(sorted(names))


def _published(catalogue: Catalogue, traced: Lineage, deployment: Deployment) -> Iterator[tuple[Place, str]]:
    decides = {place for edge in traced.edges for place in edge if place.kind in ("segment", "activation")}
    for place in sorted(decides):
        segments, activations = ([place.name], []) if place.kind == "segment" else ([], [place.name])
        for topic in _topics(catalogue, segments, activations, deployment):
            yield place, topic


def _restricted(catalogue: Catalogue, traced: Lineage) -> dict[Place, tuple[str, ...]]:
    found: dict[Place, Iterable[str]] = {reach.field: reach.restricted for reach in traced.reaches}
    found |= {Place("segment", name): catalogue.restricted[name] for name in catalogue.order}
    activations = (each for each in catalogue.approved_activations.values())
    found |= {Place("activation", each.id): each.restricted for each in activations}
    return {place: tuple(sorted(classes)) for place, classes in found.items() if classes}

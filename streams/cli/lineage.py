"""`segue check --lineage`: which fields reach which segment, activation and topic; restricted ones are marked."""

from collections.abc import Iterable
from typing import Any, Final

from rich.text import Text

from rules.catalogue.catalogue import Catalogue
from rules.reports.lineage import Lineage, Place, Reach, lineage
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics

_SHAPES: Final = {
    "event": ('["', '"]'),
    "attribute": ('["', '"]'),
    "trait": ('("', '")'),
    "segment": ('{{"', '"}}'),
    "activation": ('(["', '"])'),
    "topic": ('[("', '")]'),
}
"""How Mermaid draws each kind of node."""


def topics_of(
    catalogue: Catalogue, found: Iterable[str], activations: Iterable[str], deployment: Deployment
) -> list[str]:
    """Name the topics of changes that segments and activations are published to."""
    names = {_membership_topic(catalogue, segment, deployment) for segment in found}
    names |= {channel_topics(deployment, catalogue.activations[name].channel)[0] for name in activations}
    return sorted(names)


def _membership_topic(catalogue: Catalogue, segment: str, deployment: Deployment) -> str:
    return restricted_topics(deployment)[0] if catalogue.is_hidden(segment) else deployment.membership_topic


def lineage_json(catalogue: Catalogue, deployment: Deployment) -> dict[str, Any]:
    """For programs."""
    traced = lineage(catalogue)
    return {
        "catalogue": catalogue.hash,
        "fields": [_reach_json(catalogue, reach, deployment) for reach in traced.reaches],
        "restricted": [
            {"kind": kind, "name": name, "classes": classes}
            for (kind, name), classes in sorted(_restricted(catalogue, traced).items())
        ],
        "edges": [{"from": list(source), "to": list(target)} for source, target in traced.edges],
    }


def _reach_json(catalogue: Catalogue, reach: Reach, deployment: Deployment) -> dict[str, Any]:
    return {
        "kind": reach.field.kind,
        "field": reach.field.name,
        "restricted": reach.restricted,
        "traits": reach.traits,
        "segments": reach.segments,
        "activations": reach.activations,
        "topics": topics_of(catalogue, reach.segments, reach.activations, deployment),
    }


def show(catalogue: Catalogue, deployment: Deployment) -> None:
    """Show a table: a row a field."""
    shown = table("field", "restricted", "sets", "segments", "activations", "topics")
    for reach in lineage(catalogue).reaches:
        shown.add_row(
            *row(
                [
                    f"{reach.field.kind} {reach.field.name}",
                    Text(", ".join(reach.restricted), "bold red"),
                    ", ".join(reach.traits),
                    ", ".join(reach.segments),
                    ", ".join(reach.activations),
                    ", ".join(topics_of(catalogue, reach.segments, reach.activations, deployment)),
                ]
            )
        )
    out.print(shown)


def mermaid(catalogue: Catalogue, deployment: Deployment) -> str:
    """Draw it as a Mermaid flowchart, from fields to topics."""
    traced = lineage(catalogue)
    classes = _restricted(catalogue, traced)
    names: dict[tuple[str, str], str] = {}
    lines = ["flowchart LR"]

    def node(kind: str, name: str) -> str:
        if (kind, name) not in names:
            names[kind, name] = f"n{len(names)}"
            opens, closes = _SHAPES[kind]
            # a class is told by name, too: not everybody sees red
            told = "<br/>".join(map(_label, [name, *classes.get((kind, name), ())]))
            lines.append(f"  {names[kind, name]}{opens}{told}{closes}")
        return names[kind, name]

    for source, target in traced.edges:
        lines.append(f"  {node(*source)} --> {node(*target)}")
    for source, topic in _into_topics(catalogue, traced, deployment):
        lines.append(f"  {node(*source)} --> {node('topic', topic)}")
    marked = [names[place] for place in classes if place in names]
    if marked:
        lines += ["  classDef restricted stroke:#c00,stroke-width:3px", f"  class {','.join(marked)} restricted"]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;")


def _into_topics(catalogue: Catalogue, traced: Lineage, deployment: Deployment) -> list[tuple[Place, str]]:
    decides = {place for edge in traced.edges for place in edge if place.kind in ("segment", "activation")}
    return [
        (place, topic)
        for place in sorted(decides)
        for topic in topics_of(
            catalogue,
            [place.name] if place.kind == "segment" else [],
            [place.name] if place.kind == "activation" else [],
            deployment,
        )
    ]


def _restricted(catalogue: Catalogue, traced: Lineage) -> dict[tuple[str, str], list[str]]:
    """The restricted fields, segments and activations, each with its classes."""
    found: dict[tuple[str, str], Iterable[str]] = {reach.field: reach.restricted for reach in traced.reaches}
    found |= {("segment", name): catalogue.restricted[name] for name in catalogue.order}
    activations = (each for each in catalogue.activations.values() if each.status == "approved")
    found |= {("activation", each.id): each.restricted for each in activations}
    return {place: sorted(classes) for place, classes in found.items() if classes}

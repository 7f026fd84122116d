"""The lineage of a catalogue as a Mermaid flowchart, from fields to topics."""

from typing import Final

from streams.operations.lineage import TracedLineage

_SHAPES: Final = {
    "event": ('["', '"]'),
    "attribute": ('["', '"]'),
    "trait": ('("', '")'),
    "segment": ('{{"', '"}}'),
    "activation": ('(["', '"])'),
    "topic": ('[("', '")]'),
}
"""How Mermaid draws each kind of node."""


def mermaid(traced: TracedLineage) -> str:
    """Return the text of the flowchart. Deterministic."""
    classes: dict[tuple[str, str], tuple[str, ...]] = {
        (place.kind, place.name): found for place, found in traced.restricted.items()
    }
    names: dict[tuple[str, str], str] = {}
    lines = ["flowchart LR"]

    def node(kind: str, name: str) -> str:
        if (kind, name) not in names:
            names[kind, name] = f"n{len(names)}"
            opens, closes = _SHAPES[kind]
            # the class stands in the text, too: not everybody sees red
            told = "<br/>".join(map(_label, [name, *classes.get((kind, name), ())]))
            lines.append(f"  {names[kind, name]}{opens}{told}{closes}")
        return names[kind, name]

    for source, target in traced.edges:
        lines.append(f"  {node(*source)} --> {node(*target)}")
    for source, topic in traced.published:
        lines.append(f"  {node(*source)} --> {node('topic', topic)}")
    marked = [names[place] for place in classes if place in names]
    if marked:
        lines += ["  classDef restricted stroke:#c00,stroke-width:3px", f"  class {','.join(marked)} restricted"]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;")

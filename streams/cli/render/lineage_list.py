"""The lineage of a catalogue for people: a paragraph for each field."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import out
from streams.operations.lineage import TracedLineage

_LABEL_WIDTH: Final = 13


def show_lineage(traced: TracedLineage) -> None:
    """Show each field with its restrictions, and below it what it sets and reaches."""
    for each in traced.fields:
        marks = f"  restricted: {', '.join(each.restricted)}" if each.restricted else ""
        write_sentence(Text.assemble((f"{each.kind} {each.field}", "bold"), (marks, "bold red")))
        _show_names("sets traits", each.traits)
        _show_names("told as", each.told_as)
        _show_names("segments", each.segments)
        _show_names("activations", each.activations)
        _show_names("topics", each.topics)
        out.print()
    write_sentence(Text(f"{', '.join(traced.everything)} reach every segment, activation and topic.", "dim"))


def _show_names(label: str, names: Sequence[str]) -> None:
    if names:
        line = Text.assemble((label.ljust(_LABEL_WIDTH), "dim"), ", ".join(names))
        write_sentence(line, indent=2, hanging=_LABEL_WIDTH)

"""What two catalogues say differently: for a terminal, and as Markdown for a review."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich.text import Text

from rules.reports.definition_changes import DefinitionChange
from rules.reports.value_changes import Change
from streams.cli.render.sentences import write_sentence
from streams.operations.diff import Compared

STYLES: Final[Mapping[str, str]] = {
    "new": "green",
    "came": "green",
    "changed": "yellow",
    "moved": "yellow",
    "retired": "red",
    "gone": "red",
    "went": "red",
}
SAME: Final = "They mean the same: nothing would change."


def show_diff(compared: Compared) -> None:
    """Show every definition that differs, with a line for each thing that does."""
    write_sentence(Text(f"From {compared.old.title} to {compared.new.title}:", "bold"))
    if not compared.changes:
        write_sentence(SAME)
    for each in compared.changes:
        write_sentence(
            Text.assemble(
                (f"{each.kind} ", ""), (each.id, "bold"), f"{_versions(each)}: ", (each.way, STYLES.get(each.way, ""))
            )
        )
        if each.means:
            write_sentence(each.means, indent=2)
        for change in each.changes:
            _show(change)


def _show(change: Change) -> None:
    write_sentence(Text.assemble((f"{change.at}  ", "dim"), (change.way, STYLES[change.way])), indent=2)
    for word, said in (("was", change.was), ("is", change.now)):
        if said:
            write_sentence(Text.assemble((f"{word:3}  ", "dim"), said), indent=4, hanging=5)
    if change.parts:
        parts = "; ".join(each.said for each in change.parts)
        write_sentence(Text.assemble(("so   ", "dim"), (parts, "bold")), indent=4, hanging=5)


def markdown(compared: Compared) -> str:
    """Write the comparison as Markdown: a heading for each definition, a row for each thing that differs."""
    return "\n".join(_lines(compared)) + "\n"


def _lines(compared: Compared) -> Iterator[str]:
    yield "# What changes"
    yield ""
    yield f"From {compared.old.title} to {compared.new.title}."
    if not compared.changes:
        yield ""
        yield SAME
    for each in compared.changes:
        yield ""
        yield f"## {each.kind} `{each.id}`{_versions(each)}: {each.way}"
        if each.means:
            yield ""
            yield f"{_escaped(each.means[:1].upper() + each.means[1:])}."
        if each.changes:
            yield ""
            yield "| where | | was | is |"
            yield "|---|---|---|---|"
        for change in each.changes:
            parts = "; ".join(each.said for each in change.parts)
            way = f"{change.way}: {_escaped(parts)}" if parts else change.way
            yield f"| `{change.at}` | {way} | {_escaped(change.was)} | {_escaped(change.now)} |"


def _versions(each: DefinitionChange) -> str:
    was, now = each.versions
    if was is None or now is None:
        number = now if was is None else was
        return "" if number is None else f" version {number}"
    return f" version {was}" if was == now else f" version {was} → {now}"


def _escaped(text: str) -> str:
    """Keep a text from ending its cell or becoming markup."""
    for mark in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())

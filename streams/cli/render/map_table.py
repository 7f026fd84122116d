"""The message map on a terminal: the map itself, then what somebody should look at."""

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from rules.reports import map_words as words
from rules.reports.message_map import MappedActivation, MessageMap
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out

TABLE_WIDTH_MIN: Final = 100
"""Columns below which a table would break words: then each message is a paragraph."""
NAME_WIDTH_MAX: Final = 34
"""An activation's id up to here stands on one line."""


def show_map(drawn: MessageMap) -> None:
    """Show the map, then gaps, pairs that cover twice, and content to look at."""
    if out.width >= TABLE_WIDTH_MIN:
        out.print(map_table(drawn))
    else:
        show_paragraphs(drawn)
    gaps = [(words.where(gap), words.what(gap, drawn)) for gap in drawn.gaps]
    _show_list("Gaps", "yellow", gaps)
    _show_list("Covered twice", "red", [("", words.twice(each)) for each in drawn.doubles])
    content = [(each.activation.id, said) for each in drawn.messages if (said := words.content(each)) is not None]
    _show_list("Content to look at", "red", content)
    write_sentence(f"{words.summary(drawn)}.")


def map_table(drawn: MessageMap) -> Table:
    """Make the table of the map: two lines an activation; no word breaks at TABLE_WIDTH_MIN columns."""
    shown = table("stage", "channel", "activation\njourney", "topic\ndepth · evidence", "call to action\nasset")
    shown.padding = (0, 1, 0, 0)
    longest = max((len(each.activation.id) for each in drawn.messages), default=0)
    shown.columns[2].min_width = min(NAME_WIDTH_MAX, longest)
    for audience, stages in drawn.stages:
        shown.add_row(Text(audience, "bold"))
        for stage in stages:
            if not drawn.shows(audience, stage):
                continue
            found = drawn.cell(audience, stage)
            if not found:
                shown.add_row(*row([f"  {stage}", "", _nothing(drawn, audience, stage)]))
            for number, each in enumerate(found):
                shown.add_row(*_cells("" if number else f"  {stage}", each))
        shown.add_section()
    return shown


def show_paragraphs(drawn: MessageMap) -> None:
    """Show the map as paragraphs: an audience, its stages, at each stage its messages."""
    for audience, stages in drawn.stages:
        out.print(Text(audience, "bold"))
        for stage in stages:
            if not drawn.shows(audience, stage):
                continue
            found = drawn.cell(audience, stage)
            if not found:
                write_sentence(Text.assemble(f"{stage}  ", _nothing(drawn, audience, stage)), indent=2)
                continue
            write_sentence(stage, indent=2)
            for each in found:
                _show_message(each)
        out.print()


def _show_message(message: MappedActivation) -> None:
    activation = message.activation
    journey = "" if activation.journey is None else f"  {activation.journey}"
    looked_at = words.content(message)
    warning = "" if looked_at is None else f"  {looked_at}"
    name_style, warning_style = ("", "yellow") if message.speaks else ("dim", "red")
    head = Text.assemble(
        f"{activation.channel}  ", (activation.id, name_style), (journey, "dim"), (warning, warning_style)
    )
    write_sentence(head, indent=4)
    said = [each for each in (message.says("topic"), _evidence(message)) if each]
    calls = [each for each in (message.says("call_to_action"), message.says("asset")) if each]
    for parts in (said, calls):
        if parts:
            write_sentence(Text(" · ".join(parts), "dim"), indent=6)


def _nothing(drawn: MessageMap, audience: str, stage: str) -> Text:
    return Text(words.nothing(drawn, audience, stage), "yellow" if drawn.is_gap(audience, stage) else "dim")


def _cells(stage: str, message: MappedActivation) -> list[Text]:
    activation = message.activation
    name = Text.assemble((activation.id, "" if message.speaks else "dim"))
    looked_at = words.content(message)
    if looked_at is not None:
        name.append(f"\n{looked_at}", "yellow" if message.speaks else "red")
    if activation.journey is not None:
        name.append(f"\n{activation.journey}", "dim")
    return [
        Text(stage),
        Text(activation.channel),
        name,
        _two(message.says("topic"), _evidence(message)),
        _two(message.says("call_to_action"), message.says("asset")),
    ]


def _evidence(message: MappedActivation) -> str:
    return " · ".join(each for each in (message.says("depth"), message.says("evidence")) if each is not None)


def _two(first: str | None, second: str | None) -> Text:
    return Text.assemble(first or "–", (f"\n{second or '–'}", "dim"))


def _show_list(title: str, style: str, found: Sequence[tuple[str, str]]) -> None:
    if not found:
        return
    out.print(Text(title, f"bold {style}"))
    for first, rest in found:
        write_sentence(f"{first}: {rest}" if first else rest, indent=2)
    out.print()

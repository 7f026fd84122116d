"""`segue map`: which message meets whom, by audience, stage and channel; what is missing, what is said twice."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from rich.text import Text

from rules.catalogue.catalogue import Catalogue
from rules.ground.instants import format_instant
from rules.reports.message_map import Message, MessageMap, message_map
from streams.cli.arguments import Json, read_instant
from streams.cli.render import map_words as words
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, tell, write_json
from streams.operations.definitions import load
from streams.operations.errors import WrongRequest

NAME_WIDTH_MAX: Final = 34
"""An activation's id up to here stands on one line."""


def map_(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            exists=True,
            file_okay=False,
            readable=True,
            help="The catalogue's folder; without: the catalogue in force.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as one page that needs nothing else; [bold]-[/bold]: to stdout."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="T", help="Whether content has expired is judged at T (RFC 3339); now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Map who is told what on which channel, and what is missing.

    Shows activations by audience, stage and channel, with topic, evidence, call to action and asset.
    Says what is missing (an audience, a stage, a channel, a segment that nothing speaks to), what is covered twice (two
    activations that may reach one member with the same topic or intent), and which content cannot be sent or soon not.
    With DIR no server is needed.

    Example: segue map catalogue --html map.html
    """
    from streams.clock import SystemClock

    if as_json and str(html) == "-":
        raise WrongRequest("--json and --html - would both write to stdout: give the page a file")
    at_ms = SystemClock().wall_ms() if at is None else read_instant(at)
    catalogue = _catalogue(folder)
    drawn = message_map(catalogue, at_ms)
    if html is not None:
        _write(html, drawn, catalogue)
    if as_json:
        write_json(map_json(drawn, catalogue))
    elif html is None:
        show(drawn)


def _catalogue(folder: Path | None) -> Catalogue:
    if folder is not None:
        return load(folder)
    from streams.cli.running import run

    return run(lambda servers: servers.catalogue())


def _write(file: Path, drawn: MessageMap, catalogue: Catalogue) -> None:
    from streams.cli.render.map_page import page

    text = page(drawn, catalogue)
    if str(file) == "-":
        sys.stdout.buffer.write(text.encode())
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as wrong:
        raise WrongRequest(f"{file} cannot be written: {wrong.strerror}") from None
    tell(f"{file}: {_summary(drawn)}")


def map_json(drawn: MessageMap, catalogue: Catalogue) -> dict[str, Any]:
    """For programs."""
    return {
        "catalogue": catalogue.hash,
        "at": format_instant(drawn.at_ms),
        "channels": drawn.channels,
        "audiences": [{"audience": audience, "stages": stages} for audience, stages in drawn.stages],
        "messages": [_message_json(each) for each in drawn.messages],
        "journeys": {name: [each.activation.id for each in found] for name, found in words.journeys(drawn).items()},
        "gaps": [
            {
                "audience": gap.audience,
                "stage": gap.stage,
                "channel": gap.channel,
                "segment": gap.segment,
                "segments": gap.segments,
                "silent": gap.silent,
                "says": f"{words.where(gap)}: {words.what(gap, drawn)}",
            }
            for gap in drawn.gaps
        ],
        "doubles": [
            {
                "activations": [each.first, each.second],
                "audience": each.audience,
                "stages": each.stages,
                "channel": each.channel,
                "same": each.same,
                "says": words.twice(each),
            }
            for each in drawn.doubles
        ],
    }


def _message_json(message: Message) -> dict[str, Any]:
    activation = message.activation
    expires_ms = activation.review_expires_ms
    return {
        "activation": activation.id,
        "version": activation.version,
        "state": message.state,
        "expires": None if expires_ms is None else format_instant(expires_ms),
        "expires_soon": message.expires_soon,
        "audience": activation.audience,
        "stages": message.stages,
        "channel": activation.channel,
        "journey": activation.journey,
        "exclusive_group": activation.exclusive_group,
        "priority": activation.priority,
        "content": activation.content,
    }


def show(drawn: MessageMap) -> None:
    """Show it on the terminal: the map, then what to look at."""
    out.print(map_table(drawn))
    gaps = [(words.where(gap), words.what(gap, drawn)) for gap in drawn.gaps]
    _list("Gaps", "yellow", gaps)
    _list("Covered twice", "red", [("", words.twice(each)) for each in drawn.doubles])
    content = [(each.activation.id, said) for each in drawn.messages if (said := words.content(each)) is not None]
    _list("Content to look at", "red", content)
    out.print(f"{_summary(drawn)}.")


def map_table(drawn: MessageMap) -> Table:
    """Make the table of the map: two lines an activation, so that it is read at 100 columns."""
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
                style = "yellow" if drawn.is_gap(audience, stage) else "dim"
                shown.add_row(*row([f"  {stage}", "", Text("nothing", style)]))
            for number, each in enumerate(found):
                shown.add_row(*_cells("" if number else f"  {stage}", each))
        shown.add_section()
    return shown


def _cells(stage: str, message: Message) -> list[Text]:
    activation = message.activation
    name = Text(activation.id, "" if message.speaks else "dim")
    looked_at = words.content(message)
    if looked_at is not None:
        name.append(f"\n{looked_at}", "yellow" if message.speaks else "red")
    if activation.journey is not None:
        name.append(f"\n{activation.journey}", "dim")
    evidence = " · ".join(each for each in (message.says("depth"), message.says("evidence")) if each is not None)
    return [
        Text(stage),
        Text(activation.channel),
        name,
        _two(message.says("topic"), evidence),
        _two(message.says("call_to_action"), message.says("asset")),
    ]


def _two(first: str | None, second: str | None) -> Text:
    return Text(first or "–").append(f"\n{second or '–'}", "dim")


def _list(title: str, style: str, found: list[tuple[str, str]]) -> None:
    if found:
        out.print(Text(title, f"bold {style}"))
        for first, rest in found:
            out.print(Text(f"  {first}: " if first else "  ", "").append(rest), soft_wrap=True)
        out.print()


def _summary(drawn: MessageMap) -> str:
    return ", ".join(
        (
            words.counted(len(drawn.messages), "activation", "activations"),
            words.counted(len(words.journeys(drawn)), "journey", "journeys"),
            words.counted(len(drawn.gaps), "gap", "gaps"),
            words.counted(len(drawn.doubles), "pair covers twice", "pairs cover twice"),
        )
    )

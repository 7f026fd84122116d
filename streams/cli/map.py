"""`segue map`: which message goes to which audience, what is missing, what is said twice."""

from pathlib import Path
from typing import Annotated

import typer

from rules.catalogue.catalogue import Catalogue
from rules.reports import map_words as words
from rules.reports.message_map import MessageMap, message_map
from streams.cli.arguments import Json, read_instant
from streams.cli.render.map_page import page
from streams.cli.render.map_table import show_map
from streams.cli.render.pages import write_page
from streams.cli.render.terminal import tell, write_json
from streams.clock import SystemClock
from streams.operations.definitions import load
from streams.operations.errors import WrongRequest
from streams.operations.map_json import map_json


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

    Shows activations by audience, stage and channel, with topic, evidence, call to action and asset. Names gaps (an
    audience, a stage, a channel, a segment without a message), pairs that cover twice (two activations that may reach
    one member with the same topic or intent), and content that cannot be sent, or not for long. With DIR no server is
    needed.

    Example: segue map catalogue --html map.html
    """
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
        show_map(drawn)


def _catalogue(folder: Path | None) -> Catalogue:
    if folder is not None:
        return load(folder)
    from streams.cli.running import run  # here, for start-up time: a folder needs no client libraries

    return run(lambda servers: servers.catalogue())


def _write(file: Path, drawn: MessageMap, catalogue: Catalogue) -> None:
    write_page(file, page(drawn, catalogue))
    if str(file) != "-":
        tell(f"{file}: {words.summary(drawn)}")

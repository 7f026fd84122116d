"""`segue preview`: what a catalogue would change, before it is in force."""

import re
from pathlib import Path
from typing import Annotated

import typer

from rules.preview.people import PEOPLE_MAX
from streams.cli.arguments import AlsoRestricted, Folder, Json
from streams.cli.render.pages import expect_writable, write_page
from streams.cli.render.preview_page import page
from streams.cli.render.preview_table import show_preview
from streams.cli.render.progress import partition_progress
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.operations.definitions import load
from streams.operations.errors import WrongRequest
from streams.operations.preview import DAYS, MEMORY_MB, Preview, Wanted
from streams.operations.preview import preview as look_ahead
from streams.operations.preview_json import preview_json


def preview(
    folder: Folder,
    sample: Annotated[
        str,
        typer.Option(metavar="1/N", help="Count one subject in N, always the same ones; the numbers are scaled."),
    ] = "1/1",
    days: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS", min=0, max=3_650, help=f"Days of the window that is told twice: {DAYS}; 0: the cut alone."
        ),
    ] = None,
    memory_mb: Annotated[
        int, typer.Option("--memory-mb", metavar="MB", min=16, help="Memory a pass may take; less: more passes.")
    ] = MEMORY_MB,
    who: Annotated[
        int, typer.Option("--who", metavar="N", min=0, max=PEOPLE_MAX, help="Name N profiles of each way they move.")
    ] = 0,
    restricted: AlsoRestricted = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it as one page that needs nothing else; [bold]-[/bold]: to stdout."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a catalogue would change, and write nothing.

    Applies the log of every partition beside the live system and counts, for each segment and activation: who would
    enter, leave, become contactable and be held back at the cut, its history filled in; how the last days went, and
    how they would have gone under this catalogue; what each part of the change does alone; which conditions would be
    blind without filling, and until when. Names no profile without [bold]--who[/bold]. The last line is the command
    that applies exactly what was previewed, or refuses.

    Example: segue preview catalogue --sample 1/16 --html preview.html
    """
    if as_json and str(html) == "-":
        raise WrongRequest("--json and --html - would both write to stdout: give the page a file")
    if html is not None:
        expect_writable(html)
    wanted = Wanted(days, read_sample(sample), memory_mb, who, restricted)
    catalogue = load(folder)
    with partition_progress() as on_offset:
        found = run(lambda servers: look_ahead(servers, catalogue, wanted, on_offset))
    if found.note:
        tell(found.note)
    show(found, html, folder, as_json=as_json)


def show(found: Preview, html: Path | None, folder: Path | None, *, as_json: bool) -> None:
    """Write a preview: the page into its file, the table or the JSON value to stdout.

    `folder` None: the catalogue before was asked for.
    """
    if html is not None:
        write_page(html, page(found))
    if as_json:
        write_json(preview_json(found))
    elif str(html) != "-":
        show_preview(found, folder)


def read_sample(text: str) -> int:
    """Read a sample, `1/N`, and return N."""
    matched = re.fullmatch(r"1/([1-9]\d{0,6})", text)
    if matched is None or int(matched[1]) > 1_000_000:
        raise WrongRequest(f"{text!r} is no sample: give 1/N, N from 1 to 1,000,000, like 1/16")
    return int(matched[1])

"""`segue preview`: what a catalogue would change, before it is in force."""

import re
from typing import Annotated

import typer

from streams.cli.arguments import Folder, Json
from streams.cli.render.preview_table import show_preview
from streams.cli.render.progress import partition_progress
from streams.cli.render.terminal import write_json
from streams.cli.running import run
from streams.operations.definitions import load
from streams.operations.errors import WrongRequest
from streams.operations.preview import DAYS, MEMORY_MB, Wanted
from streams.operations.preview import preview as look_ahead
from streams.operations.preview_json import preview_json


def preview(
    folder: Folder,
    sample: Annotated[
        str,
        typer.Option(metavar="1/N", help="Count one subject in N, always the same ones; the numbers are scaled."),
    ] = "1/1",
    days: Annotated[
        int, typer.Option(metavar="DAYS", min=0, max=3_650, help="Days of the window that is told twice; 0: none.")
    ] = DAYS,
    memory_mb: Annotated[
        int, typer.Option("--memory-mb", metavar="MB", min=16, help="Memory a pass may take; less: more passes.")
    ] = MEMORY_MB,
    as_json: Json = False,
) -> None:
    """Say what a catalogue would change, and write nothing.

    Example: segue preview catalogue --sample 1/16
    """
    wanted = Wanted(days, read_sample(sample), memory_mb)
    catalogue = load(folder)
    with partition_progress() as on_offset:
        found = run(lambda servers: look_ahead(servers, catalogue, wanted, on_offset))
    if as_json:
        write_json(preview_json(found))
    else:
        show_preview(found)


def read_sample(text: str) -> int:
    """Read a sample, `1/N`, and return N."""
    matched = re.fullmatch(r"1/([1-9]\d{0,6})", text)
    if matched is None or int(matched[1]) > 1_000_000:
        raise WrongRequest(f"{text!r} is no sample: give 1/N, N from 1 to 1,000,000, like 1/16")
    return int(matched[1])

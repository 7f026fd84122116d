"""`segue resume`: let held partitions go on."""

from typing import Annotated

import typer

from streams.cli.arguments import Json, expect_said
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import write_json
from streams.cli.running import run
from streams.operations.apply import login
from streams.operations.holds import Resumed
from streams.operations.holds import resume as resume_partitions


def resume(
    partitions: Annotated[
        list[int] | None,
        typer.Argument(metavar="PARTITION", help="Partitions to let go on; without: all that are held."),
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who says so; without: the login.")] = None,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why.")] = None,
    as_json: Json = False,
) -> None:
    """Let partitions go on that are held because of bad input.

    A partition is held when too many of its newest records were refused. It goes on by itself once the log is calm.
    This command lets it go on at once: refused records up to now are pardoned, and go to the dead-letter topic. If bad
    input goes on, the partition is held again. Who resumed, when and why is written into the input log; no worker need
    be alive. First look at `segue letters`.

    Example: segue resume 3 --note "the CRM export is mended"
    """
    expect_said("--by", by, "the name of a person")
    expect_said("--note", note, "a sentence")
    resumed = run(lambda servers: resume_partitions(servers, partitions, by or login(), note or ""))
    if as_json:
        write_json({"partitions": [each.as_json() for each in resumed]})
        return
    if not resumed:
        write_sentence("no partition is held: nothing was written")
    for each in resumed:
        write_sentence(said(each))


def said(resumed: Resumed) -> str:
    """Say what was done for one partition."""
    found = resumed.refusals
    if found.held:
        return f"partition {found.partition} may go on: {found.said}"
    return f"partition {found.partition} was not held by the settings here; it was told to go on all the same"

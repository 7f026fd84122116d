"""`segue privacy`: what is held of a person, where, and until when."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from streams.cli.arguments import Json, Subjects, SubjectsFile, expect_said, read_subjects
from streams.cli.render.privacy import show_privacy
from streams.cli.render.receipts import show_receipts
from streams.cli.render.terminal import write_json, write_line
from streams.cli.running import run
from streams.operations.errors import WrongInput, WrongRequest
from streams.operations.privacy import READ_S
from streams.operations.privacy import privacy as privacy_of
from streams.operations.receipts import all_settled
from streams.operations.receipts import receipts as receipts_of


def privacy(
    subject: Subjects = None,
    file: SubjectsFile = None,
    seconds: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="How long to read topics at most; says what was not read.")
    ] = READ_S,
    receipts: Annotated[
        str | None,
        typer.Option(
            metavar="REQUEST", help="Instead: what platforms answered to the erasures of this reference or event id."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is held of a person, where, and by when it is gone from every disk.

    For every subject of the person: the profile in Redis, and in each topic how many records have it as their key, from
    when they are, and by when the brokers' settings take them away. Reads the partition of each subject only. Shows no
    payload and no value.

    An erasure drops the links of a person: afterwards name all the subjects, with the command that
    [bold]segue erase[/bold] showed. The last line is then of all of them.

    With [bold]--receipts[/bold]: each erasure that [bold]segue erase --request[/bold] asked for under this reference,
    which channels it tells, and what their platforms answered to [bold]segue deliver[/bold]. It names nobody. Exit
    status 1: there is no such erasure, or a platform refused, did not answer yet, or was not told.

    Example: segue privacy hcp:1234567893

    Example: segue privacy --receipts DSR-117
    """
    if receipts is not None:
        _show_receipts(receipts, subject, file, as_json=as_json)
        return
    who = read_subjects(subject, file)
    found = run(lambda servers: privacy_of(servers, who, seconds))
    write_json(found.as_json()) if as_json else show_privacy(found)


def _show_receipts(reference: str, subject: list[str] | None, file: Path | None, *, as_json: bool) -> None:
    """Write what platforms answered. Raises typer.Exit where not everything is accepted."""
    expect_said("--receipts", reference, "the reference of a request, like DSR-117, or the id of an erasure's event")
    if subject or file is not None:
        raise WrongRequest("--receipts takes a reference and no subject: receipts name nobody")
    found = run(lambda servers: receipts_of(servers, reference))
    if not found:
        raise WrongInput(f"no erasure is recorded under {reference!r}: give the text of --request, or the event's id")
    if as_json:
        for each in found:
            write_line(orjson.dumps(each.as_json()))
    else:
        show_receipts(found)
    if not all_settled(found):
        raise typer.Exit(1)

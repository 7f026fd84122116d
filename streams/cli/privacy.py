"""`segue privacy`: what is held of a person, where, and until when."""

from typing import Annotated

import typer

from streams.cli.arguments import Json, Subjects, SubjectsFile, read_subjects
from streams.cli.render.privacy import show_privacy
from streams.cli.render.terminal import write_json
from streams.cli.running import run
from streams.operations.privacy import READ_S
from streams.operations.privacy import privacy as privacy_of


def privacy(
    subject: Subjects = None,
    file: SubjectsFile = None,
    seconds: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="How long to read topics at most; says what was not read.")
    ] = READ_S,
    as_json: Json = False,
) -> None:
    """Say what is held of a person, where, and by when it is gone from every disk.

    For every subject of the person: the profile in Redis, and in each topic how many records have it as their key, from
    when they are, and by when the brokers' settings take them away. Reads the partition of each subject only. Shows no
    payload and no value.

    An erasure drops the links of a person: afterwards name all the subjects, with the command that
    [bold]segue erase[/bold] showed. The last line is then of all of them.

    Example: segue privacy hcp:1234567893
    """
    who = read_subjects(subject, file)
    found = run(lambda servers: privacy_of(servers, who, seconds))
    write_json(found.as_json()) if as_json else show_privacy(found)

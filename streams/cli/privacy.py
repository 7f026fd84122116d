"""`segue privacy`: what is held of a person, where, and until when."""

from typing import Annotated

import typer

from streams.cli.arguments import Json, read_subject
from streams.cli.render.privacy import show_privacy
from streams.cli.render.terminal import write_json
from streams.cli.running import run
from streams.operations.privacy import READ_S
from streams.operations.privacy import privacy as privacy_of


def privacy(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A subject of the person, like hcp:1234567893.")],
    seconds: Annotated[
        int, typer.Option(min=1, metavar="SECONDS", help="How long to read topics at most; says what was not read.")
    ] = READ_S,
    as_json: Json = False,
) -> None:
    """Say what is held of a person, where, and by when it is gone from every disk.

    For every subject of the person: the profile in Redis, and in each topic how many records have it as their key, from
    when they are, and by when the brokers' settings take them away. Reads the partition of each subject only. Shows no
    payload and no value.

    An erasure drops the links of a person: afterwards ask for each subject that [bold]segue erase[/bold] showed.

    Example: segue privacy hcp:1234567893
    """
    who = read_subject(subject)
    found = run(lambda servers: privacy_of(servers, who, seconds))
    write_json(found.as_json()) if as_json else show_privacy(found)

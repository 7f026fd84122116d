"""`segue catalogue`: a catalogue that was applied, as a folder again."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from rules.ground.words import count
from streams.cli.arguments import Json
from streams.cli.render.terminal import out, tell, write_json
from streams.cli.running import run
from streams.operations.without_key import SAID
from streams.operations.written import expect_empty, stored, write_out

NOT_AS_APPLIED = (
    "an older version of Segue applied this catalogue and stored its values alone: comments and layout are lost"
)


def catalogue(
    which: Annotated[
        str,
        typer.Argument(metavar="WHICH", help='The first digits of a hash; "in force"; "before"; "a week ago"; a time.'),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A folder that is new or empty.")],
    as_json: Json = False,
) -> None:
    """Write a catalogue that was applied as a folder again.

    Every file comes out byte for byte as it was applied, comments too. A plain assignment key is the exception: the
    policy names a setting and a fingerprint in its place. `segue catalogues` lists the hashes. Exit status 1: there is
    no such catalogue, or the folder is not empty.

    Example: segue catalogue "a week ago" -o as-it-was
    """
    expect_empty(output)
    kept = run(lambda servers: stored(servers, which))
    written = write_out(kept, output)
    if not written.as_applied:
        tell(f"warning: {NOT_AS_APPLIED}")
    if written.key_left_out:
        tell(f"warning: {SAID}")
    if as_json:
        write_json(written.as_json())
    else:
        out.print(Text(f"Catalogue {written.hash[:12]}: {count(len(written.files), 'file')} in {output}."))

"""`segue diff`: what two catalogues say differently, in words."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.arguments import Json
from streams.cli.render.diff_text import markdown, show_diff
from streams.cli.render.terminal import write_json
from streams.operations.diff import compare, compare_folders, need_servers
from streams.operations.errors import WrongRequest


def diff(
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A] [B]",
            help='A folder; the first digits of a hash; "in force"; "before"; "a week ago"; a time.',
        ),
    ] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for a review.")] = False,
    as_json: Json = False,
) -> None:
    """Say in words what two catalogues say differently.

    Names each condition that came, went or changed, each other key with its value before and after, and what happens at
    the cut. Without A and B: what the last apply changed. With a folder alone: what it would change. With anything else
    alone: what has changed since. Two folders need no server.

    Example: segue diff "a week ago" "in force"
    """
    asked = texts or []
    if len(asked) > 2:
        raise WrongRequest(f"{len(asked)} catalogues were given: segue diff compares two")
    if as_json and as_markdown:
        raise WrongRequest("--json and --markdown would both write to stdout: give one of them")
    if need_servers(asked):
        from streams.cli.running import run  # here, for start-up time: two folders need no client libraries

        compared = run(lambda servers: compare(servers, asked))
    else:
        compared = compare_folders(Path(asked[0]), Path(asked[1]))
    if as_json:
        write_json(compared.as_json())
    elif as_markdown:
        print(markdown(compared), end="")
    else:
        show_diff(compared)

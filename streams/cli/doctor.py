"""`segue doctor`: look at everything that a deployment needs, and say what to do."""

from collections.abc import Mapping
from typing import Annotated, Final

import typer
from rich.text import Text

from rules.ground.words import count
from streams.cli.acls import read_role
from streams.cli.arguments import Json
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import err, out, write_json
from streams.cli.running import run
from streams.exits import Exit
from streams.operations.doctor.checked import OUTCOMES, Checked, Examined, Outcome
from streams.operations.doctor.examine import examine
from streams.operations.doctor.rights import As

_STYLES: Final[Mapping[Outcome, str]] = {
    "away": "bold red",
    "wrong": "bold red",
    "unknown": "yellow",
    "advice": "yellow",
    "right": "green",
}
_MARK: Final = 8
"""Width of the first column."""


def doctor(
    role: Annotated[
        str,
        typer.Option("--as", metavar="ROLE", help="Whose rights in Kafka to look at; without: worker or operator."),
    ] = "",
    channel: Annotated[str, typer.Option(help="The channel of a deliverer or a reader, like email.")] = "",
    no_write: Annotated[bool, typer.Option("--no-write", help="Do not try a transaction.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also name each thing that is right.")] = False,
    as_json: Json = False,
) -> None:
    """Look at everything that a deployment needs, and say what to do.

    Settings, Redis and Kafka (reachable, credentials, versions, rights, settings, clocks), topics, retention, the state
    of each partition, the catalogue in force. It tries one transaction and takes it back, so that nobody reads it. Exit
    status 3: a server is away or refuses; 1: something is wrong, and no worker may start on it; 0: advice at most.

    Example: segue doctor --json
    """
    whose = As(read_role(role, channel), channel) if role or channel else None
    with err.status("Looking at everything"):
        found = run(lambda servers: examine(servers, whose, write=not no_write))
    if as_json:
        write_json(found.as_json())
    else:
        _show(found, everything=everything)
    if found.exit != Exit.DONE:
        raise typer.Exit(int(found.exit))


def _show(found: Examined, *, everything: bool) -> None:
    ordered = sorted(found.checked, key=lambda each: OUTCOMES.index(each.outcome))
    for each in ordered:
        if everything or each.outcome != "right":
            _line(each)
    right = found.count("right")
    if right == len(found.checked):
        out.print(Text(f"All is as it must be: {count(right, 'thing')} looked at.", "green"))
    else:
        what = "thing is" if right == 1 else "things are"
        out.print(f"{right} more {what} as {'it' if right == 1 else 'they'} must be{'' if everything else ' (--all)'}.")


def _line(each: Checked) -> None:
    what = each.said if each.said.startswith(each.name) else f"{each.name}: {each.said}"
    said = Text(f"{each.outcome:<{_MARK}}", _STYLES[each.outcome]).append(what, "default")
    write_sentence(said, hanging=_MARK)
    if each.remedy:
        write_sentence(f"→ {each.remedy}", indent=_MARK, hanging=2)

"""`segue history`: all that changed for a profile, and the evidence of one change."""

from typing import Annotated

import typer

from streams.cli.arguments import AlsoRestricted, Json, read_subject
from streams.cli.render.history import show_evidence, show_history
from streams.cli.render.progress import partition_progress
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.operations.errors import WrongRequest
from streams.operations.evidence import evidence_of
from streams.operations.history import history as history_of
from streams.operations.history_json import evidence_json, history_json


def history(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A profile, like hcp:1234567893.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A segment or an activation; without: all.")
    ] = None,
    change: Annotated[
        str | None, typer.Option("--change", metavar="ID", help="The evidence of this change: its id, or its number.")
    ] = None,
    restricted: AlsoRestricted = False,
    as_json: Json = False,
) -> None:
    """Tell all that ever changed for a profile, and why.

    Memberships and activations, each with its reason, the version of the definition then, and who applied that
    catalogue. Applies the log of the profile's partition up to what is published; where retention has dropped its
    beginning, tells the changes that the output topics still have. Links of the profile stand between the changes;
    nothing is told of what was before an erasure. With [bold]--change[/bold]: the rules
    as they were then in words, each condition with its verdict, and the events that it stood on with their data. Exit
    status 1: the profile, the name or the change is not known, or the log that --change needs is gone.

    Example: segue history hcp:1234567893 --change 3
    """
    who = read_subject(subject)
    if change is not None and name is not None:
        raise WrongRequest("--change names one change: give no NAME with it")
    with partition_progress() as on_offset:
        if change is not None:
            wanted = change
            evidence = run(lambda servers: evidence_of(servers, who, wanted, on_offset, restricted=restricted))
        else:
            found = run(lambda servers: history_of(servers, who, name, on_offset, restricted=restricted))
    if change is not None:
        write_json(evidence_json(evidence)) if as_json else show_evidence(evidence)
        return
    tell(*found.notes)
    write_json(history_json(found)) if as_json else show_history(found)

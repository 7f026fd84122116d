"""`segue members`: the members of a segment, or the profiles for which an activation is active."""

from contextlib import aclosing
from typing import Annotated

import typer

from streams.cli.arguments import AlsoRestricted
from streams.cli.render.terminal import write_json
from streams.cli.running import run
from streams.operations.members import members as members_of
from streams.operations.servers import Servers


def members(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A segment's or an activation's id.")],
    activation: Annotated[
        bool, typer.Option("--activation", help="Take NAME for the activation, where a segment has that name too.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many.")] = None,
    restricted: AlsoRestricted = False,
    as_json: Annotated[bool, typer.Option("--json", help='A line a member: {"profile":"…"}.')] = False,
) -> None:
    """List the members of a segment or the profiles of an activation.

    Writes a line each, in no order: for an activation, the profiles for which it is active now. Members come as last
    written to Redis; active profiles as published in the channel's snapshot. Exit status 1: the catalogue in force has
    no such segment or activation. One that uses restricted data needs [bold]--restricted[/bold].

    Example: segue members oncology-access-planners --limit 20
    """

    async def write(servers: Servers) -> None:
        written = 0
        async with aclosing(members_of(servers, name, activation=activation, restricted=restricted)) as found:
            async for subject in found:
                if as_json:
                    write_json({"profile": subject})
                else:
                    print(subject)
                written += 1
                if written == limit:
                    break

    run(write)

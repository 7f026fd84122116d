"""Commands about people and audiences: `explain`, `members`, `sizes`; and `lag`, how far behind they are.

What talks to servers is imported when a command runs: the client libraries take half a second to load.
"""

from typing import Annotated

import typer

from streams.cli.console import Json, out, read_instant, read_subject, row, table, write_json

Segment = Annotated[str, typer.Argument(metavar="SEGMENT", help="A segment's id.")]


def explain(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A profile, like hcp:1234567893.")],
    segment: Annotated[
        str | None, typer.Argument(metavar="[SEGMENT]", help="One segment, with every condition; without: all.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="T", help="The instant asked about, if nothing happens until then (RFC 3339); now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why a profile is in a segment, why not, and what would change that next and when.

    Reads the profile's state as last written by its worker (about a second behind) and evaluates the rules in force
    on it at T. ✓ holds, ✗ does not, ? has no verdict yet. Exit status 1: the profile or the segment is not known.

    Example: segue explain hcp:1234567893 oncology-access-planners
    """
    from streams.cli.explaining import explain_profile, show
    from streams.cli.servers import run

    who = read_subject(subject)
    at_ms = None if at is None else read_instant(at)
    told = run(lambda servers: explain_profile(servers, who, segment, at_ms))
    if as_json:
        write_json(told.as_json())
    else:
        show(told, whole=segment is not None)


def members(
    segment: Segment,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help='A line a member: {"profile":"…"}.')] = False,
) -> None:
    """List the members of a segment, a line each, in no order, as last written to Redis.

    Exit status 1: the catalogue in force has no such segment.

    Example: segue members oncology-access-planners --limit 20
    """
    from streams.cli.audiences import list_members
    from streams.cli.servers import run

    def write(subject: str) -> None:
        if as_json:
            write_json({"profile": subject})
        else:
            print(subject)

    run(lambda servers: list_members(servers, segment, limit, write))


def sizes(as_json: Json = False) -> None:
    """Show how many members each segment of the catalogue in force has, as last written to Redis.

    Example: segue sizes
    """
    from streams.cli.audiences import count_members
    from streams.cli.servers import run

    counted = run(count_members)
    if as_json:
        write_json(counted)
        return
    shown = table("segment", "members", "audience", "title", right=["members"])
    for each in counted["segments"]:
        shown.add_row(*row([each["segment"], f"{each['members']:,}", each["audience"], each["title"]]))
    out.print(shown)
    out.print(f"{counted['memberships']:,} memberships in {len(counted['segments'])} segments.")


def lag(
    watch: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Again every so many seconds, until Ctrl-C.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how far each partition is behind: in records, and in seconds since its oldest unapplied record came.

    "applied" is the state in Redis, written about once a second; "published" is up to where changes are out. What is
    published was applied, so the lag counts from the later of the two. Markers of transactions are no lag.

    Example: segue lag --watch 2
    """
    from streams.cli.lagging import follow
    from streams.cli.servers import run

    run(lambda servers: follow(servers, watch, as_json))


def add_to(app: typer.Typer) -> None:
    """Add the commands of this family."""
    for command in (explain, members, sizes, lag):
        app.command()(command)

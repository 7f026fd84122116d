"""Commands about people and audiences: `explain`, `members`, `sizes`; and `lag`, how far behind they are.

What talks to servers is imported when a command runs: the client libraries take half a second to load.
"""

from typing import Annotated, Any

import typer
from rich.text import Text

from streams.cli.arguments import Json, read_instant, read_subject
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json


def explain(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="A profile, like hcp:1234567893.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One segment or activation, with all behind it; without: all of them."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="T", help="The instant asked about, if nothing happens until then (RFC 3339); now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why a profile is in a segment or may be contacted, or why not.

    Says, too, what would change that next. Reads the profile's state as last written by its worker (about a second
    behind) and evaluates the rules in force on it at T. Of a segment: ✓ holds, ✗ does not, ? has no verdict yet. Of an
    activation: every refusal that applies, the first being the reason, and when it ends by itself. Exit status 1: the
    profile or the name is not known.

    Example: segue explain hcp:1234567893 access-resources-email
    """
    from streams.cli.explained import show
    from streams.cli.explaining import explain_profile
    from streams.cli.running import run

    who = read_subject(subject)
    at_ms = None if at is None else read_instant(at)
    told = run(lambda servers: explain_profile(servers, who, name, at_ms))
    if as_json:
        write_json(told.as_json())
    else:
        show(told, whole=name is not None)


def members(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A segment's or an activation's id.")],
    activation: Annotated[
        bool, typer.Option("--activation", help="Take NAME for the activation, where a segment has that name too.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help='A line a member: {"profile":"…"}.')] = False,
) -> None:
    """List the members of a segment or the profiles of an activation.

    A line each, in no order. Members as last written to Redis; who is active as published in the channel's snapshot.
    Exit status 1: the catalogue in force has no such segment or activation.

    Example: segue members oncology-access-planners --limit 20
    """
    from streams.cli.audiences import list_members
    from streams.cli.running import run

    def write(subject: str) -> None:
        if as_json:
            write_json({"profile": subject})
        else:
            print(subject)

    run(lambda servers: list_members(servers, name, limit, write, activation=activation))


def sizes(as_json: Json = False) -> None:
    """Count the members of segments and the profiles of activations.

    Those of the catalogue in force. Members as last written to Redis; who is active as published in the channels'
    snapshots, which are read whole.

    Example: segue sizes
    """
    from streams.cli.audiences import count
    from streams.cli.running import run

    counted = run(count)
    if as_json:
        write_json(counted)
        return
    shown = table("segment", "members", "audience", "title", right=["members"])
    for each in counted["segments"]:
        shown.add_row(*row([each["segment"], f"{each['members']:,}", each["audience"], each["title"]]))
    out.print(shown)
    said = f"{counted['memberships']:,} memberships in {len(counted['segments'])} segments"
    if counted["activations"]:
        _show_active(counted["activations"], counted["channels"])
        said += f"; {sum(each['active'] for each in counted['activations']):,} active activations"
    out.print(f"{said}.")


def _show_active(activations: list[dict[str, Any]], channels: list[dict[str, Any]]) -> None:
    shown = table("channel", "activation", "active", "audience", "journey", right=["active"])
    for channel in channels:
        name = channel["channel"]
        for each in activations:
            if each["channel"] == name:
                reached = f"{each['active']:,}"
                shown.add_row(*row([name, each["activation"], reached, each["audience"], each["journey"]]))
        together = [name, Text("profiles in all", "dim"), f"{channel['profiles']:,}", "", ""]
        shown.add_row(*row(together), end_section=True)
    out.print(shown)


def lag(
    watch: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Again every so many seconds, until Ctrl-C.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how far each partition is behind, in records and in seconds.

    The seconds are the age of the oldest unapplied record. "applied" is the state in Redis, written about once a
    second; "published" is up to where changes are out. What is published was applied, so the lag counts from the later
    of the two. Markers of transactions are no lag.

    Example: segue lag --watch 2
    """
    from streams.cli.lagging import follow
    from streams.cli.running import run

    run(lambda servers: follow(servers, watch, as_json))

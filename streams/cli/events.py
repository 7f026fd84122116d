"""Commands of the data itself: `send` events in, `watch` what is published.

What talks to servers is imported when a command runs: the client libraries take half a second to load.
"""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.arguments import Json, expect_file, read_channel
from streams.cli.render.terminal import out, write_json


def send(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="One structured CloudEvent a line; [bold]-[/bold] reads standard input.",
        ),
    ],
    rate: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many events a second.")] = None,
    as_json: Json = False,
) -> None:
    """Send events from a file to the input topic.

    The subject is the key; all replicas acknowledge. A line without a readable subject is sent too, without a key: the
    worker puts it into the dead-letter topic. Lines of types segue.* (in a dump) are the workers' own and are left out;
    so is what is larger than a record may be. Exit status 1: a line was too large.

    Example: segue send events.ndjson --rate 500
    """
    from streams.cli.running import run
    from streams.cli.sending import send_lines

    expect_file(file)
    sent = run(lambda servers: send_lines(servers, file, rate))
    if as_json:
        write_json(sent.as_json())
    else:
        out.print(sent.summary())
    if sent.too_large:
        raise typer.Exit(1)


def watch(
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest change kept.")] = False,
    membership: Annotated[bool, typer.Option("--membership", help="Memberships; no channels but those named.")] = False,
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Activations of this channel; may be given again. No others are shown."),
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Memberships of this segment only; may be given again.")
    ] = None,
    activation: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Of this activation only; may be given again.")
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option(metavar="KIND:NAME", help="Only of this profile; may be given again.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many changes.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, metavar="S", help="End after so many seconds.")] = None,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="Memberships of restricted segments, from their own topic, instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The changes as published, one JSON a line.")] = False,
) -> None:
    """Follow published changes, each with its reason, until Ctrl-C.

    Without options: all memberships, and the activations of every channel, also of those that come meanwhile.
    Only what is committed is shown: every change once, in order for each profile and channel.

    Example: segue watch --channel email --channel field --from-start
    """
    from streams.cli.running import run
    from streams.cli.watching import Wanted, follow

    channels = tuple(dict.fromkeys(map(read_channel, channel or ())))
    of_segments, of_channels = bool(membership or segment or restricted), bool(channel or activation)
    wanted = Wanted(
        memberships=of_segments or not of_channels,
        # of some activations: whichever channel they are on
        channels=channels if channels or (of_segments and not of_channels) else None,
        segments=frozenset(segment or ()),
        activations=frozenset(activation or ()),
        subjects=frozenset(subject or ()),
        count=count,
        seconds=seconds,
        from_start=from_start,
        restricted=restricted,
    )
    run(lambda servers: follow(servers, wanted, as_json))

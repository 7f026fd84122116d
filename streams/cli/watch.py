"""`segue watch`: follow the published changes."""

from contextlib import aclosing
from typing import Annotated

import typer

from streams.cli.arguments import AlsoRestricted, read_channel, read_subject
from streams.cli.render.change_line import change_line
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import tell, write_line
from streams.cli.running import run
from streams.operations.rule_texts import RuleTexts
from streams.operations.servers import Servers
from streams.operations.watch import WatchFilter, follow


def watch(
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest change kept.")] = False,
    membership: Annotated[
        bool, typer.Option("--membership", help="Memberships only, and the channels that you name.")
    ] = False,
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Activations of this channel only; may be given again."),
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Memberships of this segment only; may be given again.")
    ] = None,
    activation: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Changes of this activation only; may be given again.")
    ] = None,
    subject: Annotated[
        list[str] | None, typer.Option(metavar="KIND:NAME", help="Changes of this profile only; may be given again.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many changes.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, metavar="S", help="End after so many seconds.")] = None,
    restricted: AlsoRestricted = False,
    as_json: Annotated[bool, typer.Option("--json", help="The changes as published, one JSON a line.")] = False,
) -> None:
    """Follow published changes, each with its reason, until Ctrl-C.

    Without options: all memberships, and the activations of every channel; a channel that a new catalogue brings is
    followed from then on. Shows committed changes only: each once, in order for each profile and channel. Changes of
    segments and activations of restricted data are shown with [bold]--restricted[/bold] only.

    Example: segue watch --channel email --channel field --from-start
    """
    channels = tuple(dict.fromkeys(map(read_channel, channel or ())))
    of_segments, of_channels = bool(membership or segment), bool(channel or activation)
    wanted = WatchFilter(
        memberships=of_segments or not of_channels,
        # activations named without a channel may be on any
        channels=channels if channels or (of_segments and not of_channels) else None,
        segments=frozenset(segment or ()),
        activations=frozenset(activation or ()),
        subjects=frozenset(read_subject(each, "--subject") for each in subject or ()),
        count=count,
        seconds=seconds,
        from_start=from_start,
        restricted=restricted,
    )
    run(lambda servers: _show(servers, wanted, as_json))


async def _show(servers: Servers, wanted: WatchFilter, as_json: bool) -> None:
    rules = RuleTexts(servers)
    async with aclosing(follow(servers, wanted, lambda note: tell(f"note: {note}"))) as changes:
        async for published in changes:
            if as_json:
                write_line(published.value)
                continue
            change, reason = published.change, published.change["reason"]
            conditions = []
            if "segment" in change:
                conditions = await rules.say(change["segment"], change["segment_version"], reason["conditions"])
            write_sentence(change_line(change, conditions), hanging=4)

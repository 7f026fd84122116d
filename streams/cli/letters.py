"""`segue letters`: what was refused and why, and sending it again."""

from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from rules.ground.instants import format_instant
from rules.ground.words import count
from streams.cli.arguments import Json, expect_file, read_channel, read_instant
from streams.cli.render.progress import partition_progress, progress
from streams.cli.render.sentences import write_sentence
from streams.cli.render.tables import keep_whole, row, table
from streams.cli.render.terminal import out, tell, write_json
from streams.cli.running import run
from streams.cli.send import summary
from streams.operations.errors import WrongRequest
from streams.operations.letters import Exported, LetterFilter, Letters, export, letter
from streams.operations.letters import letters as letters_of
from streams.operations.partitions import OnOffset
from streams.operations.resend import resend as resend_file
from streams.operations.send import Sent
from streams.operations.servers import Servers

NEEDS: Final = "give --restricted to read dead letters themselves: they hold personal data"


def letters(
    partition: Annotated[
        list[int] | None, typer.Option(metavar="N", help="Of this partition only; may be given again.")
    ] = None,
    reason: Annotated[
        list[str] | None, typer.Option(metavar="CODE", help="Of this reason only; may be given again.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(metavar="SOURCE", help="Of this source only; may be given again.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="T", help="Refused since this instant (RFC 3339).")] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the platform of this channel refused, not the input.")
    ] = None,
    show: Annotated[str | None, typer.Option(metavar="PARTITION:OFFSET", help="Show one letter whole.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the events to a file, to be mended.")
    ] = None,
    resend: Annotated[Path | None, typer.Option(metavar="FILE", help="Send mended events again.")] = None,
    restricted: Annotated[
        bool, typer.Option("--restricted", help="Read personal data; --show and --output need it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what was refused and why; send it again once it is mended.

    Without options: dead letters by reason, source and the place inside the event, with counts, the first and the last.
    That shows no subject and no value. [bold]--show[/bold] shows one letter; [bold]--output[/bold] writes those asked
    for as events, a line each.

    [bold]--resend[/bold] sends the events of a file under their own identity: source, id and time as they stand there.
    It first decodes them all as a worker would. If one would be refused again, it says which line and where, sends
    nothing, and ends with status 1. Sending twice does no harm: an event that was applied is not applied again.

    Example: segue letters --reason wrong_type --restricted -o mended.ndjson
    """
    if sum(each is not None for each in (show, output, resend)) > 1:
        raise WrongRequest("give one of --show, --output and --resend")
    if (show is not None or output is not None) and not restricted:
        raise WrongRequest(NEEDS)
    if resend is not None:
        _resend(resend, as_json)
        return
    wanted = LetterFilter(
        tuple(partition or ()),
        tuple(reason or ()),
        tuple(source or ()),
        None if since is None else read_instant(since),
        None if channel is None else read_channel(channel),
    )
    if show is not None:
        at, offset = _read_place(show)
        found = run(lambda servers: letter(servers, at, offset, wanted.channel))
        print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    elif output is not None:
        _export(wanted, output, as_json)
    else:
        with partition_progress() as on_offset:
            listed = run(lambda servers: letters_of(servers, wanted, on_offset))
        if as_json:
            write_json(listed.as_json())
        else:
            _list(listed)


def _list(listed: Letters) -> None:
    if listed.groups:
        shown = table("reason", "place", "source", "count", "first and last", "last at", right=("count",))
        for each in listed.groups:
            instants = dict.fromkeys((_minute(each.first_ms), _minute(each.last_ms)))
            cells = [each.reason, each.place, each.source, f"{each.count:,}", "\n".join(instants), each.last]
            shown.add_row(*row(cells))
        keep_whole(shown, "first and last", [_minute(0)])
        keep_whole(shown, "last at", [each.last for each in listed.groups])
        keep_whole(shown, "reason", [each.reason for each in listed.groups])
        keep_whole(shown, "place", [each.place for each in listed.groups])
        out.print(shown)
    write_sentence(f"{count(listed.count, 'dead letter')} in {listed.topic}")
    for partition, said in listed.held.items():
        write_sentence(f"partition {partition} is held: {said}; `segue resume {partition}` lets it go on")


def _minute(t_ms: int) -> str:
    return f"{format_instant(t_ms)[:16].replace('T', ' ')}Z"


def _export(wanted: LetterFilter, file: Path, as_json: bool) -> None:
    try:
        with partition_progress() as on_offset:
            done = run(lambda servers: _written(servers, wanted, file, on_offset))
    except OSError as wrong:
        raise WrongRequest(f"{file} cannot be written: {wrong.strerror}") from None
    if as_json:
        write_json({"lines": done.lines, "unreadable": done.unreadable})
        return
    tell(f"{count(done.lines, 'event')} written to {file}; mend them and run: segue letters --resend {file}")
    if done.unreadable:
        tell(f"{count(done.unreadable, 'letter')} left out, because they are no JSON object: see --show")


async def _written(servers: Servers, wanted: LetterFilter, file: Path, on_offset: OnOffset) -> Exported:
    with file.open("wb") as to:
        return await export(servers, wanted, to, on_offset)


def _resend(file: Path, as_json: bool) -> None:
    if str(file) == "-":
        raise WrongRequest("--resend reads the file twice, so it cannot read standard input: give a file")
    expect_file(file)
    sent = run(lambda servers: _sent(servers, file))
    if as_json:
        write_json(sent.as_json())
    else:
        write_sentence(summary(sent))


async def _sent(servers: Servers, file: Path) -> Sent:
    with progress() as bars:
        task = bars.add_task("Sending (bytes)", total=file.stat().st_size, note="")
        return await resend_file(
            servers, file, lambda read, events: bars.update(task, completed=read, note=count(events, "event"))
        )


def _read_place(text: str) -> tuple[int, int]:
    partition, _, offset = text.partition(":")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise WrongRequest(f"--show {text!r}: give PARTITION:OFFSET, like 3:4711, as `segue letters` shows it")
    return int(partition), int(offset)

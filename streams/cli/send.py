"""`segue send`: put events into the input topic."""

from pathlib import Path
from typing import Annotated

import typer

from rules.ground.words import count
from streams.cli.arguments import Json, expect_file
from streams.cli.render.progress import progress
from streams.cli.render.sentences import write_sentence
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.exits import Exit
from streams.operations.line_batches import line_batches
from streams.operations.send import Sent, send_lines
from streams.operations.servers import Servers


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
    worker puts it into the dead-letter topic. Left out are lines of the workers' own types segue.* (a dump has some),
    and lines larger than a record may be. Exit status 1: a line was too large.

    Example: segue send events.ndjson --rate 500
    """
    expect_file(file)
    sent = run(lambda servers: _send(servers, file, rate))
    if as_json:
        write_json(sent.as_json())
    else:
        write_sentence(summary(sent))
    if sent.too_large:
        raise typer.Exit(int(Exit.WRONG_INPUT))


async def _send(servers: Servers, file: Path, rate: int | None) -> Sent:
    total = None if str(file) == "-" else file.stat().st_size
    with progress() as bars:
        task = bars.add_task("Sending (bytes)", total=total, note="")
        return await send_lines(
            servers,
            line_batches(file),
            rate=rate,
            on_batch=lambda read, events: bars.update(task, completed=read, note=count(events, "event")),
            on_too_large=lambda number: tell(f"line {number}: too large"),
        )


def summary(sent: Sent) -> str:
    """Say what became of the lines."""
    rate = sent.sent / sent.seconds if sent.seconds else 0
    parts = [f"{count(sent.sent, 'event')} sent in {sent.seconds:.1f} s ({rate:,.0f} a second)"]
    if sent.without_subject:
        parts.append(f"{sent.without_subject:,} of them without a readable subject: they will be dead-lettered")
    if sent.own:
        parts.append(f"{count(sent.own, 'line')} of types segue.* left out")
    if sent.too_large:
        parts.append(f"{count(sent.too_large, 'line')} too large, left out")
    return "; ".join(parts)

"""`segue lag`: how far each partition is behind, who works on it, and what becomes of it."""

import asyncio
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Final

import typer
from rich.live import Live

from streams.cli.arguments import Json
from streams.cli.render.lag import lag_table, too_late
from streams.cli.render.terminal import out, tell, write_json
from streams.cli.running import run
from streams.exits import Exit
from streams.operations.errors import WrongRequest
from streams.operations.lag import Lag, lag_meter
from streams.operations.servers import Servers

AGAIN_S: Final = 3.0
"""Between the two looks that tell a trend. An owner without changes tells its progress every 2 s."""


def lag(
    watch: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Again every so many seconds, until Ctrl-C.")
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Exit status 1 if a partition is later, or it is not known."),
    ] = None,
    offsets: Annotated[bool, typer.Option("--offsets", help="Show offsets and the catalogue instead.")] = False,
    as_json: Json = False,
) -> None:
    """Show how far each partition is behind, who works on it, and what becomes of it.

    "seconds" is the age of the oldest record that is not applied, "overdue" how long the first wake has been due that
    has not fired (up to a second is usual). "worker" is the claim that stands, as in /status of the worker; it is alive
    while it sends heartbeats, else "heard" says when it last published. Where records wait, it looks twice, 3 s apart:
    "a second" is how the lag changes, and the sentence below says when it is gone if it goes on so.

    No worker is asked: it reads the topics, the consumer group and Redis, and changes nothing. A published record was
    applied, so the lag counts from the later of "applied" (the state in Redis, written about once a second) and
    "published" (--offsets). Markers of transactions do not count.

    Exit status 1: a partition has no state, or is later than --max-seconds.

    Example: segue lag --max-seconds 30
    """
    if watch is not None and max_seconds is not None:
        raise WrongRequest("--max-seconds goes without --watch: it judges one look")
    last = run(lambda servers: _show(servers, watch, offsets, as_json))
    late = () if max_seconds is None else last.later_than(max_seconds)
    for each in late:
        tell(too_late(each, max_seconds or 0))
    if last.without_state or late:
        raise typer.Exit(int(Exit.WRONG_INPUT))


async def _show(servers: Servers, every_s: float | None, offsets: bool, as_json: bool) -> Lag:
    """Show the lag once, or again and again; return the last one."""
    live: AbstractContextManager[Live | None] = nullcontext()
    if every_s is not None and not as_json and out.is_terminal:
        live = Live(console=out, auto_refresh=False)
    async with lag_meter(servers) as meter:
        with live as screen:
            while True:
                measured = await meter.measure()
                if every_s is None:
                    if not measured.caught_up:
                        await asyncio.sleep(AGAIN_S)
                        measured = await meter.measure()
                    _write(measured, screen, offsets, as_json)
                    return measured
                _write(measured, screen, offsets, as_json)
                await asyncio.sleep(every_s)


def _write(lag: Lag, screen: Live | None, offsets: bool, as_json: bool) -> None:
    if as_json:
        write_json(lag.as_json())
    elif screen is not None:
        screen.update(lag_table(lag, offsets=offsets), refresh=True)
    else:
        out.print(lag_table(lag, offsets=offsets))

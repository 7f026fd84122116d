"""`segue lag`: how far each partition is behind."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streams.cli.arguments import Json
from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.cli.running import run
from streams.clock import SystemClock
from streams.exits import Exit
from streams.operations.lag import Lag, lag_meter
from streams.operations.servers import Servers


def lag(
    watch: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="Again every so many seconds, until Ctrl-C.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how far each partition is behind, in records and in seconds.

    The seconds are the age of the oldest unapplied record. "applied" is the state in Redis, written about once a
    second; "published" is the offset up to which changes are published. A published record was applied, so the lag
    counts from the later of the two. Markers of transactions do not count. While the history of a cut is filled in, it
    says how much of it is read. Exit status 1: a partition has no state.

    Example: segue lag --watch 2
    """
    last = run(lambda servers: _show(servers, watch, as_json))
    if last.without_state:
        raise typer.Exit(int(Exit.WRONG_INPUT))


async def _show(servers: Servers, every_s: float | None, as_json: bool) -> Lag:
    """Show the lag once, or again and again; return the last one."""
    live: AbstractContextManager[Live | None] = nullcontext()
    if every_s is not None and not as_json and out.is_terminal:
        live = Live(console=out, auto_refresh=False)
    async with lag_meter(servers) as meter:
        with live as screen:
            while True:
                measured = await meter.measure()
                _write(measured, screen, as_json)
                if every_s is None:
                    return measured
                await asyncio.sleep(every_s)


def _write(lag: Lag, screen: Live | None, as_json: bool) -> None:
    if as_json:
        write_json(lag.as_json())
    elif screen is not None:
        screen.update(lag_table(lag), refresh=True)
    else:
        out.print(lag_table(lag))


def lag_table(lag: Lag) -> Table:
    """Make the table: a row a partition, and one of all together."""
    names = ("partition", "log end", "applied", "published", "lag records", "lag seconds")
    shown = table(*names, "catalogue", right=names)
    for column in shown.columns:  # at 80 columns only the headings of two words take a second line
        column.no_wrap = " " not in str(column.header)
    for each in lag.partitions:
        cells = [
            each.partition,
            f"{each.end:,}",
            Text("no state", "bold red") if each.applied is None else f"{each.applied:,}",
            "" if each.published is None else f"{each.published:,}",
            Text(f"{each.lag_records:,}", "yellow" if each.lag_records else ""),
            f"{each.lag_seconds:.1f}",
            each.catalogue[:12],
        ]
        shown.add_row(*row(cells))
    shown.add_section()
    shown.add_row(*row(["all", "", "", "", f"{lag.lag_records:,}", f"{lag.lag_seconds:.1f}", ""]))
    if any(each.history is not None for each in lag.partitions):
        shown.caption = _histories(lag)
        shown.caption_justify = "left"
    return shown


def _histories(lag: Lag) -> str:
    now_ms = SystemClock().wall_ms()
    said = defaultdict(list)
    for each in lag.partitions:
        if each.history is not None:
            said[each.history.said(now_ms)].append(each.partition)
    return "\n".join(f"history of {_partitions(those)}: {how}" for how, those in said.items())


def _partitions(numbers: Sequence[int]) -> str:
    return f"partition {numbers[0]}" if len(numbers) == 1 else f"partitions {', '.join(map(str, numbers))}"

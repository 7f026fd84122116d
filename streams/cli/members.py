"""`segue members`: the members of a segment, or the profiles for which an activation is active."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, aclosing
from pathlib import Path
from typing import Annotated

import typer

from rules.ground.words import count
from streams.cli.arguments import AlsoRestricted, read_instant
from streams.cli.render.progress import partition_progress
from streams.cli.render.rows import STDOUT, Form, Rows, open_rows
from streams.cli.render.terminal import tell, write_json
from streams.cli.running import run
from streams.operations.errors import WrongRequest
from streams.operations.member_columns import Column
from streams.operations.member_rows import Asked, pages_now
from streams.operations.members import members as members_of
from streams.operations.members_then import pages_then
from streams.operations.partitions import OnOffset
from streams.operations.servers import Servers


def members(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A segment's or an activation's id.")],
    activation: Annotated[
        bool, typer.Option("--activation", help="Take NAME for the activation, where a segment has that name too.")
    ] = False,
    at: Annotated[
        str | None, typer.Option(metavar="T", help="Who they were at this instant in the past (RFC 3339).")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="profile, since, version, reason, …, or any trait; see above."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write CSV; - for standard output.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Parquet; needs DuckDB.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many.")] = None,
    restricted: AlsoRestricted = False,
    as_json: Annotated[bool, typer.Option("--json", help='A line a member: {"profile":"…"}.')] = False,
) -> None:
    """List the members of a segment or the profiles of an activation.

    Writes a line each, in no order: for an activation, the profiles for which it is active now. Members come as last
    written to Redis; active profiles as published in the channel's snapshot. Exit status 1: the catalogue in force has
    no such segment or activation. One that uses restricted data needs [bold]--restricted[/bold].

    With a T in the past, the log of every partition is applied up to T, under the rules then in force. Columns of a
    segment: profile, since, version, reason, events, subjects, conditions, backfill; of an activation: profile, since,
    version, reason, events, subjects, channel, journey, arm, was. Any other name is a trait (trait:NAME where both have
    it). The subjects are those whose facts the member has: links make one person of them, and an alias is in nothing.
    Columns without a format are CSV on standard output. Profiles that were erased since T are left out.

    Example: segue members oncology-access-planners --columns profile,since,reason,specialty --csv members.csv
    """
    if sum((csv is not None, parquet is not None, as_json)) > 1:
        raise WrongRequest("give one of --csv, --parquet and --json")
    if parquet == STDOUT:
        raise WrongRequest("--parquet needs a file: Parquet is not written to standard output")
    at_ms = None if at is None else read_instant(at)
    file = csv or parquet
    if at_ms is None and columns is None and file is None:
        run(lambda servers: _list(servers, name, activation, limit, restricted, as_json))
        return
    asked = Asked(name, _names(columns, file is not None), activation, restricted)
    form: Form = "json" if as_json else "parquet" if parquet else "csv" if csv or columns else "lines"
    try:
        with partition_progress() as on_offset:
            written = run(
                lambda servers: _table(
                    servers, asked, at_ms, on_offset, limit, lambda found: open_rows(found, form, file or STDOUT)
                )
            )
    except BrokenPipeError:
        raise
    except OSError as wrong:
        raise WrongRequest(f"{file or 'standard output'} cannot be written: {wrong.strerror}") from None
    if file is not None and file != STDOUT:
        tell(f"{count(written, 'member')} written to {file}")


async def _list(
    servers: Servers, name: str, activation: bool, limit: int | None, restricted: bool, as_json: bool
) -> None:
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


async def _table(
    servers: Servers,
    asked: Asked,
    at_ms: int | None,
    on_offset: OnOffset,
    limit: int | None,
    open_for: Callable[[Sequence[Column]], AbstractContextManager[Rows]],
) -> int:
    """Write the rows; return how many there were."""
    found = pages_now(servers, asked) if at_ms is None else pages_then(servers, asked, at_ms, on_offset)
    written = 0
    rows: Rows | None = None
    with ExitStack() as opened:
        async with aclosing(found) as pages:
            async for page in pages:
                if rows is None:
                    rows = opened.enter_context(open_for(page.wanted.columns))
                left = len(page.rows) if limit is None else limit - written
                rows.write(page.rows[:left])
                written += min(left, len(page.rows))
                if limit is not None and written >= limit:
                    break
    return written


def _names(columns: str | None, file: bool) -> tuple[str, ...]:
    """Return the columns asked for; none: the usual ones of a file."""
    if columns is None:
        return () if file else ("profile",)
    names = tuple(each.strip() for each in columns.split(","))
    if not all(names):
        raise WrongRequest(f"--columns {columns!r}: give names with a comma between them")
    return names

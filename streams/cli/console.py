"""What all commands share: where text goes, how a failure ends, how people's instants and subjects are read."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from rules.catalogue.policy import CHANNEL_NAME
from rules.ground.instants import format_instant, parse_instant
from streams.exits import Exit
from streams.operations.failure import Failure

PLAIN_WIDTH: Final = 240
"""Of tables where standard output is no terminal: wide enough that nothing is cut off."""


class _Console(Console):
    """Leaves it to the root of the commands to end when a reader has enough."""

    def on_broken_pipe(self) -> None:
        """Raise it again."""
        raise BrokenPipeError


err: Final = _Console(stderr=True, highlight=False, soft_wrap=True)
out: Final = _Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
Json = Annotated[bool, typer.Option("--json", help="One JSON value on standard output, for programs.")]
_SUBJECT: Final = re.compile(r"[^:|\x00-\x1f\x7f-\x9f]+:[^|\x00-\x1f\x7f-\x9f]+")


def fail(failure: Failure) -> int:
    """Say a failure on stderr, unstyled so that it can be grepped; return the exit status."""
    tell(*failure.lines)
    return int(failure.status)


def tell(*lines: object) -> None:
    """Write lines to stderr, unstyled."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, for programs: keys in order, a line."""
    write_line(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))


def write_line(line: bytes) -> None:
    """Write one line to stdout, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def table(*columns: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """Make a table for people; columns named in `right` are of numbers. Cells are texts as they are, never markup."""
    made = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", header_style="bold", pad_edge=False)
    numbers = set(right)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def row(cells: Sequence[object]) -> list[Text]:
    """Make a table's row: what is None stays empty."""
    return [each if isinstance(each, Text) else Text("" if each is None else str(each)) for each in cells]


def progress() -> Progress:
    """Make a progress display on stderr; nothing is shown where that is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=err, disable=not err.is_terminal, transient=True)


def read_instant(text: str) -> int:
    """Read T as people write it: RFC 3339 or epoch milliseconds. Ends the command with usage otherwise."""
    try:
        t_ms = int(text) if text.lstrip("-").isdecimal() else parse_instant(text)
        format_instant(t_ms)
    except (ValueError, OverflowError) as wrong:
        raise Failure(Exit.USAGE, f"{text!r} is no instant: {wrong}; give RFC 3339 or epoch milliseconds") from None
    return t_ms


def read_subject(text: str) -> str:
    """Read a subject, `kind:name`. Ends the command with usage otherwise, not repeating it."""
    if _SUBJECT.fullmatch(text) is None:
        raise Failure(Exit.USAGE, "SUBJECT must be kind:name, like hcp:1234567893, without | and control characters")
    return text


def read_channel(text: str) -> str:
    """Read the name of a channel. Ends the command with usage otherwise, also for `email.current`."""
    if re.fullmatch(CHANNEL_NAME, text) is None:
        raise Failure(Exit.USAGE, f"{text!r} is no channel: up to 64 of A-Z, a-z, 0-9, _ and -, like email")
    return text


def expect_file(path: Path) -> None:
    """See that a file can be read, or that it is `-`. Ends the command with usage otherwise.

    Typer's own check takes `-` for a file of that name.
    """
    if str(path) == "-":
        return
    if not path.is_file() and not path.is_fifo():
        raise Failure(Exit.USAGE, f"{path}: there is no such file")
    if not os.access(path, os.R_OK):
        raise Failure(Exit.USAGE, f"{path}: the file cannot be read")

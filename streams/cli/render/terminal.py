"""Where text goes: results to standard output, all else to standard error."""

import os
import sys
from typing import Any, Final

import orjson
from rich.console import Console

PLAIN_WIDTH: Final = 100
"""Columns of a table where standard output is no terminal, and COLUMNS says nothing: cells wrap by words."""


class _Console(Console):
    """A console that lets the root of the commands end when a reader has enough (`| head`)."""

    def on_broken_pipe(self) -> None:
        """Raise it again."""
        raise BrokenPipeError


err: Final = _Console(stderr=True, highlight=False, soft_wrap=True)
out: Final = _Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH)


def tell(*lines: object) -> None:
    """Write lines to stderr, unstyled so that they can be grepped."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, for programs: keys in order, a line."""
    write_line(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))


def write_line(line: bytes) -> None:
    """Write one line to stdout, at once."""
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()

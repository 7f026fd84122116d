"""What all commands share: where text goes, how a failure ends, how a person's instant is read."""

import sys
from enum import IntEnum
from typing import Any, Final

import orjson
from rich.console import Console

from rules.instants import parse_instant

err: Final = Console(stderr=True, highlight=False, soft_wrap=True)
out: Final = Console(highlight=False, soft_wrap=False)


class Exit(IntEnum):
    """Exit statuses (design section 7)."""

    DONE = 0
    WRONG_INPUT = 1
    USAGE = 2
    NOT_REACHABLE = 3


class Failure(Exception):
    """Ends a command: lines for stderr and an exit status. Never carries personal data."""

    def __init__(self, status: Exit, *lines: str) -> None:
        super().__init__(*lines)
        self.status = status
        self.lines = lines


def fail(failure: Failure) -> int:
    """Say a failure on stderr, unstyled so that it can be grepped; return the exit status."""
    for line in failure.lines:
        print(line, file=sys.stderr)
    return int(failure.status)


def write_json(value: Any) -> None:
    """Write one JSON value to stdout, for programs: keys in order, a line."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS) + b"\n")
    sys.stdout.buffer.flush()


def read_instant(text: str) -> int:
    """Read T as people write it: RFC 3339 or epoch milliseconds. Ends the command with usage otherwise."""
    try:
        return int(text) if text.lstrip("-").isdecimal() else parse_instant(text)
    except ValueError as wrong:
        raise Failure(Exit.USAGE, f"{text!r} is no instant: {wrong}; give RFC 3339 or epoch milliseconds") from None

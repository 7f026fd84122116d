"""Exit statuses of the commands."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses (docs/operations/running.md)."""

    DONE = 0
    WRONG_INPUT = 1
    USAGE = 2
    NOT_REACHABLE = 3
    INTERRUPTED = 130

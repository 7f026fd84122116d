"""Telling that a partition is waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

OnWait: TypeAlias = Callable[[int, bool], None]
"""Is called with (partition, whether it is waited for) when that changes."""


def untold(_partition: int, _waits: bool) -> None:
    """Tell nobody."""


@contextmanager
def told_of_waiting(partition: int, on_wait: OnWait) -> Iterator[Callable[[], None]]:
    """Yield what to call before each sleep: the first call tells that the wait began. At the end, that it is over.

    Where nothing was called, nothing is told.
    """
    waits = False

    def sleeps() -> None:
        nonlocal waits
        if not waits:
            waits = True
            on_wait(partition, True)

    try:
        yield sleeps
    finally:
        if waits:
            on_wait(partition, False)

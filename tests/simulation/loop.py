"""An event loop without a clock and without a system: time jumps to whatever is next, so waiting costs nothing.

One unit of its time is a turn: what takes time in a simulation says how many turns. Whoever is due at the same turn
goes in an order that depends on nothing but what was done before, so a run is the same every time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingHappens(AssertionError):
    """Everybody waits for somebody else."""


class TurnLoop(asyncio.BaseEventLoop):
    """Runs coroutines; `time` is in turns. No files, sockets, signals or threads."""

    def __init__(self) -> None:
        super().__init__()
        self._turn = 0.0
        self._selector = self

    def time(self) -> float:
        """Turns since the beginning."""
        return self._turn

    def select(self, timeout: float | None) -> list[Any]:
        """Go to the next timer. Raises NothingHappens where there is none."""
        if timeout is None:
            raise NothingHappens("nothing will ever happen")
        self._turn += timeout
        return []

    def _process_events(self, events: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """There is nobody to wake."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, as asyncio.run does."""
    with asyncio.Runner(loop_factory=TurnLoop) as runner:
        return runner.run(work)

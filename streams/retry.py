"""Ask again until there is an answer: one loop for everything that waits for the log, the store or a server.

    ask ──answer──▶ return it
     │
     └─a passing fault──▶ wait(attempt, fault) ──returns──▶ ask again
                                               ──raises───▶ that ends the loop

`until_answered` is the loop. The caller names the exceptions that are passing faults; every other exception goes
through at once. What happens between two attempts is the `Wait`: how long to wait, who is told, and when to give up.
`Patience` is the usual one; claims and the simulation give their own.

Why no library: tenacity and stamina (looked at in versions 9 and 25) measure deadlines with the process's own clock and
end a wait only with their own kind of event. This loop stands on the path of claims and checkpoints, where the
simulation runs on a clock of its own and a worker that leaves must be able to end every wait at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Final, Protocol, TypeVar

from streams.clock import Clock

T = TypeVar("T")

FIRST_MS: Final = 50
"""The wait before the second attempt: about one hiccup of a server in the same data centre."""
MOST_MS: Final = 5_000
"""The longest wait: a server that comes back is noticed within this."""

Passing = type[Exception] | tuple[type[Exception], ...]
"""The exceptions that mean "ask again"."""


def backoff_ms(attempt: int, *, first_ms: int = FIRST_MS, most_ms: int = MOST_MS) -> int:
    """Return the wait after failed attempt `attempt` (1, 2, …): doubles from `first_ms` up to `most_ms`."""
    return min(most_ms, first_ms << min(attempt - 1, 16))


class GivenUp(Exception):
    """A Patience ended without an answer. `fault` is the last passing fault (also the `__cause__`)."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(f"{type(fault).__name__}: {fault}")
        self.fault: Final = fault


class Wait(Protocol):
    """What happens between two attempts."""

    async def __call__(self, attempt: int, fault: Exception) -> None:
        """Wait after failed attempt `attempt` (1, 2, …). Raise in order to end the loop."""
        ...


def tell_nobody(attempt: int, fault: Exception) -> None:
    """Keep the fault to oneself."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Wait between attempts: twice as long each time, from `first_ms` to `most_ms`, by the given clock."""

    clock: Clock
    ended: asyncio.Event | None = None
    """Give up when it is set; a wait in progress ends at once."""
    until_ms: float | None = None
    """Give up after the first attempt that fails later than this (steady clock, `clock.now_ms`)."""
    tell: Callable[[int, Exception], None] = tell_nobody
    """Called with (attempt, fault) before each wait: for a status and for logs. May raise in order to end the loop."""
    first_ms: int = FIRST_MS
    most_ms: int = MOST_MS

    async def __call__(self, attempt: int, fault: Exception) -> None:
        """See Wait. Raises GivenUp: `ended` is set, or `until_ms` has passed."""
        late = self.until_ms is not None and self.clock.now_ms() > self.until_ms
        if late or self._ended():
            raise GivenUp(fault) from fault
        self.tell(attempt, fault)
        length_ms = backoff_ms(attempt, first_ms=self.first_ms, most_ms=self.most_ms)
        if self.ended is None:
            await self.clock.sleep(length_ms)
        else:
            await self.clock.wait(self.ended, length_ms)
            if self._ended():
                raise GivenUp(fault) from fault

    def _ended(self) -> bool:
        return self.ended is not None and self.ended.is_set()


async def until_answered(ask: Callable[[], Awaitable[T]], passing: Passing, wait: Wait) -> T:
    """Return the answer of `ask`, which is called until it raises no `passing` exception; at least once.

    Raises whatever else `ask` raises, and whatever `wait` raises. Does not catch CancelledError.
    """
    for attempt in count(1):
        try:
            return await ask()
        except passing as fault:
            last = fault
        # outside the except block: what `wait` raises is not "during handling of" the fault
        await wait(attempt, last)
    raise AssertionError("count() has no end")

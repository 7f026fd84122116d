"""Time, given in: the wall clock that guards and asks, and the steady one that paces. Neither ever decides a change."""

import asyncio
import contextlib
import time
from typing import Protocol


class Clock(Protocol):
    """What may be asked of time. The simulation has its own; a test moves it by hand."""

    def wall_ms(self) -> int:
        """UTC epoch ms: for guarding timestamps and for asking for ticks."""
        ...

    def now_ms(self) -> float:
        """Milliseconds from any start; never goes back: for pacing."""
        ...

    async def sleep(self, length_ms: float) -> None:
        """Wait that long."""
        ...

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        """Wait until the event is set, but no longer than that."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall_ms(self) -> int:
        """See Clock."""
        return time.time_ns() // 1_000_000

    def now_ms(self) -> float:
        """See Clock."""
        return time.monotonic() * 1000

    async def sleep(self, length_ms: float) -> None:
        """See Clock."""
        await asyncio.sleep(length_ms / 1000)

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        """See Clock. The event is left as it is; no task is made, unlike by `wait_for`."""
        if not event.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, length_ms) / 1000):
                    await event.wait()


def backoff_ms(attempt: int, *, first_ms: int = 50, most_ms: int = 5_000) -> int:
    """How long to wait before attempt n (1, 2, …): doubles from `first_ms` to `most_ms`."""
    return min(most_ms, first_ms << min(attempt - 1, 16))

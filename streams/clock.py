"""Time as an argument: a wall clock for guards and ticks, a steady clock for pace. Neither ever decides a change."""

import asyncio
import contextlib
import time
from typing import Protocol


class Clock(Protocol):
    """The time that the code may ask for. The simulation has its own clock; tests move theirs by hand."""

    def wall_ms(self) -> int:
        """Return UTC epoch ms: for guards of timestamps and for ticks."""
        ...

    def now_ms(self) -> float:
        """Return ms since any start; never goes back. For pace and deadlines."""
        ...

    async def sleep(self, length_ms: float) -> None:
        """Wait for `length_ms`."""
        ...

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        """Wait until the event is set, at most `length_ms`. The event is left as it is."""
        ...


class SystemClock(Clock):
    """The machine's clocks."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_ms(self) -> float:
        return time.monotonic() * 1000

    async def sleep(self, length_ms: float) -> None:
        await asyncio.sleep(length_ms / 1000)

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        # no wait_for: it would make a task
        if not event.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, length_ms) / 1000):
                    await event.wait()

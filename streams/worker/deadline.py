"""Waiting for tasks, no longer than a deadline."""

import asyncio
from collections.abc import Iterable

from streams.clock import Clock


async def unfinished(
    tasks: "Iterable[asyncio.Task[None]]", clock: Clock, deadline_ms: float
) -> "set[asyncio.Task[None]]":
    """Wait until the tasks are done or the deadline has passed. Returns the tasks that are not done."""
    alarm = asyncio.ensure_future(clock.sleep(deadline_ms))
    pending = set(tasks)
    while pending and not alarm.done():
        _, waiting = await asyncio.wait({*pending, alarm}, return_when=asyncio.FIRST_COMPLETED)
        pending = waiting - {alarm}
    alarm.cancel()
    return pending

"""The clock of the machine."""

import asyncio

from streams.clock import SystemClock


async def test_waiting_leaves_the_event_as_it_is() -> None:
    event, clock = asyncio.Event(), SystemClock()
    await clock.wait(event, 1)
    assert not event.is_set()
    event.set()
    await clock.wait(event, 60_000)
    assert event.is_set()

"""The requests under way: several at the same time, each with its own changes."""

import asyncio
import contextlib
from collections.abc import Sequence

from streams.delivery.hand import Hand
from streams.delivery.sender import Abandoned, Sender
from streams.delivery.window import Parcel, SendWindow


class Flights:
    """Takes changes out of the hand and has them sent."""

    def __init__(self, hand: Hand, sender: Sender) -> None:
        self._hand = hand
        self._sender = sender
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Send one request after another, for ever. Raises Stopped, and our bugs."""
        hand = self._hand
        while True:
            hand.stir.clear()
            parcels = [] if hand.closing.is_set() else hand.window.take()
            if not parcels:
                await hand.stir.wait()
                continue
            flight = asyncio.create_task(self._fly(parcels, hand.window))
            self._under_way.add(flight)
            try:
                await asyncio.wait({flight})
            finally:
                self._under_way.discard(flight)
            if not flight.cancelled():
                flight.result()

    async def land(self, deadline_ms: int) -> None:
        """Wait for the requests under way, and cut off those that are not answered within the deadline."""
        flights = set(self._under_way)
        if flights:
            await asyncio.wait(flights, timeout=deadline_ms / 1000)
            for flight in flights:
                flight.cancel()
            await asyncio.wait(flights)

    async def _fly(self, parcels: Sequence[Parcel], window: SendWindow) -> None:
        with contextlib.suppress(Abandoned):
            await self._sender.deliver(parcels, lambda settled: self._hand.settle(settled, window))

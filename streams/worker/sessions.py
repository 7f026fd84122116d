"""The sessions of a worker. A session is a ring of producers and its publisher, for all partitions of the worker.

Any doubt ends the session. The next session has a ring of its own; the old ring is then an earlier claimant like any
other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from streams.clock import Clock
from streams.errors import NotReachable
from streams.log.terms import Log, Ring
from streams.operations.owners import ring_name
from streams.partition.publisher import Publisher
from streams.partition.status import PartitionStatus
from streams.retry import GivenUp, Patience, until_answered
from streams.worker.status import WorkerStatus

CLOSE_MS: Final = 5_000
"""How long a publisher has to end after its last transaction."""


@dataclass(frozen=True, slots=True)
class Session:
    """A ring, and the publisher that publishes through it."""

    ring: Ring
    publisher: Publisher
    publishing: "asyncio.Task[None]"

    @property
    def over(self) -> bool:
        """Whether a doubt has ended it."""
        return self.ring.over or self.publisher.over

    async def close(self) -> None:
        """End the session after the transaction in hand."""
        await self.publisher.close()
        await asyncio.wait({self.publishing}, timeout=CLOSE_MS / 1000)
        await self.ring.close()


class Sessions:
    """Keeps the session in use, and opens the next one when it is asked for."""

    def __init__(
        self,
        log: Log,
        ring_size: int,
        publisher: Callable[[Ring], Publisher],
        guarded: Callable[[Awaitable[None]], Awaitable[None]],
        clock: Clock,
        status: WorkerStatus,
    ) -> None:
        """`publisher` makes a publisher over a new ring. `guarded` runs it, and ends the worker if it raises."""
        self._log = log
        self._ring_size = ring_size
        self._publisher = publisher
        self._guarded = guarded
        self._clock = clock
        self._status = status
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.current: Session | None = None

    async def live(self, leaving: asyncio.Event, status: PartitionStatus) -> Session | None:
        """Return the session in use, or a new one. Waits while the log is away. None: `leaving` was set meanwhile."""
        async with self._opening:
            if self.current is not None and not self.current.over:
                return self.current
            self._retire()
            if leaving.is_set():
                return None

            def tell(attempt: int, fault: Exception) -> None:
                status.waiting_for = f"the log: {fault}"

            patience = Patience(self._clock, ended=leaving, tell=tell)
            try:
                ring = await until_answered(lambda: self._log.open_ring(self._ring_size), NotReachable, patience)
            except GivenUp:
                return None
            status.waiting_for = ""
            self._status.rings += 1
            self._status.worker = ring_name(ring.name)
            publisher = self._publisher(ring)
            publishing = asyncio.ensure_future(self._guarded(publisher.run()))
            self.current = Session(ring, publisher, publishing)
            return self.current

    def _retire(self) -> None:
        """Close the session that is over, in a task of its own."""
        if self.current is not None:
            task = asyncio.ensure_future(self.current.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self.current = None

    async def close(self) -> None:
        """Close the session in use, and wait for every session that is being closed."""
        self._retire()
        await asyncio.gather(*self._closing, return_exceptions=True)

"""The partitions that the consumer group has given to this worker: each is run until it is let go."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from streams.actions import bind, told
from streams.clock import Clock
from streams.exits import Exit
from streams.partition.runner import PartitionRunner, TenureEnd
from streams.partition.shared import PartitionShared
from streams.partition.status import PartitionStatus
from streams.store.terms import PartitionStore
from streams.worker.deadline import unfinished
from streams.worker.sessions import Sessions
from streams.worker.status import WorkerStatus

log = logging.getLogger(__name__)

INCIDENT_RETRY_MS: Final = 30_000
"""A stopped partition is claimed again after so long: its cause may have been repaired."""
DOUBT_PAUSE_MS: Final = 50
"""Before the next claim after a doubt."""


@dataclass(slots=True)
class HeldPartition:
    """A partition that the group has given us."""

    runner: PartitionRunner
    store: PartitionStore
    leaving: asyncio.Event
    """Set when it is to be let go."""
    tending: "asyncio.Task[None] | None" = None


class Holding:
    """The partitions held, one task for each."""

    def __init__(
        self,
        shared: PartitionShared,
        store: Callable[[int], PartitionStore],
        sessions: Sessions,
        status: WorkerStatus,
        overtaken_pause_ms: float,
        fail: Callable[[str, Exit], None],
    ) -> None:
        """`overtaken_pause_ms`: how long the group has to say that a partition is another worker's.

        `fail(why, status)` ends the worker.
        """
        self._shared = shared
        self._clock: Clock = shared.clock
        self._store = store
        self._sessions = sessions
        self._status = status
        self._fail = fail
        self._pauses_ms: Mapping[TenureEnd, float] = {
            TenureEnd.DOUBT: DOUBT_PAUSE_MS,
            TenureEnd.OVERTAKEN: overtaken_pause_ms,
            TenureEnd.INCIDENT: INCIDENT_RETRY_MS,
        }
        self._held: dict[int, HeldPartition] = {}

    @property
    def count(self) -> int:
        """How many partitions are held."""
        return len(self._held)

    @property
    def runners(self) -> Mapping[int, PartitionRunner]:
        """The runner of each partition held."""
        return {partition: held.runner for partition, held in self._held.items()}

    def take(self, partitions: frozenset[int]) -> None:
        """Begin to run partitions that the group has given us."""
        for partition in sorted(partitions - self._held.keys()):
            status = self._status.partitions.setdefault(partition, PartitionStatus(partition))
            store = self._store(partition)
            held = HeldPartition(PartitionRunner(partition, store, self._shared, status), store, asyncio.Event())
            self._held[partition] = held
            held.tending = asyncio.ensure_future(self._tend(partition, held))

    async def let_go(self, partitions: frozenset[int], deadline_ms: float, farewell_ms: float) -> None:
        """Let go of partitions: in order within the deadline, else by abandoning them within `farewell_ms`."""
        going = {partition: self._held[partition] for partition in partitions if partition in self._held}
        for held in going.values():
            held.leaving.set()
            held.runner.release()
        tasks = {held.tending for held in going.values() if held.tending is not None}
        if tasks:
            late = await unfinished(tasks, self._clock, deadline_ms)
            for task in late:
                task.cancel()
            if late:
                extra = told("partitions_abandoned", count=len(late))
                log.warning("%d partitions were abandoned: they were not finished in time", len(late), extra=extra)
                await unfinished(late, self._clock, farewell_ms)
        for partition, held in going.items():
            self._held.pop(partition, None)
            self._status.retire(partition)
            if self._shared.tally is not None:
                self._shared.tally.retire(partition)
            with contextlib.suppress(Exception):
                await held.store.close()

    async def let_go_of_all(self, deadline_ms: float, farewell_ms: float) -> None:
        """Let go of every partition held."""
        await self.let_go(frozenset(self._held), deadline_ms, farewell_ms)

    def doubt(self, error: BaseException) -> None:
        """Tell every partition that the ring of producers is over."""
        for held in self._held.values():
            held.runner.on_doubt(error)

    async def _tend(self, partition: int, held: HeldPartition) -> None:
        """Run a partition's tenures, one after the other, until it is let go."""
        bind(partition=partition)
        try:
            while not held.leaving.is_set():
                session = await self._sessions.live(held.leaving, held.runner.status)
                if session is None or held.leaving.is_set():
                    return
                end = await held.runner.run(session.publisher, session.ring)
                if end is TenureEnd.RELEASED:
                    return
                await self._clock.wait(held.leaving, self._pauses_ms[end])
        except asyncio.CancelledError:
            if self._sessions.current is not None:
                await self._sessions.current.publisher.drop(partition)
            raise
        except Exception as error:
            # our bug: nothing of the record at hand is published
            log.exception("partition %d: a bug", partition, extra=told("bug", partition=partition))
            self._fail(f"partition {partition}: a bug ({type(error).__name__}), see the log", Exit.WRONG_INPUT)

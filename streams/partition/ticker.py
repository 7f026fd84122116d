"""Append the ticks of one partition: the owner asks, `Ticks` says when."""

from typing import Final

from streams.errors import NotReachable
from streams.partition.applier import Applier
from streams.partition.beside import Beside
from streams.partition.shared import PartitionShared
from streams.partition.status import PartitionStatus
from streams.partition.ticks import Ticks

LOOK_MS: Final = 1_000
"""Longest time between two looks whether a wake is due."""


class Ticker:
    """Appends one tick at a time, from one `meta` on."""

    def __init__(
        self,
        partition: int,
        shared: PartitionShared,
        applier: Applier,
        status: PartitionStatus,
        appending: Beside[None],
    ) -> None:
        self._partition = partition
        self._shared = shared
        self._applier = applier
        self._status = status
        self._appending = appending
        self._ticks = Ticks()

    async def look(self) -> float:
        """Append a tick if a wake is due by the wall clock; returns when to look again, in ms from now."""
        wall_ms = self._shared.clock.wall_ms()
        await self._applier.supplies.find_first_due(wall_ms)
        due_ms = self._applier.engine.next_due()
        self._status.next_due_ms = -1 if due_ms is None else due_ms
        if due_ms is not None and not self._appending.busy and self._ticks.wanted(due_ms, wall_ms):
            self._ticks.asked(due_ms, wall_ms)
            self._appending.start(self._append())
        ask_at_ms = self._ticks.ask_at_ms(due_ms)
        return LOOK_MS if ask_at_ms is None or ask_at_ms <= wall_ms else ask_at_ms - wall_ms

    def applied(self) -> None:
        """Note where the engine stands: the outstanding tick may be behind it."""
        engine = self._applier.engine
        self._ticks.applied(engine.offset, engine.clock_ms, self._shared.clock.wall_ms())

    async def _append(self) -> None:
        try:
            offset = await self._shared.log.append(self._shared.wire.tick(self._partition))
        except NotReachable:
            self._ticks.failed(self._shared.clock.wall_ms())
        else:
            self._ticks.appended(offset)
            # it may have been read before its offset was known
            self.applied()
            self._status.ticks += 1
            self._shared.on_point("tick")

"""Holding filling back, so that it does not crowd out live events (docs/operations/changing-rules.md).

Two limits: so many records a second over all partitions, written in small groups spread over the second; and none at
all while the partition is behind by more than so many records. Where nobody works on the partition there is nobody to
crowd out, so a partition whose published offset stands still is not waited for.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from streams.clock import Clock
from streams.operations.filling.waits import OnWait, told_of_waiting, untold

GROUP_MS = 50
"""Records are written in groups of so much time's worth."""
LOOK_MS = 200
"""How often the lag is looked at while records are written or held back."""
STANDS_STILL_MS = 15_000
"""After so long without progress of a partition nobody works on it. A worker publishes its progress every 2 s, and the
group gives the partitions of a dead worker to others after 10 s."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Offsets of one partition: the end of its log, and up to where its changes are published (0: not at all)."""

    end: int
    published: int


class Pace:
    """Says when the next group may be written, and how large it may be."""

    def __init__(
        self,
        records_per_s_max: int,
        lag_records_max: int,
        reached: Callable[[int], Awaitable[Reached]],
        clock: Clock,
        on_wait: OnWait = untold,
    ) -> None:
        """`reached` asks where a partition stands; `on_wait` is told when waiting for its worker begins and ends."""
        self.group = max(1, records_per_s_max * GROUP_MS // 1_000)
        """How many records to write at a time."""
        self.waited_ms = 0.0
        """How long writing waited for workers, in all."""
        self._records_per_s_max = records_per_s_max
        self._lag_records_max = lag_records_max
        self._reached = reached
        self._clock = clock
        self._on_wait = on_wait
        self._next_ms = 0.0
        self._looked_ms: dict[int, float] = {}
        self._moved: dict[int, tuple[int, float]] = {}
        """By partition: the published offset, and when it was first seen there."""

    async def begin(self, partitions: Sequence[int]) -> None:
        """Note where partitions stand, so that those on which nobody works are known when their turn comes."""
        for partition in partitions:
            self._moved[partition] = (await self._reached(partition)).published, self._clock.now_ms()

    async def turn(self, partition: int, records: int) -> None:
        """Wait until so many records may be written to a partition."""
        now_ms = self._clock.now_ms()
        if now_ms - self._looked_ms.get(partition, float("-inf")) >= LOOK_MS:
            await self._until_near(partition)
            self._looked_ms[partition] = now_ms = self._clock.now_ms()
        if self._next_ms > now_ms:
            await self._clock.sleep(self._next_ms - now_ms)
        self._next_ms = max(self._next_ms, now_ms) + records * 1_000 / self._records_per_s_max

    async def _until_near(self, partition: int) -> None:
        """Wait while the partition is far behind and somebody works on it."""
        began_ms = self._clock.now_ms()
        with told_of_waiting(partition, self._on_wait) as sleeps:
            while not await self._near(partition):
                sleeps()
                await self._clock.sleep(LOOK_MS)
                self.waited_ms += self._clock.now_ms() - began_ms
                began_ms = self._clock.now_ms()

    async def _near(self, partition: int) -> bool:
        reached = await self._reached(partition)
        now_ms = self._clock.now_ms()
        published, moved_ms = self._moved.get(partition, (-1, now_ms))
        if reached.published != published:
            self._moved[partition] = reached.published, now_ms
            moved_ms = now_ms
        return reached.end - reached.published <= self._lag_records_max or now_ms - moved_ms >= STANDS_STILL_MS

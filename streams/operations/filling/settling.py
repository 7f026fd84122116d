"""Waiting until workers have taken in the histories, and what follows from them, before a fill is ended.

The history of a subject that stands for another becomes facts of the other, which may live in another partition: its
worker passes them on as effects (docs/protocol.md, Effects). Whoever is judged before they came is judged by a part of
the person. So no fill of any partition ends before:

(1) The published offset of every partition has come to the end that its log had when the last history was there. Then
    all effects of the histories are in the log.
(2) That of every partition has come to the end that its log had after (1), if an effect of a history stands in between.
    Each round follows the links one step further. The last one finds no such effect.

Nothing waits for ever. A partition that nobody has claimed is not waited for. Nor is one whose published offset stands
still for STANDS_STILL_MS. ROUNDS_MAX rounds are enough for the longest chain of links that anybody means.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import orjson

from rules.engine.past import HISTORY_TYPE
from rules.engine.persons.effects import FACTS_TYPE, WITHDRAWN_TYPE
from rules.engine.persons.pieces import PIECE
from streams.clock import Clock
from streams.operations.filling.pace import STANDS_STILL_MS
from streams.operations.filling.past import Past
from streams.operations.filling.waits import OnWait, told_of_waiting, untold
from streams.records import Fetched

LOOK_MS: Final = 100
"""How often the published offsets are asked for."""
ROUNDS_MAX: Final = 50
"""A person has rarely more subjects than this, and a chain of links is not longer than the person."""


class Settling:
    """Waits for the workers of all partitions."""

    def __init__(
        self,
        partitions: int,
        end: Callable[[int], Awaitable[int]],
        published: Callable[[int], Awaitable[int]],
        claimed: Callable[[int], Awaitable[bool]],
        past: Past,
        clock: Clock,
        on_wait: OnWait = untold,
    ) -> None:
        """`end` asks for the offset after a partition's last record; `published` up to where its changes are published.

        `claimed` asks whether a worker has claimed it and not given it back.
        `on_wait` is told (partition, whether it is waited for) when that changes.
        """
        self.waited_ms = 0.0
        """How long it waited, in all."""
        self.left_out: set[int] = set()
        """The partitions that were not waited for to the end."""
        self._partitions = partitions
        self._end = end
        self._published = published
        self._claimed = claimed
        self._past = past
        self._clock = clock
        self._on_wait = on_wait

    async def settle(self) -> None:
        """Wait until what is in the log now is applied, and all that follows from its histories.

        Raises NotReachable, Unreachable.
        """
        began_ms = self._clock.now_ms()
        self.left_out = {each for each in range(self._partitions) if not await self._claimed(each)}
        ends = await self._ends()
        for _ in range(ROUNDS_MAX):
            for partition, end in ends.items():
                await self._until(partition, end)
            before, ends = ends, await self._ends()
            if not await self._history_between(before, ends):
                break
        else:
            self.left_out = {*range(self._partitions)}
        self.waited_ms += self._clock.now_ms() - began_ms

    async def _ends(self) -> dict[int, int]:
        return {each: await self._end(each) for each in range(self._partitions)}

    async def _until(self, partition: int, end: int) -> None:
        """Wait until a partition has come to an offset, or stands still."""
        stood, since_ms = -1, self._clock.now_ms()
        with told_of_waiting(partition, self._on_wait) as sleeps:
            while partition not in self.left_out:
                published = await self._published(partition)
                now_ms = self._clock.now_ms()
                if published >= end:
                    return
                if published != stood:
                    stood, since_ms = published, now_ms
                if now_ms - since_ms >= STANDS_STILL_MS:
                    self.left_out.add(partition)
                    return
                sleeps()
                await self._clock.sleep(LOOK_MS)

    async def _history_between(self, start: Mapping[int, int], end: Mapping[int, int]) -> bool:
        """Tell whether an effect of a history stands between some offsets."""
        for partition in start:
            if end[partition] > start[partition]:
                async for stretch in self._past.read(partition, start[partition], end[partition]):
                    if any(_follows_from_history(record) for record in stretch.records):
                        return True
        return False


def _follows_from_history(record: Fetched) -> bool:
    """Tell whether a record brings facts on that came from a history. Of a piece that is not known: it may."""
    value = record.value or b""
    if FACTS_TYPE.encode() not in value and WITHDRAWN_TYPE.encode() not in value:
        return False
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(found, dict) or found.get("type") not in (FACTS_TYPE, WITHDRAWN_TYPE):
        return False
    data = found.get("data")
    return isinstance(data, dict) and (PIECE in data or str(data.get("event")).endswith(f" {HISTORY_TYPE}"))

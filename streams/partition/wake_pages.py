"""Pages of wakes: bring the wakes of a partition, and the visits of a cut, from the store into an engine's queue.

The engine says up to where its queue is complete (`Partition.horizon`). `WakePages` moves that on, one page at a time,
in the canonical order (due, subject). Around a cut at T the order is: wakes due before T; then every subject of the
partition, standing at (T, subject); then wakes due at T or later.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, Protocol

from rules.engine.partition import BEGINNING_MS, Partition
from rules.ground.instants import FOREVER

LOOKAHEAD_MS: Final = 60_000
"""How far beyond the instant asked for a page reaches, so that not every record needs a page."""
PAGE: Final = 500
"""Wakes or visits in a page: their profiles stay in memory until they have fired."""
SCAN: Final = 2_000
"""Subjects in one step of a scan."""


class WakeSource(Protocol):
    """What paging asks of the store, with tokens compared; see PartitionStore."""

    async def load(self, subjects: Sequence[str]) -> None:
        """Give the engine the profiles among these that it does not have."""
        ...

    async def due(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """See PartitionStore.due."""
        ...

    async def subjects(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """See PartitionStore.subjects."""
        ...


class WakePages:
    """Pages wakes and visits into one engine."""

    def __init__(self, engine: Partition, source: WakeSource) -> None:
        self._engine = engine
        self._source = source
        self._visit_ms: int | None = None
        self._subjects: list[str] = []
        """Every subject that the store has, for the visits at `_visit_ms`."""

    def complete_to(self, instant_ms: int) -> bool:
        """Tell whether the queue holds every wake due before an instant."""
        horizon = self._engine.horizon
        return horizon is None or horizon >= (instant_ms, "")

    async def widen(self, before_ms: int) -> None:
        """Give the engine one page more, on the way to wakes due before an instant and somewhat beyond."""
        horizon = self._engine.horizon
        if horizon is None:
            return
        visit_ms = next((t_ms for t_ms in self._engine.unvisited_ms() if horizon < (t_ms + 1, "")), None)
        if visit_ms is not None and horizon >= (visit_ms, ""):
            await self._visits(visit_ms, horizon[1] if horizon[0] == visit_ms else "")
        else:
            ahead_ms = max(before_ms, horizon[0] + 1) + LOOKAHEAD_MS
            ahead_ms = min(ahead_ms, FOREVER if visit_ms is None else visit_ms)
            await self._due(ahead_ms, None if horizon[0] == BEGINNING_MS else horizon)

    async def _due(self, before_ms: int, after: tuple[int, str] | None) -> None:
        entries = await self._source.due(before_ms, after, PAGE)
        await self._source.load([subject for _, subject in entries])
        self._engine.give_wakes(entries, entries[-1] if len(entries) == PAGE else (before_ms, ""))

    async def _visits(self, visit_ms: int, after: str) -> None:
        if self._visit_ms != visit_ms:
            self._subjects, self._visit_ms = await self._scan(), visit_ms
        start = bisect_right(self._subjects, after)
        page = self._subjects[start : start + PAGE]
        await self._source.load(page)
        done = start + PAGE >= len(self._subjects)
        # past the last subject no wake of the cut's instant is left either: its visit absorbs it
        horizon = (visit_ms + 1, "") if done else (visit_ms, page[-1])
        self._engine.give_wakes([(visit_ms, subject) for subject in page], horizon)
        if done:
            self._subjects, self._visit_ms = [], None

    async def _scan(self) -> list[str]:
        found: set[str] = set()
        cursor, subjects = await self._source.subjects(0, SCAN)
        found.update(subjects)
        while cursor:
            cursor, subjects = await self._source.subjects(cursor, SCAN)
            found.update(subjects)
        return sorted(found)

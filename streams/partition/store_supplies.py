"""What an engine lacks, from the store of its partition; and the profiles that are kept in memory.

A profile is *clean* while the store has it as memory has it. Clean profiles beyond a limit are forgotten, the one that
was touched longest ago first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.partition import Partition
from streams.partition.checkpoints import Checkpoints
from streams.partition.wake_pages import WakePages

EVICT_MAX: Final = 2_000
"""Profiles looked at for eviction at one boundary."""


class StoreSupplies:
    """Supplies one engine (`streams.partition.driver.Supplies`). All reads raise Gap, Fenced, Incident."""

    def __init__(
        self, engine: Partition, checkpoints: Checkpoints, catalogue: Callable[[str], Awaitable[Catalogue]]
    ) -> None:
        self._engine = engine
        self._checkpoints = checkpoints
        self._catalogue = catalogue
        self._pages = WakePages(engine, self)
        self._clean: OrderedDict[str, None] = OrderedDict()
        """Clean subjects in memory, the one that was touched longest ago first."""

    async def catalogue(self, digest: str) -> Catalogue:
        """Return the catalogue of a hash."""
        return await self._catalogue(digest)

    async def load(self, subjects: Sequence[str]) -> None:
        """Give the engine the profiles among these that it lacks, in one read."""
        engine = self._engine
        # in one order, whatever a set's order was: the simulation repeats itself by its seed
        missing = sorted({subject for subject in subjects if engine.lacks(subject)})
        if not missing:
            return
        for subject, blob in zip(missing, await self._checkpoints.profiles(missing), strict=True):
            engine.give_profile(subject, blob)
            if blob is not None:
                self._clean[subject] = None

    async def widen(self, before_ms: int) -> None:
        """Give the engine one more page of wakes and visits."""
        await self._pages.widen(before_ms)

    async def turn(self) -> None:
        """Let the other tasks of the worker run."""
        await asyncio.sleep(0)

    async def find_first_due(self, before_ms: int) -> None:
        """Give the engine wakes until it knows the first one, or that none is due before an instant.

        Not all of them: after a cut every profile of the partition is due, and each that is read stays in memory.
        """
        while not self._pages.complete_to(before_ms):
            due_ms = self._engine.next_due()
            if due_ms is not None and self._pages.complete_to(due_ms):
                break
            await self._pages.widen(before_ms)

    # -- what the pages read

    async def due(self, before_ms: int, after: tuple[int, str] | None, limit: int) -> list[tuple[int, str]]:
        """Read wakes; see PartitionStore.due."""
        return await self._checkpoints.due(before_ms, after, limit)

    async def subjects(self, cursor: int, count: int) -> tuple[int, list[str]]:
        """Scan subjects; see PartitionStore.subjects."""
        return await self._checkpoints.subjects(cursor, count)

    # -- memory

    def touched(self, subjects: Iterable[str]) -> None:
        """Note that a slice took these: the store has them no longer as memory has them."""
        for subject in subjects:
            self._clean.pop(subject, None)

    def written(self, subjects: Iterable[str]) -> None:
        """Note that the store has these as memory has them."""
        for subject in subjects:
            self._clean[subject] = None

    def evict(self, kept_max: int) -> None:
        """Forget clean profiles beyond a limit.

        The engine keeps those that it needs soon: a wake of theirs is near. They are touched then, and are clean again
        when they are written; so is what a slice not yet written holds. Until then nobody asks again.
        """
        for _ in range(min(len(self._clean) - kept_max, EVICT_MAX)):
            subject, _ = self._clean.popitem(last=False)
            if not self._checkpoints.holds(subject):
                self._engine.forget(subject)

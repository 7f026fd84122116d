"""Drive an engine: feed it a record, give it what it says it lacks, feed it again.

The engine is pure and does not wait (`rules.engine.partition`); this waits for it. It is the one driver of a worker's
partition and of a shadow of one (`streams.operations.shadow`). A replay of a file has everything in memory, so there
nothing is ever lacking (`rules.engine.outcome.whole`).
"""

from collections.abc import Sequence
from typing import Protocol

from rules.catalogue.catalogue import Catalogue
from rules.engine.outcome import Applied, Need, NeedCatalogue, NeedProfiles, NeedTurn
from rules.engine.partition import Partition
from rules.engine.record import Record


class Supplies(Protocol):
    """Where what an engine lacks comes from."""

    async def catalogue(self, digest: str) -> Catalogue:
        """Return the catalogue of a hash. Raises Incident: it is nowhere."""
        ...

    async def load(self, subjects: Sequence[str]) -> None:
        """Give the engine the profiles among these that it lacks."""
        ...

    async def widen(self, before_ms: int) -> None:
        """Give the engine one more page of wakes and visits, on the way to those due before an instant."""
        ...

    async def turn(self) -> None:
        """Let others compute."""
        ...


class Driver:
    """One engine and its supplies."""

    __slots__ = ("_supplies", "engine")

    def __init__(self, engine: Partition, supplies: Supplies) -> None:
        self.engine = engine
        self._supplies = supplies

    async def feed(self, record: Record) -> Applied:
        """Apply a record, whatever it lacks. Where a supply raises, the engine may stand within it: drop the engine."""
        outcome = self.engine.feed(record)
        while not isinstance(outcome, Applied):
            await self.supply(outcome)
            outcome = self.engine.feed(record)
        return outcome

    async def supply(self, need: Need) -> None:
        """Give the engine what it lacks, or a part of it."""
        if isinstance(need, NeedCatalogue):
            self.engine.give_catalogue(need.catalogue, await self._supplies.catalogue(need.catalogue))
        elif isinstance(need, NeedProfiles):
            await self._supplies.load(need.subjects)
        elif isinstance(need, NeedTurn):
            await self._supplies.turn()
        else:
            await self._supplies.widen(need.before_ms)

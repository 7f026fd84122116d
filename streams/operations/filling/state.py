"""How much of a partition's history is read: for `segue lag`, `segue explain` and a worker's /status."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.log.terms import Log
from streams.settings import Deployment
from streams.wire.fills import StoredFill, read_fills

SILENT_MS = 30_000
"""After so long without a word nobody reads any more. A filler writes every second, unless it waits for a worker."""


@dataclass(frozen=True, slots=True)
class HistoryState:
    """What is open of a partition's history. `cuts`: how many cuts wait for it; at least one."""

    cuts: int
    share: float
    """How much of the work for these cuts is done, from 0 to 1."""
    heard_ms: int
    """When a filler or an apply last wrote of it."""

    def said(self, now_ms: int) -> str:
        """Say it in a clause, for people: `being read: 60 %`."""
        percent = f"{100 * self.share:.0f} %"
        if now_ms - self.heard_ms < SILENT_MS and self.share > 0:
            return f"being read: {percent}"
        return f"read to {percent}: run `segue fill`"


def history_state(fills: Sequence[StoredFill]) -> HistoryState | None:
    """Tell what is open, from the records of one partition; None: nothing is."""
    waiting = [each for each in fills if not each.fill.filled]
    if not waiting:
        return None
    share = sum(each.fill.share for each in waiting) / len(waiting)
    return HistoryState(len(waiting), share, max(each.at_ms for each in waiting))


async def read_history_state(log: Log, deployment: Deployment, partition: int) -> HistoryState | None:
    """Read what is open of a partition's history; None: nothing is. Raises NotReachable."""
    return history_state(read_fills(await log.read_to_end(deployment.fills_topic, partition)))

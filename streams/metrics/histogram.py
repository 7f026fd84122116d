"""A histogram that is cheap to fill many values at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

LATENCY_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""From a record to its commit: ms while caught up, hours after an outage."""
CALL_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Of one call to a server, or of one chunk."""


class Histogram:
    """Counts values by upper bounds, all in seconds."""

    __slots__ = ("_counts", "bounds", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` rise; the bound +Inf is not among them."""
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value; one below 0 (clocks differ) counts as 0."""
        value = max(0.0, value)
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def observe_ages(self, since_ms: Sequence[int], now_ms: int) -> None:
        """Count the ages of many instants at `now_ms`; an instant that is still to come is of age 0.

        Sorts them once and looks each bound up, so that the cost is mostly that of sorting.
        """
        stamps = sorted(since_ms)
        total = len(stamps)
        younger = total
        for place, bound in enumerate(self.bounds):
            # of this age or younger: stamped at now - bound or later
            reached = bisect_left(stamps, now_ms - bound * 1000)
            self._counts[place] += younger - reached
            younger = reached
        self._counts[-1] += younger
        past = bisect_right(stamps, now_ms)
        self.sum += (past * now_ms - sum(stamps[:past])) / 1000

    def buckets(self) -> list[tuple[str, float]]:
        """Return (upper bound as text, how many values up to it) for each bound and +Inf."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, (float(count) for count in accumulate(self._counts)), strict=True))

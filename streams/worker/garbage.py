"""Keep Python's cyclic garbage collector from standing still over state that has no cycles.

A worker's memory is mostly profiles, hundreds of objects each, and all of them end by their reference counts. A full
collection looks at every one: 0.2 to 0.3 s with 20,000 profiles in memory, again and again while they grow in number,
and no event is applied meanwhile. Here young objects are collected as ever, and what has lived for a while is set aside
(`gc.freeze`) instead. A cycle that was alive when it was set aside and died later is found after a rebalance, when the
profiles are gone and a full collection costs nothing, or once a day.
"""

import gc
from typing import Final, Self

from streams.clock import Clock

THRESHOLDS: Final = (2_000, 10, 1_000_000)
"""Of the generations: net new objects, collections of the first, collections of the second (never)."""
LOOK_EVERY_MS: Final = 1_000
AGED_MAX: Final = 5
"""Collections of the second generation, of 20,000 net new objects each, after which what lives is set aside."""
FULL_EVERY_MS: Final = 24 * 3_600_000


class Garbage:
    """Minds the collector of this process while it is entered; afterwards that is as it was."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = gc.get_threshold()
        self._rebalances = -1
        self._full_at_ms = clock.now_ms()

    def __enter__(self) -> Self:
        """Take over."""
        self._before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        gc.set_threshold(*self._before)
        gc.unfreeze()

    def look(self, rebalances: int) -> None:
        """Set aside what has aged; collect everything where `rebalances` is another number than before."""
        now_ms = self._clock.now_ms()
        if rebalances != self._rebalances or now_ms >= self._full_at_ms + FULL_EVERY_MS:
            self._rebalances, self._full_at_ms = rebalances, now_ms
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        elif gc.get_count()[2] >= AGED_MAX:
            gc.freeze()

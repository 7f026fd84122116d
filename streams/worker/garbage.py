"""Keep Python's cyclic garbage collector from standing still over state that has no cycles.

A worker's memory is mostly profiles, each of hundreds of objects, and reference counts free all of them. A full
collection looks at every object: 0.2 to 0.3 s with 20,000 profiles in memory, again and again while their number grows,
and no event is applied meanwhile. One of the second generation took 4 to 14 ms, and found next to nothing. `Garbage`
has young objects collected as usual, and sets aside what outlived that (`gc.freeze`). A cycle that dies later is found
once a day, or once partitions are assigned again: the profiles are gone then, and a full collection costs 0.1 s. The
first assignment needs none: nothing was applied before it, and a worker that comes back after a crash has no time to
lose.
"""

import gc
from typing import Final, Self

from streams.clock import Clock

THRESHOLDS: Final = (500, 1_000_000, 1_000_000)
"""When each generation is collected: the first after so many net new objects, the others never. A collection takes 1 to
2 µs an object, and nothing else runs meanwhile."""
LOOK_EVERY_MS: Final = 1_000
AGED_MAX: Final = 20
"""Living objects are set aside after so many collections of the first generation: 500 net new objects each."""
FULL_EVERY_MS: Final = 24 * 3_600_000


class Garbage:
    """Minds the collector of this process while it is entered, and restores its thresholds at the exit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._before = gc.get_threshold()
        self._assignments = 0
        self._collections = _young_collections()
        self._full_at_ms = clock.now_ms()

    def __enter__(self) -> Self:
        """Take the collector over."""
        self._before = gc.get_threshold()
        gc.set_threshold(*THRESHOLDS)
        return self

    def __exit__(self, *error: object) -> None:
        """Give the collector back."""
        gc.set_threshold(*self._before)
        gc.unfreeze()

    def look(self, assignments: int) -> None:
        """Set aged objects aside. Collect everything once a day, and when partitions were assigned again.

        `assignments`: how often partitions were assigned so far.
        """
        now_ms = self._clock.now_ms()
        again = assignments > max(1, self._assignments)
        self._assignments = assignments
        if again or now_ms >= self._full_at_ms + FULL_EVERY_MS:
            self._full_at_ms = now_ms
            gc.unfreeze()
            gc.collect()
            gc.freeze()
        elif _young_collections() - self._collections >= AGED_MAX:
            self._collections = _young_collections()
            gc.freeze()


def _young_collections() -> int:
    """How many collections there were that looked at young objects (from Python 3.14 on those of generation 1 do)."""
    return sum(each["collections"] for each in gc.get_stats()[:2])

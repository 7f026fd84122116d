"""How long the broker gathers records for a fetch: longer, the busier this process is.

A fetch of few records costs nearly as much as one of many: an answer, and for each partition in it a look for profiles
and a chunk. A worker with time to spare takes records as they come; one without makes everyone wait for its fetches.
Where something else keeps it from the processor (a limit, a full machine) it does not count as busy.
"""

import time
from collections.abc import Callable
from typing import Final

GATHER_MS: Final = 5
"""How long the broker gathers records while this process has time to spare. Without it every arrival costs a fetch …"""
GATHER_BUSY_MS: Final = 15
"""… and how long while it has none."""
SPARE: Final = 0.5
"""With this share of a core in use, or less, it has time to spare …"""
BUSY: Final = 0.8
"""… and with this share, or more, none. Between the two the wait is between."""
LOOK_EVERY_S: Final = 0.2


class Gathering:
    """Looks now and then how busy this process is."""

    def __init__(
        self, wall_s: Callable[[], float] = time.monotonic, cpu_s: Callable[[], float] = time.process_time
    ) -> None:
        """Begin with time to spare. `wall_s`, `cpu_s`: steady clocks, of time and of the time that it computed."""
        self._wall_s = wall_s
        self._cpu_s = cpu_s
        self._at_s = wall_s()
        self._used_s = cpu_s()
        self._wait_ms = GATHER_MS

    def wait_ms(self) -> int:
        """Return how long the broker is to gather records now."""
        now_s = self._wall_s()
        if now_s - self._at_s >= LOOK_EVERY_S:
            used_s = self._cpu_s()
            share = (used_s - self._used_s) / (now_s - self._at_s)
            self._at_s, self._used_s = now_s, used_s
            busy = min(1.0, max(0.0, (share - SPARE) / (BUSY - SPARE)))
            self._wait_ms = GATHER_MS + round(busy * (GATHER_BUSY_MS - GATHER_MS))
        return self._wait_ms

"""The time that a peer's timers go by."""

import time
from typing import Final

IDLE_S: Final = 0.5
"""A partition that brought nothing for so long is read to its end: its time is the wall's."""
LEEWAY_MS: Final = 50
"""Of the wall's time, for records that are stamped and not yet read."""


class Clock:
    """The time of each partition: that of its records while they come, the wall's when they have ended.

    A timer that went by the wall alone would fire early in a backlog, before events whose records stand earlier.
    """

    def __init__(self) -> None:
        """Know no record."""
        self._record_ms: dict[int, int] = {}
        self._seen_s: dict[int, float] = {}

    def saw(self, partition: int, record_ms: int) -> int:
        """Take in the timestamp of a record; returns the instant R of the record."""
        r_ms = max(record_ms, self._record_ms.get(partition, 0))
        self._record_ms[partition], self._seen_s[partition] = r_ms, time.monotonic()
        return r_ms

    def now_ms(self, partition: int) -> int:
        """Return an instant that every later record of the partition follows, as far as anybody can tell."""
        record_ms = self._record_ms.get(partition, 0)
        if time.monotonic() - self._seen_s.get(partition, 0.0) < IDLE_S:
            return record_ms - 1
        return max(record_ms - 1, int(time.time() * 1_000) - LEEWAY_MS)

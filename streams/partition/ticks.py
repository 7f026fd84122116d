"""Ticks: records that only move the clock, appended by a partition's owner when it is caught up and a wake is due.

The wall clock only decides when to ask; what happens is decided by the tick's own timestamp, which the broker gives.
There is one outstanding tick a partition. A tick that moved the clock past what was due is followed by another at once
only if something is still due (a record passes at most 1,000 wakes that publish); one that did not (the broker's clock
is behind ours) is followed after a pause.
"""

from typing import Final

PAUSE_MS: Final = 1_000
"""After a tick that did not help, or one that may not have been appended."""
LOST_MS: Final = 30_000
"""A tick that has not come back after so long is taken for lost (the input's end may be held up by a transaction)."""


class Ticks:
    """When to append the next tick of one partition."""

    __slots__ = ("_asked_ms", "_due_ms", "_not_before_ms", "_offset")

    def __init__(self) -> None:
        self._offset: int | None = None
        """Of the outstanding tick; -1: being appended."""
        self._asked_ms = 0
        self._due_ms = 0
        self._not_before_ms = 0

    def wanted(self, due_ms: int | None, wall_ms: int) -> bool:
        """Tell whether a tick is to be appended now; the caller has seen that the partition is caught up.

        A wake due at w fires before a record stamped later than w: the wall clock must have passed it.
        """
        if due_ms is None or due_ms >= wall_ms or wall_ms < self._not_before_ms:
            return False
        return self._offset is None or wall_ms - self._asked_ms > LOST_MS

    def ask_at_ms(self, due_ms: int | None) -> int | None:
        """When to look again; None: nothing will be due."""
        return None if due_ms is None else max(due_ms + 1, self._not_before_ms)

    def asked(self, due_ms: int, wall_ms: int) -> None:
        """Note that a tick is being appended."""
        self._offset, self._asked_ms, self._due_ms = -1, wall_ms, due_ms

    def appended(self, offset: int) -> None:
        """Note where it stands."""
        self._offset = offset

    def failed(self, wall_ms: int) -> None:
        """Note that it may not have been appended."""
        self._offset, self._not_before_ms = None, wall_ms + PAUSE_MS

    def applied(self, offset: int, clock_ms: int, wall_ms: int) -> None:
        """Note that records before `offset` were applied and the clock is there."""
        if self._offset is None or self._offset < 0 or offset <= self._offset:
            return
        self._offset = None
        if clock_ms <= self._due_ms:
            self._not_before_ms = wall_ms + PAUSE_MS

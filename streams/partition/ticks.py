"""Ticks: records that only move the clock, appended by a partition's owner when it is caught up and a wake is due.

The wall clock only decides when to ask. What happens is decided by the tick's own timestamp, which the broker gives.
A partition has one outstanding tick at most. When a tick has moved the clock past a due wake, the next one follows at
once if more is due (a record passes at most 1,000 wakes that publish). When it has not, because the broker's clock is
behind ours, the next one follows after a pause.
"""

from typing import Final

PAUSE_MS: Final = 1_000
"""The pause after a tick that did not help, or that may not have been appended."""
LOST_MS: Final = 30_000
"""A tick that has not come back after so long is taken for lost: a transaction may hold up the input's end."""


class Ticks:
    """Says when to append the next tick of one partition."""

    __slots__ = ("_asked_ms", "_due_ms", "_not_before_ms", "_offset")

    def __init__(self) -> None:
        self._offset: int | None = None
        """The offset of the outstanding tick; -1: it is being appended; None: there is none."""
        self._asked_ms = 0
        self._due_ms = 0
        self._not_before_ms = 0

    def wanted(self, due_ms: int | None, wall_ms: int) -> bool:
        """Tell whether to append a tick now. The caller has seen that the partition is caught up.

        A wake due at w fires before a record stamped later than w, so the wall clock must have passed w.
        """
        if due_ms is None or due_ms >= wall_ms or wall_ms < self._not_before_ms:
            return False
        return self._offset is None or wall_ms - self._asked_ms > LOST_MS

    def ask_at_ms(self, due_ms: int | None) -> int | None:
        """Return when to look again; None: nothing will be due."""
        return None if due_ms is None else max(due_ms + 1, self._not_before_ms)

    def asked(self, due_ms: int, wall_ms: int) -> None:
        """Note that a tick is being appended."""
        self._offset, self._asked_ms, self._due_ms = -1, wall_ms, due_ms

    def appended(self, offset: int) -> None:
        """Note the offset of the tick."""
        self._offset = offset

    def failed(self, wall_ms: int) -> None:
        """Note that the tick may not have been appended."""
        self._offset, self._not_before_ms = None, wall_ms + PAUSE_MS

    def applied(self, offset: int, clock_ms: int, wall_ms: int) -> None:
        """Note that the records before `offset` were applied, and that the clock stands at `clock_ms`."""
        if self._offset is None or self._offset < 0 or offset <= self._offset:
            return
        self._offset = None
        if clock_ms <= self._due_ms:
            self._not_before_ms = wall_ms + PAUSE_MS

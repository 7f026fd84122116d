"""Until when the partitions are surely this process's."""

from typing import Final

from streams.clock import Clock


class Lease:
    """Half a session of the group, counted from the sending of the last commit that the group accepted.

    A commit carries the membership of the process: the group accepts it only while the process is a member.
    """

    def __init__(self, clock: Clock, session_timeout_ms: int) -> None:
        self._clock: Final = clock
        self._length_ms: Final = session_timeout_ms / 2
        self._until_ms = 0.0

    def begin(self, since_ms: float) -> None:
        """Let it hold for half a session from an instant on, by the steady clock."""
        self._until_ms = since_ms + self._length_ms

    def end(self) -> None:
        """Let it hold no longer: the group has refused a commit."""
        self._until_ms = 0.0

    def holds(self) -> bool:
        """Tell whether the group has surely not given the partitions to another process."""
        return self._clock.now_ms() < self._until_ms

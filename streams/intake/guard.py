"""Guards of the input, asked before a record is applied. The wall clock guards; it never decides a change."""

from collections import deque
from typing import Final

from streams.records import LOG_APPEND_TIME, Batch

AHEAD_OF_WALL_MAX_MS: Final = 300_000
"""A record stamped further ahead of the worker's own clock stops the partition."""


class BadStamp(Exception):
    """The broker did not stamp a record, or stamped it too far ahead. The partition stops; the text says what to do."""


class TooMuchBadInput(Exception):
    """The share of refused records is over its limit: the worker stops instead of emptying the topic."""


def check_stamps(batch: Batch, wall_ms: int) -> None:
    """Check that the broker stamped every record, no more than 5 min ahead of this worker's clock.

    Raises BadStamp. Call it before the first record of the batch is applied.
    """
    latest_ms = wall_ms + AHEAD_OF_WALL_MAX_MS
    for record in batch:
        if record.timestamp_type != LOG_APPEND_TIME:
            raise BadStamp(
                f"record {record.offset} was stamped by its producer: set message.timestamp.type=LogAppendTime on the"
                " input topic (`segue topics` does), and start a new generation if such records were let in"
            )
        if record.timestamp > latest_ms:
            raise BadStamp(
                f"record {record.offset} is stamped {record.timestamp - wall_ms} ms ahead of this worker's clock:"
                " set the clocks of the broker and of this machine right, then start the worker again"
            )


class RefusalShare:
    """The share of refused records among the last `window` records of all partitions of a worker.

    The share is always taken of the whole window, also before it is full: one bad record at the start is no high share.
    """

    def __init__(self, share_max: float, window: int) -> None:
        self._refused_max = int(share_max * window)
        self._window = window
        self._seen = 0
        self._refused_at: deque[int] = deque()

    def add(self, records: int, refused: int) -> None:
        """Count applied records, of which `refused` were refused. Raises TooMuchBadInput."""
        self._seen += records
        if refused:
            self._refused_at.extend([self._seen] * refused)
        oldest = self._seen - self._window
        while self._refused_at and self._refused_at[0] <= oldest:
            self._refused_at.popleft()
        if len(self._refused_at) > self._refused_max:
            raise TooMuchBadInput(
                f"{len(self._refused_at)} of the last {self._window} records were refused: look at the reason codes in"
                " the dead-letter topic; raise SEGUE_BAD_INPUT_SHARE_MAX only if they are right to be refused"
            )

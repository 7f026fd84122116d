"""Guards of the input, asked before a record is applied. The wall clock guards; it never decides a change."""

from typing import Final

from streams.records import LOG_APPEND_TIME, Batch

AHEAD_OF_WALL_MAX_MS: Final = 300_000
"""A record stamped further ahead of the worker's own clock stops the partition."""


class BadStamp(Exception):
    """The broker did not stamp a record, or stamped it too far ahead. The partition stops; the text says what to do."""


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

"""The queue of one partition: records that are fetched and not applied yet. It holds the input while it is long."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from typing import Final

from streams.intake.guard import check_stamps
from streams.intake.input import Input
from streams.records import Batch, Fetched

RECORDS_HIGH: Final = 4_000
"""With more records waiting, the input is held …"""
RECORDS_LOW: Final = 1_000
"""… and with fewer it is read again."""


def bytes_of(records: Sequence[Fetched]) -> int:
    """Return the length of the records' values together."""
    return sum(len(record.value or b"") for record in records)


class Inbox:
    """A queue of fetched batches, taken out in chunks."""

    def __init__(self, partition: int, source: Input, on_news: Callable[[], None]) -> None:
        """`on_news` is called after a batch was put, and when the input is unreadable."""
        self._partition = partition
        self._source = source
        self._on_news = on_news
        self.error: BaseException | None = None
        """Why the log does not hold the next record to read; None: it does."""
        self._batches: deque[Batch] = deque()
        self._head = 0
        """How many records of the first batch were applied."""
        self._records = 0
        self._held = False

    def __bool__(self) -> bool:
        """Whether a record waits."""
        return bool(self._batches)

    @property
    def many(self) -> bool:
        """Whether so many records wait that the log is likely to hold more."""
        return self._records >= RECORDS_LOW

    def put(self, batch: Batch) -> None:
        """Take a fetched batch; never empty."""
        self._batches.append(batch)
        self._records += len(batch)
        if self._records > RECORDS_HIGH:
            self.hold()
        self._on_news()

    def unreadable(self, error: BaseException) -> None:
        """Note that the log does not hold the next record to read."""
        self.error = error
        self._on_news()

    def chunk(self, records_max: int, bytes_max: int, wall_ms: int) -> Sequence[Fetched]:
        """Return the next records, and leave them in place. Raises BadStamp before the first of a bad batch.

        There are at most `records_max`, with at most `bytes_max` in their values; a first record alone may have more.
        """
        batch = self._batches[0]
        if not self._head:
            check_stamps(batch, wall_ms)
        chunk = batch[self._head : self._head + records_max]
        if bytes_of(chunk) > bytes_max:
            fitting = takewhile(
                lambda upto: upto <= bytes_max, accumulate(len(record.value or b"") for record in chunk)
            )
            chunk = chunk[: max(1, sum(1 for _ in fitting))]
        return chunk

    def done(self, count: int) -> None:
        """Take out the first records of the last chunk, which were applied."""
        self._head += count
        self._records -= count
        if self._head >= len(self._batches[0]):
            self._batches.popleft()
            self._head = 0

    def hold(self) -> None:
        """Fetch no more for now."""
        if not self._held:
            self._held = True
            self._source.hold(self._partition)

    @property
    def wants_more(self) -> bool:
        """Whether nothing more is fetched, and few records are left."""
        return self._held and self._records < RECORDS_LOW

    def resume(self) -> None:
        """Fetch again."""
        self._held = False
        self._source.resume(self._partition)

    def clear(self) -> None:
        """Drop every record: the input was shut, or begins anew."""
        self._batches.clear()
        self._records = self._head = 0
        self._held = False
        self.error = None

    @property
    def oldest_ms(self) -> int:
        """The timestamp of the first record that waits; -1: none waits."""
        return self._batches[0][self._head].timestamp if self._batches else -1

    @property
    def at_end(self) -> bool:
        """Whether no record waits, here or in the log."""
        return not self._batches and self._source.offsets(self._partition).at_end

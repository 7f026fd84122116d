"""Read the committed records of a partition up to an instant."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.engine.partition import BEGINNING_MS
from rules.engine.record import Record
from streams.operations.partitions import OnOffset
from streams.operations.shadow import FETCH_WAIT_MS

Keep: TypeAlias = Callable[[bytes | None, bytes | None, Sequence[tuple[str, bytes]]], bool]
"""Key, value, headers → whether to give the record out."""
ALL: Final[Keep] = lambda _key, _value, _headers: True  # noqa: E731


@dataclass(slots=True)
class Reading:
    """How far a log was read. `records` yields; the fields say where it stands after each record."""

    consumer: AIOKafkaConsumer
    partition: TopicPartition
    until_ms: int | None
    """Only records whose instant R is at most this one; None: all."""
    end: int
    """The end of the log, as an offset."""
    clock_ms: int = BEGINNING_MS
    """The highest timestamp so far, of records that were not given out too."""
    offset: int = 0
    """The next record to read."""

    async def records(self, keep: Keep = ALL, on_offset: OnOffset = lambda *_: None) -> AsyncIterator[Record]:
        """Yield the records to keep, each with its instant R as its timestamp.

        R is the highest timestamp of all records up to it. So a record that is left out moves the clock too.
        """
        last = await self._last()
        while self.offset < last:
            batches: dict[TopicPartition, list[Any]] = await self.consumer.getmany(
                self.partition, timeout_ms=FETCH_WAIT_MS
            )
            for found in batches.get(self.partition, ()):
                if found.offset >= self.end or (self.until_ms is not None and found.timestamp > self.until_ms):
                    return
                self.clock_ms, self.offset = max(self.clock_ms, found.timestamp), found.offset + 1
                if keep(found.key, found.value, found.headers):
                    yield Record(found.offset, self.clock_ms, found.key, found.value, found.headers)
            self.offset = min(self.end, await self.consumer.position(self.partition))
            on_offset(self.partition.partition, min(self.offset, last), last)

    async def _last(self) -> int:
        """Return the offset of the first record later than the instant, or the end of the log."""
        if self.until_ms is None:
            return self.end
        found = await self.consumer.offsets_for_times({self.partition: self.until_ms + 1})
        later = found[self.partition]
        return self.end if later is None else min(self.end, later.offset)

"""The log of one partition, applied again beside the live system: the worker's engine, nothing published or stored.

Everything is kept in memory: a partition's profiles must fit (about 3 KB each in the example catalogue).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.decode import Own, Refusal
from rules.engine.partition import Applied, Partition, Record, UnknownCatalogue
from rules.ground.event import Event
from rules.language.dictionary import Dictionary
from streams.intake.decoding import decoder_of

FETCH_BYTES: Final = 8 << 20
FETCH_WAIT_MS: Final = 500

Loaded = Callable[[str], Awaitable[Catalogue]]


@dataclass(frozen=True, slots=True)
class Step:
    """One record, applied: what it was, and the changes that come out at it (those of the wakes it passed first)."""

    record: Record
    decoded: Event | Own | Refusal
    applied: Applied
    changes: list[AnyChange]


class Shadow:
    """An engine that applies a partition's records from the beginning of the log."""

    def __init__(self, partition: int, partitions: int, generation: str, catalogue: Loaded) -> None:
        self._read = decoder_of(partition, partitions)
        self._catalogue = catalogue
        self._decoded: Event | Own | Refusal | None = None
        self.engine = Partition(generation, self._decode)
        self.channels: set[str] = set()
        """Of all activations in force so far."""

    async def apply(self, record: Record) -> Step:
        """Apply the next record. Ends as `catalogue` does where one is nowhere."""
        engine, out = self.engine, list[AnyChange]()
        engine.pass_wakes(engine.instant_of(record.timestamp_ms), out, record=record)
        while True:
            try:
                applied = engine.apply(record)
            except UnknownCatalogue as unknown:
                catalogue = await self._catalogue(unknown.catalogue)
                self.channels |= {each.channel for each in catalogue.activations.values()}
                engine.know(unknown.catalogue, catalogue)
            else:
                break
        if self._decoded is None:
            raise AssertionError("a record was applied without being decoded")
        return Step(record, self._decoded, applied, out + applied.changes)

    def _decode(self, record: Record, dictionary: Dictionary, r_ms: int) -> Event | Own | Refusal:
        self._decoded = self._read(record, dictionary, r_ms)
        return self._decoded


async def records(
    consumer: AIOKafkaConsumer, partition: TopicPartition, end: int, on_offset: Callable[[int], None] = lambda _: None
) -> AsyncIterator[Record]:
    """Read the committed records of a partition before offset `end`, from where the consumer stands.

    `on_offset` is told the position after each batch: control records yield none, and still count.
    """
    while await consumer.position(partition) < end:
        batches: dict[TopicPartition, list[Any]] = await consumer.getmany(partition, timeout_ms=FETCH_WAIT_MS)
        for found in batches.get(partition, ()):
            if found.offset >= end:
                on_offset(end)
                return
            yield Record(found.offset, found.timestamp, found.key, found.value, found.headers)
        on_offset(min(end, await consumer.position(partition)))

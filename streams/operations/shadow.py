"""The log of one partition, applied again beside the live system: the worker's engine, nothing published or stored.

Everything is kept in memory: a partition's profiles must fit (about 3 KB each in the example catalogue).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.engine.outcome import Applied
from rules.engine.partition import Partition
from rules.engine.record import Record
from streams.intake.decoding import decoder_of
from streams.partition.driver import Driver

FETCH_BYTES: Final = 8 << 20
FETCH_WAIT_MS: Final = 500

LoadCatalogue = Callable[[str], Awaitable[Catalogue]]


class Shadow:
    """An engine that applies a partition's records from the beginning of the log."""

    def __init__(self, partition: int, partitions: int, generation: str, catalogue: LoadCatalogue) -> None:
        self._supplies = CataloguesOnly(catalogue)
        self.engine = Partition(generation, decoder_of(partition, partitions))
        self._driver = Driver(self.engine, self._supplies)

    @property
    def channels(self) -> set[str]:
        """The channels of all activations that were in force so far."""
        return self._supplies.channels

    async def feed(self, record: Record) -> Applied:
        """Apply the next record. Raises what the loading of a catalogue raises."""
        return await self._driver.feed(record)


class CataloguesOnly:
    """Supplies an engine that has every profile and every wake in memory."""

    def __init__(self, catalogue: LoadCatalogue) -> None:
        self._catalogue = catalogue
        self.channels: set[str] = set()

    async def catalogue(self, digest: str) -> Catalogue:
        """Return the catalogue of a hash."""
        catalogue = await self._catalogue(digest)
        self.channels |= {each.channel for each in catalogue.activations.values()}
        return catalogue

    async def load(self, subjects: Sequence[str]) -> None:
        """Never asked."""
        raise AssertionError("an engine that has everything in memory lacks a profile")

    async def widen(self, before_ms: int) -> None:
        """Never asked."""
        raise AssertionError("an engine that has everything in memory lacks wakes")

    async def turn(self) -> None:
        """Never asked: this engine fires all that a record passes at one go."""
        raise AssertionError("an engine without portions asks for a turn")


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

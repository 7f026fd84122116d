"""Reading a partition of the input from where its log begins, up to a cut."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.operations.errors import KafkaAway
from streams.operations.servers import REACH_MS, Servers
from streams.operations.shadow import FETCH_BYTES, FETCH_WAIT_MS
from streams.records import Fetched

BATCH_MAX = 2_000
"""Records handed over together."""
SILENCE_S = 30.0
"""After so long without a record the consumer is opened anew: after a broker's restart it may bring nothing more."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one look at the log brought: records in offset order, and the position after them."""

    records: Sequence[Fetched]
    position: int
    jumped: bool = False
    """Whether records before these were dropped from the log while it was read."""


class Place(NamedTuple):
    """Where a record stands among those of all partitions: by R, which brokers' clocks may tell a little apart."""

    r_ms: int
    partition: int
    offset: int


class First(NamedTuple):
    """Where a record stands."""

    offset: int
    timestamp_ms: int


class Past(Protocol):
    """The log of one partition, as filling reads it."""

    def read(self, partition: int, start: int, end: int) -> AsyncIterator[Stretch]:
        """Read the committed records from `start` up to `end`; the last position is at least `end`.

        Raises Unreachable.
        """
        ...

    async def first(self, partition: int, t_ms: int) -> First | None:
        """Return the first record whose timestamp is `t_ms` or later; None: there is none."""
        ...


class KafkaPast(Past):
    """The log on Kafka."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Stretch]:
        position = start
        failures = 0
        while position < end:
            async with self._reading(partition) as (consumer, tp):
                consumer.seek(tp, position)
                heard = monotonic()
                while position < end and monotonic() - heard < SILENCE_S:
                    jumped = False
                    try:
                        found = await consumer.getmany(tp, timeout_ms=FETCH_WAIT_MS, max_records=BATCH_MAX)
                    except OffsetOutOfRangeError:
                        # retention has dropped what was to be read next
                        await consumer.seek_to_beginning(tp)
                        found, jumped = {}, True
                    records = [record for record in found.get(tp, ()) if record.offset < end]
                    reached = await consumer.position(tp)
                    if reached > position:
                        heard, failures, position = monotonic(), 0, reached
                        yield Stretch(records, min(position, end), jumped)
            failures += 1
            if position < end and failures > 2:
                raise KafkaAway(self._servers.settings.kafka_bootstrap_servers, "nothing comes from it", REACH_MS)

    async def first(self, partition: int, t_ms: int) -> First | None:
        async with self._reading(partition) as (consumer, tp):
            found = (await consumer.offsets_for_times({tp: max(0, t_ms)}))[tp]
            return None if found is None else First(found.offset, found.timestamp)

    def _reading(self, partition: int) -> AbstractAsyncContextManager[tuple[AIOKafkaConsumer, TopicPartition]]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
            topic = self._servers.deployment.events_topic
            async with self._servers.reading(
                topic, max_partition_fetch_bytes=FETCH_BYTES, auto_offset_reset="none"
            ) as (consumer, _):
                tp = TopicPartition(topic, partition)
                consumer.assign([tp])
                yield consumer, tp

        return opened()

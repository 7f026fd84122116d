"""Kafka producers that keep to the protocol (docs/protocol.md, publishing); `ring` uses the transactional ones.

This module and `sender` change or avoid five things in aiokafka 0.14. The first three could lose or repeat changes:

- aiokafka commits although the broker refused a batch. Here every delivery is awaited before the commit.
- aiokafka repeats an EndTxn that was not answered, and tells nobody. Here EndTxn is sent once; without an answer the
  producer is done.
- aiokafka flushes without a deadline when it is stopped. Here a producer ends within a deadline and flushes nothing.
- aiokafka makes a future and a task switch for each record. Here whole batches are built, one or a few a partition.
- aiokafka sends from a task of its own. Here the task that publishes sends.

There is no compression: a worker writes hundreds of changes a second, not megabytes. Under a heavy load
(`tests/benchmarks/bench_ring.py`: 500 KB a transaction) a quarter of the time goes into the socket: look here first.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import AIOKafkaProducer, errors
from aiokafka.structs import TopicPartition

from streams.errors import RecordTooLarge, StampedEarly
from streams.log.answers import at_once
from streams.log.connection import KafkaConnection
from streams.log.refusals import not_reachable
from streams.log.sender import TransactionSender
from streams.records import LOG_APPEND_TIME, OutRecord

FAILING = (errors.KafkaError, errors.IllegalOperation, OSError, TimeoutError, AssertionError)
"""What aiokafka raises. AssertionError and IllegalOperation (no KafkaErrors) come when its transaction manager has just
gone into a fatal state: when it is fenced between two batches of a transaction, say."""
RECORD_OVERHEAD_BYTES = 512
"""Upper bound of the bytes that a batch adds to one record with few headers (batch header 61, varints, lengths)."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Deadlines in ms and sizes in bytes. `streams.settings.Settings` describes the first two."""

    transaction_timeout_ms: int = 10_000
    request_timeout_ms: int = 5_000
    read_timeout_ms: int = 30_000
    """For every call but a transaction. Longer than `transaction_timeout_ms`: a read may wait for a transaction."""
    close_timeout_ms: int = 3_000
    batch_bytes_max: int = 900_000
    """Size of a batch of several records. A longer record goes alone in its batch."""
    record_bytes_max: int = 8_000_000
    """Size of one record with key and headers; below `max.message.bytes` of the topics (`streams.wire.topics`)."""

    def __post_init__(self) -> None:
        if not self.request_timeout_ms < self.transaction_timeout_ms:
            raise ValueError("request_timeout_ms must be below transaction_timeout_ms")


@dataclass(slots=True)
class _Batch:
    """Records of one partition that are sent together. `places`: their indexes in the transaction's sequence."""

    builder: Any
    places: list[int]
    stamp_min_ms: int = 0
    """The latest `stamp_min_ms` of its records."""


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer with an end within a deadline. With a transactional id its sender has no task."""

    _closed: bool
    _under_way: "asyncio.Future[list[int]] | None" = None
    """The transaction that is being published."""

    def __init__(self, connection: KafkaConnection, tuning: Tuning, transactional_id: str | None) -> None:
        super().__init__(
            **connection.options(),
            transactional_id=transactional_id,
            transaction_timeout_ms=tuning.transaction_timeout_ms,
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=tuning.request_timeout_ms,
            max_batch_size=tuning.batch_bytes_max,
            max_request_size=tuning.record_bytes_max,
        )
        self._connection = connection
        self._tuning = tuning
        if transactional_id is not None:
            self._sender = TransactionSender(
                self.client,
                acks=-1,
                txn_manager=self._txn_manager,
                message_accumulator=self._message_accumulator,
                retry_backoff_ms=100,
                request_timeout_ms=tuning.request_timeout_ms,
            )

    async def open(self) -> None:
        """Start, and initialise the producer id. Raises NotReachable; the producer is closed then."""
        try:
            async with asyncio.timeout(self._tuning.read_timeout_ms / 1000):
                await self.start()
        except BaseException as error:
            await self.end()
            if isinstance(error, FAILING):
                raise not_reachable("producer", error, self._connection) from error
            raise

    async def publish(self, records: Sequence[OutRecord]) -> list[int]:
        """Publish records in one transaction and wait for its end; return their offsets, -1 where none is reported.

        Raises RecordTooLarge (nothing was sent), StampedEarly (the transaction stays open), and FAILING, as when it is
        ended meanwhile.
        """
        waves = self._waves(records)
        async with asyncio.timeout(self._tuning.transaction_timeout_ms / 1000):
            await self._know_topics(waves)
            if self._closed:
                raise errors.ProducerClosed
            self._under_way = at_once(self._transact(waves, len(records)))
            try:
                return await self._under_way
            except asyncio.CancelledError:
                if self._closed and not cast("asyncio.Task[Any]", asyncio.current_task()).cancelling():
                    raise errors.ProducerClosed from None  # `end` cancelled the transaction, and nobody this task
                raise
            finally:
                self._under_way = None

    async def _transact(self, waves: Sequence[Mapping[TopicPartition, _Batch]], count: int) -> list[int]:
        """Deliver the batches of `count` records, wave by wave, and commit; return the records' offsets."""
        self._sender.begin()
        offsets = [-1] * count
        for wave in waves:
            answers = await self.deliver({where: batch.builder for where, batch in wave.items()})
            for where, batch in wave.items():
                sent = answers[where]
                if batch.stamp_min_ms and sent.timestamp_type == LOG_APPEND_TIME:
                    _check_stamp(where, batch, sent.timestamp)
                if sent.offset >= 0:
                    for n, place in enumerate(batch.places):
                        offsets[place] = sent.offset + n
        await self.commit()
        return offsets

    async def deliver(self, builders: Mapping[TopicPartition, Any]) -> dict[TopicPartition, Any]:
        """Send one batch to each partition; return what the brokers answered. Raises FAILING: one was refused, too."""
        answers: dict[TopicPartition, Any] = await self._sender.deliver(builders)
        return answers

    async def commit(self) -> None:
        """Commit the transaction, and wait for the answer. Raises FAILING."""
        await self._sender.end(commit=True)

    async def take_back(self, record: OutRecord) -> int | None:
        """Send one record in a transaction and take it back: no reader of committed records ever sees it.

        Returns the broker's instant, in epoch ms, where the topic has LogAppendTime. Raises FAILING.
        """
        [wave] = self._waves([record])
        [(where, batch)] = wave.items()
        async with asyncio.timeout(self._tuning.transaction_timeout_ms / 1000):
            await self._know_topics([wave])
            self._sender.begin()
            try:
                sent = (await self.deliver({where: batch.builder}))[where]
            finally:
                await self._sender.end(commit=False)
        return int(sent.timestamp) if sent.timestamp_type == LOG_APPEND_TIME else None

    async def _know_topics(self, waves: Sequence[Mapping[TopicPartition, _Batch]]) -> None:
        """Have the client learn of topics that are new to it. Raises FAILING, as where there is no such partition."""
        known: dict[str, set[int]] = {}
        for topic, partition in waves[0] if waves else ():
            if topic not in known:
                known[topic] = await self.client._wait_on_metadata(topic)  # noqa: SLF001
            if partition not in known[topic]:
                raise errors.UnknownTopicOrPartitionError(topic)

    def _waves(self, records: Sequence[OutRecord]) -> list[dict[TopicPartition, _Batch]]:
        """Pack the records into batches: in the first wave the first batch of each partition, then the second ones.

        A partition's batches go one after the other, so that they keep their order.
        """
        now_ms = int(time.time() * 1000)
        open_: dict[tuple[str, int], tuple[int, _Batch]] = {}
        waves: list[dict[TopicPartition, _Batch]] = []
        for place, record in enumerate(records):
            where = record.topic, record.partition
            wave, batch = open_.get(where) or (-1, None)
            headers = list(record.headers)
            added: Any = None
            if batch is not None:
                added = batch.builder.append(timestamp=now_ms, key=record.key, value=record.value, headers=headers)
            if batch is None or added is None:
                # a batch takes its first record, whatever its size
                wave, batch = wave + 1, _Batch(self.create_batch(), [])
                added = batch.builder.append(timestamp=now_ms, key=record.key, value=record.value, headers=headers)
                if wave == len(waves):
                    waves.append({})
                waves[wave][TopicPartition(*where)] = batch
                open_[where] = wave, batch
            if added.size > self._tuning.record_bytes_max:
                raise RecordTooLarge(record.topic)
            batch.places.append(place)
            if record.stamp_min_ms > batch.stamp_min_ms:
                batch.stamp_min_ms = record.stamp_min_ms
        return waves

    async def end(self) -> None:
        """Close within the deadline. Sends nothing any more: no flush, no commit, no abort."""
        if self._closed:
            return
        self._closed = True
        if self._under_way is not None:
            self._under_way.cancel()
        sender = self._sender.sender_task
        half_s = self._tuning.close_timeout_ms / 2000
        if sender is not None:
            # the first cancel lets it wait for requests in flight; closed connections fail these; the next one ends it
            sender.cancel()
            await asyncio.wait({sender}, timeout=half_s / 4)
        with contextlib.suppress(*FAILING):
            async with asyncio.timeout(half_s):
                await self.client.close()
        if sender is not None:
            while not sender.done():
                sender.cancel()
                await asyncio.wait({sender}, timeout=half_s / 4)
            _seen(sender)
        # the Doubt has the reason; aiokafka also set it on futures that nobody awaits any more
        waiting = [batch for batches in self._message_accumulator._batches.values() for batch in batches]  # noqa: SLF001
        drains = [batch._drain_waiter for batch in waiting]  # noqa: SLF001
        for future in [self._txn_manager.wait_for_transaction_end(), *drains, *(batch.future for batch in waiting)]:
            if future is not None and future.done():
                _seen(future)


class Appender:
    """Appends single records, idempotently, acknowledged by all replicas. A failure ends the producer it uses."""

    def __init__(self, connection: KafkaConnection, tuning: Tuning) -> None:
        self._connection = connection
        self._tuning = tuning
        self._producer: Producer | None = None
        self._opening = asyncio.Lock()

    async def append(self, record: OutRecord) -> int:
        """Append one record; return its offset. Raises NotReachable (it may be appended yet), RecordTooLarge."""
        if _size_bytes(record) > self._tuning.record_bytes_max:
            raise RecordTooLarge(record.topic)
        producer = await self._opened()
        try:
            async with asyncio.timeout(self._tuning.request_timeout_ms / 1000):
                delivery = await producer.send(
                    record.topic,
                    record.value,
                    record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )
                offset: int = (await delivery).offset
                return offset
        except FAILING as error:
            if self._producer is producer:
                self._producer = None
            await producer.end()
            raise not_reachable("append", error, self._connection, needs=f"Write topic {record.topic}") from error

    async def close(self) -> None:
        """Close the producer, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.end()

    async def _opened(self) -> Producer:
        async with self._opening:
            if self._producer is None:
                producer = Producer(self._connection, self._tuning, None)
                await producer.open()
                self._producer = producer
            return self._producer


def _size_bytes(record: OutRecord) -> int:
    """Return an upper bound of a record's size in its batch."""
    size = len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES
    return size + sum(len(name) + len(value) + 10 for name, value in record.headers)


def _check_stamp(where: TopicPartition, batch: _Batch, stamp_ms: int) -> None:
    if stamp_ms < batch.stamp_min_ms:
        raise StampedEarly(where.topic, where.partition, batch.stamp_min_ms - stamp_ms)


def _seen(delivery: asyncio.Future[Any]) -> None:
    """Mark the exception of a future as retrieved, so that asyncio does not log it: one Doubt is enough."""
    if not delivery.cancelled():
        delivery.exception()

"""Kafka producers that keep to the protocol of design section 5; `ring` puts the transactional ones to use.

What of aiokafka 0.14 had to be changed or avoided, each a way to lose or repeat changes:
- It commits although a batch was refused: every delivery is awaited before the commit.
- It sends an EndTxn that was not answered again and again, unseen: here it is sent once, and then is the end.
- It flushes for ever when it is stopped: here it is stopped within a deadline, and nothing is flushed.
- A future and a task switch for each record: whole batches are built here, one or a few a partition.

No compression: a worker writes hundreds of changes a second, not megabytes. Where it does write much
(`tests/benchmarks/bench_ring.py`: 500 KB a transaction) a quarter of the time goes into the socket: look here first.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer, errors
from aiokafka.producer.sender import Sender

from streams.errors import NotReachable, RecordTooLarge
from streams.records import OutRecord

FAILING = (errors.KafkaError, errors.IllegalOperation, OSError, TimeoutError, AssertionError)
"""What aiokafka raises; AssertionError and IllegalOperation (no KafkaError) where its transaction manager is in another
state than a moment ago, a fatal one: fenced between two batches of a transaction, say."""
RECORD_OVERHEAD_BYTES = 512
"""Upper bound of what a batch adds to one record with few headers (batch header 61, varints, lengths)."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Deadlines in ms, sizes in bytes. See `streams.settings.Settings` for those that are settings."""

    transaction_timeout_ms: int = 10_000
    request_timeout_ms: int = 5_000
    read_timeout_ms: int = 30_000
    """Of everything but transactions; longer than a transaction that has to be waited for."""
    close_timeout_ms: int = 3_000
    batch_bytes_max: int = 900_000
    """A batch of several records; what is longer goes in several, and a longer record alone."""
    record_bytes_max: int = 8_000_000
    """One record with key and headers; below `max.message.bytes` of the topics written to (`streams.wire.topics`)."""

    def __post_init__(self) -> None:
        if not self.request_timeout_ms < self.transaction_timeout_ms:
            raise ValueError("request_timeout_ms must be below transaction_timeout_ms")


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records of one partition, sent as one; `places` in the transaction's sequence."""

    topic: str
    partition: int
    builder: Any
    places: list[int]


class EndUnanswered(errors.ProducerFenced):  # type: ignore[misc]  # aiokafka has no types
    """An EndTxn was not answered, or with "ask again". A ProducerFenced, which aiokafka's sender takes as its end."""


class _Sender(Sender):  # type: ignore[misc]
    """aiokafka's sender, but for EndTxn: it goes out once a transaction."""

    ended = False

    async def _do_txn_commit(self, commit_result: Any) -> None:
        if self.ended:
            raise EndUnanswered
        self.ended = True
        await super()._do_txn_commit(commit_result)


class Producer(AIOKafkaProducer):  # type: ignore[misc]
    """An aiokafka producer with that sender, and an end within a deadline."""

    _closed: bool

    def __init__(self, servers: str, tuning: Tuning, transactional_id: str | None) -> None:
        super().__init__(
            bootstrap_servers=servers,
            transactional_id=transactional_id,
            transaction_timeout_ms=tuning.transaction_timeout_ms,
            enable_idempotence=True,
            acks="all",
            request_timeout_ms=tuning.request_timeout_ms,
            max_batch_size=tuning.batch_bytes_max,
            max_request_size=tuning.record_bytes_max,
        )
        self._tuning = tuning
        self._sender = _Sender(
            self.client,
            acks=-1,
            txn_manager=self._txn_manager,
            message_accumulator=self._message_accumulator,
            retry_backoff_ms=100,
            request_timeout_ms=tuning.request_timeout_ms,
        )

    async def open(self) -> None:
        """Start, with the producer id initialised. Raises NotReachable, and then it is closed."""
        try:
            async with asyncio.timeout(self._tuning.read_timeout_ms / 1000):
                await self.start()
        except BaseException as error:
            await self.end()
            if isinstance(error, FAILING):
                raise NotReachable(f"producer: {type(error).__name__}") from error
            raise

    async def publish(self, records: Sequence[OutRecord]) -> list[int]:
        """One transaction, awaited to its end. Raises RecordTooLarge (nothing was sent), and what aiokafka raises."""
        batches = self._batches(records)
        async with asyncio.timeout(self._tuning.transaction_timeout_ms / 1000):
            self._sender.ended = False
            await self.begin_transaction()
            deliveries = []
            # a second batch of a partition waits until the first is on its way, so all first ones go before
            for batch in batches:
                delivery = await self.send_batch(batch.builder, batch.topic, partition=batch.partition)
                delivery.add_done_callback(_seen)
                deliveries.append((delivery, batch))
            offsets = [-1] * len(records)
            for delivery, batch in deliveries:
                base = (await delivery).offset
                if base >= 0:
                    for n, place in enumerate(batch.places):
                        offsets[place] = base + n
            await self.commit_transaction()
            return offsets

    def _batches(self, records: Sequence[OutRecord]) -> list[_Batch]:
        """Pack the records into batches: the first one of each partition, then the second ones, and so on."""
        now_ms = int(time.time() * 1000)
        open_: dict[tuple[str, int], tuple[int, _Batch]] = {}
        waves: list[list[_Batch]] = [[]]
        for place, record in enumerate(records):
            where = (record.topic, record.partition)
            wave, batch = open_.get(where) or (-1, None)
            headers = list(record.headers)
            added: Any = None
            if batch is not None:
                added = batch.builder.append(timestamp=now_ms, key=record.key, value=record.value, headers=headers)
            if batch is None or added is None:
                # the first record of a batch is always taken, whatever its size
                wave, batch = wave + 1, _Batch(record.topic, record.partition, self.create_batch(), [])
                added = batch.builder.append(timestamp=now_ms, key=record.key, value=record.value, headers=headers)
                if wave == len(waves):
                    waves.append([])
                waves[wave].append(batch)
                open_[where] = wave, batch
            if added.size > self._tuning.record_bytes_max:
                raise RecordTooLarge(record.topic)
            batch.places.append(place)
        return [batch for wave in waves for batch in wave]

    async def end(self) -> None:
        """Close within the deadline, sending nothing any more: no flush, no commit, no abort."""
        if self._closed:
            return
        self._closed = True
        sender = self._sender.sender_task
        half_s = self._tuning.close_timeout_ms / 2000
        if sender is not None:
            # cancelled, it waits for requests in flight; without connections these fail; cancelled again, it gives up
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
        # what failed stands in the Doubt; aiokafka set it on futures that nobody waits for any more
        waiting = [batch for batches in self._message_accumulator._batches.values() for batch in batches]  # noqa: SLF001
        drains = [batch._drain_waiter for batch in waiting]  # noqa: SLF001
        for future in [self._txn_manager.wait_for_transaction_end(), *drains, *(batch.future for batch in waiting)]:
            if future is not None and future.done():
                _seen(future)


class Appender:
    """Appends single records, idempotently, acknowledged by all; a new producer after every failure."""

    def __init__(self, servers: str, tuning: Tuning) -> None:
        self._servers = servers
        self._tuning = tuning
        self._producer: Producer | None = None
        self._opening = asyncio.Lock()

    async def append(self, record: OutRecord) -> int:
        """See Log."""
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
            raise NotReachable(f"append: {type(error).__name__}") from error

    async def close(self) -> None:
        """Close the producer, if there is one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.end()

    async def _opened(self) -> Producer:
        async with self._opening:
            if self._producer is None:
                producer = Producer(self._servers, self._tuning, None)
                await producer.open()
                self._producer = producer
            return self._producer


def _size_bytes(record: OutRecord) -> int:
    """Upper bound of what a record with few headers takes."""
    size = len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES
    return size + sum(len(name) + len(value) + 10 for name, value in record.headers)


def _seen(delivery: asyncio.Future[Any]) -> None:
    """Take note of a failure that nobody waits for any more: one Doubt is enough."""
    if not delivery.cancelled():
        delivery.exception()

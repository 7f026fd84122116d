"""The log on Apache Kafka 3.7 or later.

A claim reads few records, of many partitions, each to an end that aiokafka's consumer does not know (see `terms`). So
the reads here do without that consumer: `call` sends the requests itself and takes from aiokafka only the decoding of
records and the filter of aborted transactions.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from aiokafka import TopicPartition, errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.transaction import InitProducerIdRequest

from streams.errors import HeldUp
from streams.log.call import Call, check, find_offsets, read_records
from streams.log.connection import KafkaConnection
from streams.log.producer import FAILING, Appender, Producer, Tuning
from streams.log.refusals import not_reachable
from streams.log.ring import KafkaRing
from streams.log.terms import Log
from streams.log.watermarks import Watermarks, find_stamp, find_watermarks
from streams.records import OutRecord, Stored

WINDOW_OFFSETS: Final = 64
"""How far `last` looks back at first (32 progress records, each with its marker); each next look is 8 times as far."""
STAYS_OPEN: Final = "docs/operations/when-something-is-wrong.md#transactions-that-stay-open"
"""Where the reader of a HeldUp learns what to do."""
_REACHING: Final = (errors.KafkaError, OSError, TimeoutError)


class KafkaLog(Log):
    """The log on Kafka. Connects at the first call. For one event loop."""

    def __init__(self, connection: KafkaConnection, tuning: Tuning | None = None) -> None:
        self.connection: Final = connection
        self._tuning = tuning or Tuning()
        self._client: AIOKafkaClient | None = None
        self._connecting = asyncio.Lock()
        self._closing = asyncio.Event()
        self._retired: set[asyncio.Task[None]] = set()
        """Tasks that close the clients that did not get through, once no call can be using these any more."""
        self._appender = Appender(connection, self._tuning)

    async def open_ring(self, size: int) -> KafkaRing:
        ring = KafkaRing(self.connection, f"segue-{secrets.token_hex(12)}", size, self._tuning)
        await ring.open()
        return ring

    async def try_transaction(self, record: OutRecord) -> int | None:
        """Send one record in a transaction of its own and take it back; see Producer.take_back. Raises NotReachable."""
        producer = Producer(self.connection, self._tuning, f"segue-trial-{secrets.token_hex(12)}")
        await producer.open()
        try:
            return await producer.take_back(record)
        except FAILING as error:
            needs = f"Write topic {record.topic}"
            raise not_reachable("transaction", error, self.connection, needs=needs) from error
        finally:
            await producer.end()

    async def fence(self, transactional_id: str) -> None:
        request = InitProducerIdRequest(transactional_id, self._tuning.transaction_timeout_ms)
        async with self._reaching(f"fence {transactional_id}", f"Write transactional id {transactional_id}") as call:
            while True:
                try:
                    node = await call.client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
                    answer = await call.client.send(node, request, group=ConnectionGroup.COORDINATION)
                    check(answer.error_code)
                except errors.KafkaError as error:
                    # CONCURRENT_TRANSACTIONS: the open one is being ended; new metadata may cure any other error
                    await call.wait(error)
                else:
                    return

    async def read_to_end(self, topic: str, partition: int) -> list[Stored]:
        async with self._reaching(f"read {topic}[{partition}]", f"Read topic {topic}") as call:
            start, end = await find_offsets(call, topic, partition)
            return await read_records(call, topic, partition, start, end)

    async def last(self, topic: str, partition: int) -> Stored | None:
        async with self._reaching(f"read back {topic}[{partition}]", f"Read topic {topic}") as call:
            start, end = await find_offsets(call, topic, partition)
            window = WINDOW_OFFSETS
            while True:
                position = max(start, end - window)
                records = await read_records(call, topic, partition, position, end)
                if records or position == start:
                    return records[-1] if records else None
                window *= 8

    async def record_at(self, topic: str, partition: int, offset: int) -> Stored | None:
        async with self._reaching(f"read {topic}[{partition}] at {offset}", f"Read topic {topic}") as call:
            start, end = await find_offsets(call, topic, partition)
            if not start <= offset < end:
                return None
            records = await read_records(call, topic, partition, offset, offset + 1)
            return records[0] if records and records[0].offset == offset else None

    async def find(self, topic: str, key: bytes) -> bytes | None:
        async with self._reaching(f"find in {topic}", f"Read topic {topic}") as call:
            partitions = await call.partitions(topic)
        for partition in partitions:
            values = [record.value for record in await self.read_to_end(topic, partition) if record.key == key]
            if values and values[-1] is not None:
                return values[-1]
        return None

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        async with self._reaching(f"offsets of {topic}[{partition}]", f"Describe topic {topic}") as call:
            return await find_offsets(call, topic, partition)

    async def watermarks(self, partitions: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], Watermarks]:
        """Return where partitions begin and end, and up to where readers see; those without a leader are left out."""
        async with self._reaching("watermarks", "Describe topic") as call:
            return await find_watermarks(call, [TopicPartition(*each) for each in partitions])

    async def stamp(self, topic: str, partition: int, offset: int) -> int | None:
        """Return the timestamp of the first record from an offset on, committed or not; None: not found."""
        async with self._reaching(f"read {topic}[{partition}] at {offset}", f"Read topic {topic}") as call:
            return await find_stamp(call, topic, partition, offset)

    async def append(self, record: OutRecord) -> int:
        return await self._appender.append(record)

    async def close(self) -> None:
        await self._appender.close()
        client, self._client = self._client, None
        if client is not None:
            await self._close(client)
        # each retired client is closed by its own task
        self._closing.set()
        await asyncio.gather(*self._retired, return_exceptions=True)

    async def _close(self, client: AIOKafkaClient) -> None:
        with contextlib.suppress(*_REACHING):
            async with asyncio.timeout(self._tuning.close_timeout_ms / 1000):
                await client.close()

    @contextlib.asynccontextmanager
    async def _reaching(self, what: str, needs: str) -> AsyncIterator[Call]:
        """Give a Call within the deadline. Every failure becomes NotReachable, which says what was waited for.

        `needs`: the right that the call takes.
        """
        call: Call | None = None
        try:
            async with asyncio.timeout(self._tuning.read_timeout_ms / 1000):
                call = Call(await self._connected())
                yield call
        except _REACHING as error:
            waits_for = "" if call is None else call.waits_for
            if call is not None and call.held:
                raise HeldUp(f"{what}: {waits_for} ({STAYS_OPEN})") from error
            if call is not None and isinstance(error, TimeoutError):
                self._retire(call.client)
            raise not_reachable(what, error, self.connection, waits_for, needs) from error

    def _retire(self, client: AIOKafkaClient) -> None:
        """Let the next call begin with a new client: this one may have stopped learning about the cluster.

        Seen once, after eight restarts of a broker: a claim waited with LeaderNotAvailable for eight minutes, while
        every other client had long found the leader.
        """
        if self._client is not client:
            return
        self._client = None

        async def close() -> None:
            # by then every call that shares this client has its answer, or has reached its own deadline
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tuning.read_timeout_ms / 1000):
                    await self._closing.wait()
            await self._close(client)

        task = asyncio.ensure_future(close())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _connected(self) -> AIOKafkaClient:
        async with self._connecting:
            if self._client is None:
                client = AIOKafkaClient(**self.connection.options(), request_timeout_ms=self._tuning.request_timeout_ms)
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client

"""The log on Apache Kafka 3.7 or later, by aiokafka 0.14 (pinned: `producer` subclasses its insides).

Reading does without aiokafka's consumer: a claim reads few records, of many partitions, to an end that the consumer
does not know (see `streams.log.terms`), so it fetches by itself, and only aiokafka's decoding and its filter of aborted
transactions are used. Fetches never wait at the broker: requests on one connection are answered in order, and one that
waits would hold up every other claim.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from aiokafka import TopicPartition, errors
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.transaction import InitProducerIdRequest

from streams.errors import HeldUp, NotReachable
from streams.log.batches import Batches
from streams.log.producer import Appender, Tuning
from streams.log.ring import KafkaRing
from streams.records import OutRecord, Stored

FETCH_BYTES_MAX: Final = 1 << 20
"""A fetch of one partition. A larger batch comes whole all the same (KIP-74)."""
WINDOW_OFFSETS: Final = 64
"""`last` looks back so far at first (32 progress records, each with its marker), then eight times as far."""
POLL_S: Final = (0.002, 0.05)
"""First and longest wait before asking again for markers, or of a coordinator that is busy with them (a few ms)."""
LATEST: Final = -1
EARLIEST: Final = -2
_REACHING: Final = (errors.KafkaError, OSError, TimeoutError)


class KafkaLog:
    """See `streams.log.terms.Log`. Connects at the first call. For one event loop."""

    def __init__(self, bootstrap_servers: str, tuning: Tuning | None = None) -> None:
        self._servers = bootstrap_servers
        self._tuning = tuning or Tuning()
        self._client: AIOKafkaClient | None = None
        self._connecting = asyncio.Lock()
        self._closing = asyncio.Event()
        self._retired: set[asyncio.Task[None]] = set()
        """Closing the clients that did not get through, once no other call can be using them."""
        self._appender = Appender(bootstrap_servers, self._tuning)

    async def open_ring(self, size: int) -> KafkaRing:
        """See Log."""
        ring = KafkaRing(self._servers, f"segue-{secrets.token_hex(12)}", size, self._tuning)
        await ring.open()
        return ring

    async def fence(self, transactional_id: str) -> None:
        """See Log. Asks again while what was open is being ended: CONCURRENT_TRANSACTIONS."""
        request = InitProducerIdRequest(transactional_id, self._tuning.transaction_timeout_ms)
        async with self._reaching(f"fence {transactional_id}") as call:
            while True:
                try:
                    node = await call.client.coordinator_lookup(CoordinationType.TRANSACTION, transactional_id)
                    answer = await call.client.send(node, request, group=ConnectionGroup.COORDINATION)
                    _check(answer.error_code)
                except errors.KafkaError as error:
                    # what is not CONCURRENT_TRANSACTIONS may be over with new metadata, or at the deadline
                    await call.wait(error)
                else:
                    return

    async def read_to_end(self, topic: str, partition: int) -> list[Stored]:
        """See Log."""
        async with self._reaching(f"read {topic}[{partition}]") as call:
            start, end = await _offsets(call, topic, partition)
            return await _read(call, topic, partition, start, end)

    async def last(self, topic: str, partition: int) -> Stored | None:
        """See Log."""
        async with self._reaching(f"read back {topic}[{partition}]") as call:
            start, end = await _offsets(call, topic, partition)
            window = WINDOW_OFFSETS
            while True:
                position = max(start, end - window)
                records = await _read(call, topic, partition, position, end)
                if records or position == start:
                    return records[-1] if records else None
                window *= 8

    async def at(self, topic: str, partition: int, offset: int) -> Stored | None:
        """See Log."""
        async with self._reaching(f"read {topic}[{partition}] at {offset}") as call:
            start, end = await _offsets(call, topic, partition)
            if not start <= offset < end:
                return None
            records = await _read(call, topic, partition, offset, offset + 1)
            return records[0] if records and records[0].offset == offset else None

    async def find(self, topic: str, key: bytes) -> bytes | None:
        """See Log."""
        async with self._reaching(f"find in {topic}") as call:
            partitions = sorted(await call.client._wait_on_metadata(topic))  # noqa: SLF001 - its only way to ask for one topic
        for partition in partitions:
            values = [record.value for record in await self.read_to_end(topic, partition) if record.key == key]
            if values and values[-1] is not None:
                return values[-1]
        return None

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """See Log."""
        async with self._reaching(f"offsets of {topic}[{partition}]") as call:
            return await _offsets(call, topic, partition)

    async def append(self, record: OutRecord) -> int:
        """See Log."""
        return await self._appender.append(record)

    async def close(self) -> None:
        """See Log."""
        await self._appender.close()
        client, self._client = self._client, None
        if client is not None:
            await self._close(client)
        # each closes its own
        self._closing.set()
        await asyncio.gather(*self._retired, return_exceptions=True)

    async def _close(self, client: AIOKafkaClient) -> None:
        with contextlib.suppress(*_REACHING):
            async with asyncio.timeout(self._tuning.close_timeout_ms / 1000):
                await client.close()

    @contextlib.asynccontextmanager
    async def _reaching(self, what: str) -> AsyncIterator["_Call"]:
        """Have the client, within the deadline, every failure being NotReachable; it says what was waited for."""
        call: _Call | None = None
        try:
            async with asyncio.timeout(self._tuning.read_timeout_ms / 1000):
                call = _Call(await self._connected())
                yield call
        except _REACHING as error:
            waits_for = "" if call is None else call.waits_for
            if call is not None and call.held:
                raise HeldUp(f"{what}: {waits_for} (README: transactions that stay open)") from error
            if call is not None and isinstance(error, TimeoutError):
                self._retire(call.client)
            raise NotReachable(f"{what}: {type(error).__name__}{waits_for and f', {waits_for}'}") from error

    def _retire(self, client: AIOKafkaClient) -> None:
        """Have the next call begin with a new client: what this one knows of the cluster may have come to a stop.

        Seen once, after eight restarts of a broker: a claim waited with LeaderNotAvailable for eight minutes, while
        every other client had long found the leader.
        """
        if self._client is not client:
            return
        self._client = None

        async def close() -> None:
            # until then whoever shares it has had his answer, or has given up as well
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
                client = AIOKafkaClient(
                    bootstrap_servers=self._servers, request_timeout_ms=self._tuning.request_timeout_ms
                )
                try:
                    await client.bootstrap()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client


class _Call:
    """One question to the cluster, asked again by waits that grow.

    What holds it up ends by itself in a few ms, or when a cluster has sorted itself out.
    """

    def __init__(self, client: AIOKafkaClient) -> None:
        self.client = client
        self.waits_for = ""
        """Why it was not answered when it was last asked."""
        self.held = False
        """Whether a transaction that is open was the reason."""
        self._wait_s = POLL_S[0]

    async def wait(self, why: errors.KafkaError | str, *, held: bool = False) -> None:
        self.waits_for, self.held = why if isinstance(why, str) else type(why).__name__, held
        if isinstance(why, errors.KafkaError) and not isinstance(why, errors.ConcurrentTransactions):
            self.client.force_metadata_update()
            self._wait_s = POLL_S[1]
        await asyncio.sleep(self._wait_s)
        self._wait_s = min(2 * self._wait_s, POLL_S[1])

    def got_on(self) -> None:
        self.waits_for, self.held = "", False
        self._wait_s = POLL_S[0]


async def _read(call: _Call, topic: str, partition: int, position: int, end: int) -> list[Stored]:
    """Read committed records from a position to an end, waiting for what is undecided between."""
    tp = TopicPartition(topic, partition)
    records: list[Stored] = []
    empty = 0
    while position < end:
        request = FetchRequest(
            0, 0, FETCH_BYTES_MAX, READ_COMMITTED, [(topic, [(partition, position, FETCH_BYTES_MAX)])]
        )
        _, stable, *rest = await _ask_leader(call, tp, request)
        # v4: [aborted, records]; v5-10: [start, aborted, records]; v11: [start, aborted, replica, records]
        aborted = rest[0] if len(rest) == 2 else rest[1]
        batches = PartitionRecords(tp, Batches(rest[-1]), aborted, position, None, None, True, READ_COMMITTED)
        records += [Stored(each.offset, each.key, each.value, each.timestamp) for each in batches if each.offset < end]
        if batches.next_fetch_offset > position:
            position, empty = batches.next_fetch_offset, 0
            call.got_on()
        elif stable >= end and empty:
            # all is decided, and twice nothing came: compaction took the tail
            position = end
        else:
            held = stable < end
            empty = 0 if held else empty + 1
            why = f"a transaction is open from offset {stable}" if held else "nothing came before the end"
            await call.wait(why, held=held)
    return records


async def _offsets(call: _Call, topic: str, partition: int) -> tuple[int, int]:
    """(log start, high watermark).

    By ListOffsets, not from a fetch's answer: a new leader refuses it until its high watermark is no lower than its
    predecessor's was (KIP-207); and read_uncommitted, or it would be the last stable offset.
    """
    tp = TopicPartition(topic, partition)
    asked = [OffsetRequest(-1, READ_UNCOMMITTED, [(topic, [(partition, which)])]) for which in (EARLIEST, LATEST)]
    start, end = await asyncio.gather(*(_ask_leader(call, tp, request) for request in asked))
    call.got_on()
    return start[-1], end[-1]


async def _ask_leader(call: _Call, tp: TopicPartition, request: Any) -> list[Any]:
    """Send a request for one partition to its leader; what stands after the error code in the answer."""
    while True:
        try:
            await call.client._wait_on_metadata(tp.topic)  # noqa: SLF001 - its only way to ask for one topic
            leader = call.client.cluster.leader_for_partition(tp)
            if leader is None or leader == -1:
                raise errors.LeaderNotAvailableError(tp)
            answer = await call.client.send(leader, request)
            code, rest = _only(answer)
            _check(code)
        except errors.KafkaError as error:
            if not error.retriable:
                raise
            await call.wait(error)
        else:
            return rest


def _only(answer: Any) -> tuple[int, list[Any]]:
    """Take the answer for the one partition asked about: its error code, and what stands after that."""
    [(_, [(_, code, *rest)])] = answer.topics
    return code, rest


def _check(code: int) -> None:
    error: Callable[[], errors.KafkaError] = errors.for_code(code)
    if error is not errors.NoError:
        raise error()

"""The logs that the contract suite runs on, with what it needs besides the protocol: topics, half-done transactions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.producer import Producer, Tuning
from streams.log.terms import Log, Ring
from streams.records import OutRecord
from tests.models.broker import Broker, Refused
from tests.models.log import Lost, MemoryLog, Network
from tests.servers import unique

T = TypeVar("T")
PARTITIONS = 2


class Refusal(Exception):
    """The owner of a half-done transaction cannot go on."""


class Open(Protocol):
    """A transaction whose records are delivered and which is not ended."""

    id: str

    async def commit(self) -> None:
        """Commit it, late. Raises Refusal."""
        ...


class World(Protocol):
    """A server with topics `plain`, `compacted` and `other` of PARTITIONS partitions each, and clients of it."""

    plain: str
    compacted: str
    other: str

    def log(self) -> Log:
        """Make a client. The world closes it."""
        ...

    async def leave_open(self, records: Sequence[OutRecord]) -> Open:
        """Begin a transaction, deliver the records, and leave it open."""
        ...

    def before_end(self, log: Log, act: Callable[[], Awaitable[None]]) -> None:
        """Call `act` between the deliveries and the EndTxn of every later transaction of the log's rings."""
        ...

    def lose_end(self, log: Log) -> None:
        """Lose the reply to every later EndTxn of the log's rings."""
        ...

    async def close(self) -> None:
        """Close every client."""
        ...


class _Faulty(Network):
    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.before_end: Callable[[], Awaitable[None]] | None = None
        self.lose_end = False

    async def call(self, name: str, request: Callable[[], T]) -> T:
        if name == "end" and self.before_end is not None:
            await self.before_end()
        result = await super().call(name, request)
        if name == "end" and self.lose_end:
            raise Lost
        return result

    async def pause(self, name: str, attempt: int) -> None:
        await super().pause(name, attempt)
        await asyncio.sleep(0.001)  # some time, which the same tests also give the server


class MemoryWorld:
    """The model."""

    def __init__(self) -> None:
        self.plain, self.compacted, self.other = "plain", "compacted", "other"
        self.broker = Broker(dict.fromkeys((self.plain, self.compacted, self.other), PARTITIONS))
        self._networks: dict[int, _Faulty] = {}

    def log(self) -> Log:
        network = _Faulty(self.broker)
        log = MemoryLog(network)
        self._networks[id(log)] = network
        return log

    async def leave_open(self, records: Sequence[OutRecord]) -> Open:
        self.broker.names += 1
        return _MemoryOpen(self.broker, f"open-{self.broker.names}", records)

    def before_end(self, log: Log, act: Callable[[], Awaitable[None]]) -> None:
        self._networks[id(log)].before_end = act

    def lose_end(self, log: Log) -> None:
        self._networks[id(log)].lose_end = True

    async def close(self) -> None:
        pass


class _MemoryOpen:
    def __init__(self, broker: Broker, id_: str, records: Sequence[OutRecord]) -> None:
        self.id = id_
        self._broker = broker
        self._epoch = broker.init_producer_id(id_)
        broker.produce(id_, self._epoch, records)

    async def commit(self) -> None:
        try:
            self._broker.end_transaction(self.id, self._epoch)
        except Refused as error:
            raise Refusal from error


class KafkaWorld:
    """The embedded Apache Kafka, with topics of its own."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.plain, self.compacted, self.other = unique("plain"), unique("compacted"), unique("other")
        self._logs: list[KafkaLog] = []
        self._producers: list[AIOKafkaProducer] = []

    async def open(self) -> "KafkaWorld":
        topics = [
            NewTopic(self.plain, PARTITIONS, 1, topic_configs={"message.timestamp.type": "LogAppendTime"}),
            NewTopic(self.compacted, PARTITIONS, 1, topic_configs={"cleanup.policy": "compact"}),
            NewTopic(self.other, PARTITIONS, 1),
        ]
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            await admin.create_topics(topics)
        finally:
            await admin.close()
        return self

    def log(self, tuning: Tuning | None = None) -> KafkaLog:
        log = KafkaLog(KafkaConnection(self._bootstrap), tuning)
        self._logs.append(log)
        return log

    async def leave_open(self, records: Sequence[OutRecord]) -> Open:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, transactional_id=unique("open"))
        self._producers.append(producer)
        await producer.start()
        await producer.begin_transaction()
        for record in records:
            await producer.send_and_wait(record.topic, record.value, record.key, record.partition)
        return _KafkaOpen(producer)

    def before_end(self, log: Log, act: Callable[[], Awaitable[None]]) -> None:
        self._patch(log, act, lose=False)

    def lose_end(self, log: Log) -> None:
        self._patch(log, None, lose=True)

    def _patch(self, log: Log, act: Callable[[], Awaitable[None]] | None, *, lose: bool) -> None:
        """Wrap the sending of EndTxn in every producer of the rings that this log will open."""
        assert isinstance(log, KafkaLog)
        open_ring = log.open_ring

        async def opening(size: int) -> Ring:
            ring = await open_ring(size)
            for producer in ring._producers.values():  # noqa: SLF001 - a fault is injected below the protocol
                _wrap_client(producer, act, lose=lose)
            return ring

        log.open_ring = opening  # type: ignore[assignment, method-assign]

    async def close(self) -> None:
        for log in self._logs:
            await log.close()
        for producer in self._producers:
            try:
                async with asyncio.timeout(5):
                    await producer.stop()
            except (KafkaError, TimeoutError):
                pass


class _KafkaOpen:
    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self.id: str = producer._txn_manager.transactional_id  # noqa: SLF001

    async def commit(self) -> None:
        try:
            await self._producer.commit_transaction()
        except KafkaError as error:
            raise Refusal from error


def _wrap_client(producer: Producer, act: Callable[[], Awaitable[None]] | None, *, lose: bool) -> None:
    send = producer.client.send
    producer.ends_sent = 0

    async def sending(node: int, request: object, **rest: object) -> object:
        if type(request).__name__ != "EndTxnRequest":
            return await send(node, request, **rest)
        producer.ends_sent += 1
        if act is not None:
            await asyncio.ensure_future(act())  # a transaction runs in no task of its own (streams/log/answers.py)
        answer = await send(node, request, **rest)
        if lose:
            raise KafkaError("reply lost")
        return answer

    producer.client.send = sending

"""The transport on a real Kafka, hosted by Faust: whole batches, from the given offset, committed records only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from streams.embedded import KafkaServer
from streams.intake.app import App
from streams.intake.hosting import ConsumerOptions
from streams.log.batches import Batches
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.records import Batch
from tests.servers import unique
from tests.streams.live import wait_for

pytestmark = pytest.mark.servers

PARTITIONS = 3


class Queue:
    """The queue of one partition; it keeps every batch."""

    def __init__(self, taken: "Taken", partition: int) -> None:
        self.taken = taken
        self.partition = partition

    def put(self, batch: Batch) -> None:
        self.taken.batches.setdefault(self.partition, []).append(batch)

    def unreadable(self, error: BaseException) -> None:
        self.taken.unreadable.append(self.partition)


class Taken:
    """Hears the group's assignments, and keeps every batch put into its queues."""

    def __init__(self) -> None:
        self.batches: dict[int, list[Batch]] = {}
        self.given: frozenset[int] = frozenset()
        self.unreadable: list[int] = []
        self.revoked: list[frozenset[int]] = []

    def queue(self, partition: int) -> Queue:
        return Queue(self, partition)

    async def on_assigned(self, partitions: frozenset[int]) -> None:
        self.given = partitions

    async def on_revoked(self, partitions: frozenset[int]) -> None:
        self.revoked.append(partitions)
        self.given -= partitions

    def on_replaced(self) -> None:
        raise AssertionError("nobody else joins under its name")

    def offsets(self, partition: int) -> list[int]:
        return [record.offset for batch in self.batches.get(partition, []) for record in batch]


@asynccontextmanager
async def topic(kafka: KafkaServer) -> AsyncIterator[tuple[str, AIOKafkaProducer]]:
    name = unique("events")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
    await producer.start()
    try:
        yield name, producer
    finally:
        await producer.stop()


@asynccontextmanager
async def app(kafka: KafkaServer, name: str, taken: Taken) -> AsyncIterator[App]:
    options = ConsumerOptions(name, KafkaConnection(kafka.bootstrap), f"group-{name}", 6_000, 10_000)
    running = App(options, taken)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


async def produce(producer: AIOKafkaProducer, name: str, count: int, partition: int = 0) -> None:
    for n in range(count):
        await producer.send(name, b"%d" % n, partition=partition)
    await producer.flush()


async def test_batches_come_whole_from_where_the_partition_was_opened(kafka: KafkaServer) -> None:
    taken = Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, taken) as running:
        await produce(producer, name, 500)
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        await asyncio.sleep(0.3)
        assert taken.batches == {}, "nothing is read before it is opened"
        await running.event_consumer.open(0, 200, taken.queue(0))
        await wait_for(lambda: taken.offsets(0)[-1:] == [499])
        assert taken.offsets(0) == list(range(200, 500))
        assert len(taken.batches[0]) < 20
        assert running.event_consumer.offsets(0).at_end


async def test_opening_again_never_hands_over_what_was_fetched_before(kafka: KafkaServer) -> None:
    taken = Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, taken) as running:
        await produce(producer, name, 2_000)
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        for start in (0, 1_000, 3, 1_999, 0):
            await running.event_consumer.open(0, start, taken.queue(0))
            taken.batches.clear()
            await wait_for(lambda: taken.offsets(0)[-1:] == [1_999])
            assert taken.offsets(0) == list(range(start, 2_000))


async def test_a_held_partition_waits_and_loses_nothing(kafka: KafkaServer) -> None:
    taken = Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, taken) as running:
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        await running.event_consumer.open(0, 0, taken.queue(0))
        running.event_consumer.hold(0)
        await asyncio.sleep(0.2)
        await produce(producer, name, 100)
        await asyncio.sleep(0.3)
        assert taken.offsets(0) == []
        running.event_consumer.resume(0)
        await wait_for(lambda: len(taken.offsets(0)) == 100)
        running.event_consumer.shut(0)
        await produce(producer, name, 100)
        await asyncio.sleep(0.3)
        assert taken.offsets(0) == list(range(100))


async def test_an_aborted_transaction_is_never_seen_and_the_end_is_reached_past_it(kafka: KafkaServer) -> None:
    taken = Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, taken) as running:
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        await running.event_consumer.open(0, 0, taken.queue(0))
        transactional = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, transactional_id=unique("id"))
        await transactional.start()
        for commit in (True, False):
            await transactional.begin_transaction()
            await transactional.send_and_wait(name, b"%d" % commit, partition=0)
            await (transactional.commit_transaction() if commit else transactional.abort_transaction())
        await transactional.stop()
        await wait_for(lambda: running.event_consumer.offsets(0).next == 4)
        assert [record.value for batch in taken.batches[0] for record in batch] == [b"1"]
        assert running.event_consumer.offsets(0).at_end
        await produce(producer, name, 1)
        await wait_for(lambda: taken.offsets(0) == [0, 4])


async def test_a_position_outside_the_log_is_told_and_never_moved(kafka: KafkaServer) -> None:
    taken = Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, taken) as running:
        await produce(producer, name, 10)
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        await running.event_consumer.open(1, 0, taken.queue(1))
        await running.event_consumer.open(0, 5_000, taken.queue(0))
        await wait_for(lambda: taken.unreadable == [0])
        assert taken.batches == {}
        await produce(producer, name, 10, partition=1)
        await wait_for(lambda: len(taken.offsets(1)) == 10)


async def test_a_rebalance_takes_everything_first_and_leaves_nothing_open(kafka: KafkaServer) -> None:
    first, second = Taken(), Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, first) as one:
        await wait_for(lambda: len(first.given) == PARTITIONS)
        for partition in range(PARTITIONS):
            await one.event_consumer.open(partition, 0, first.queue(partition))
        await one.event_consumer.commit_offsets({0: 0, 1: 0})
        async with app(kafka, name, second) as other:
            await wait_for(lambda: first.given and second.given and len(first.given | second.given) == PARTITIONS)
            assert first.revoked[-1] == frozenset(range(PARTITIONS))
            assert not first.given & second.given
            for partition in range(PARTITIONS):
                await produce(producer, name, 5, partition)
            await asyncio.sleep(0.5)
            assert first.batches == {}, "what comes back is closed until it is opened again"
            assert second.batches == {}
            for partition in second.given:
                await other.event_consumer.open(partition, 0, second.queue(partition))
            await wait_for(lambda: all(len(second.offsets(p)) == 5 for p in second.given))
        await wait_for(lambda: len(first.given) == PARTITIONS)


def test_the_topic_partition_of_faust_equals_that_of_aiokafka() -> None:
    from faust.types import TP

    assert TP("t", 1) == TopicPartition("t", 1)
    assert hash(TP("t", 1)) == hash(TopicPartition("t", 1))


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_what_producers_compress_is_read(kafka: KafkaServer, codec: str) -> None:
    taken = Taken()
    async with topic(kafka) as (name, _), app(kafka, name, taken) as running:
        compressing = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, compression_type=codec, linger_ms=20)
        await compressing.start()
        try:
            await produce(compressing, name, 500)
        finally:
            await compressing.stop()
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        await running.event_consumer.open(0, 0, taken.queue(0))
        await wait_for(lambda: len(taken.offsets(0)) == 500)
        assert [record.value for batch in taken.batches[0] for record in batch] == [b"%d" % n for n in range(500)]


class NotText(str):
    """A header's name that is not text, as a producer in another language may write it."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"caf\xe9"


@pytest.mark.parametrize("codec", range(5))
async def test_a_header_name_that_is_no_text_stops_nobody(kafka: KafkaServer, codec: int) -> None:
    taken = Taken()
    async with topic(kafka) as (name, producer), app(kafka, name, taken) as running:
        await produce(producer, name, 3)
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, codec, False, -1, -1, 0, 16_384)  # noqa: SLF001
        for n in range(10):
            headers = [("a", b"1"), (NotText("x") if n == 5 else "x", None), ("b", b"2")]
            batch.append(timestamp=None, key=b"k", value=b"%d" % n, headers=headers)
        await (await producer.send_batch(batch, name, partition=0))
        await produce(producer, name, 3)
        await wait_for(lambda: len(taken.given) == PARTITIONS)
        await running.event_consumer.open(0, 0, taken.queue(0))
        await wait_for(lambda: len(taken.offsets(0)) == 16)
        assert taken.offsets(0) == list(range(16))
        found = [record for part in taken.batches[0] for record in part]
        assert [record.value for record in found[3:13]] == [b"%d" % n for n in range(10)]
        assert list(found[8].headers) == [("a", b"1"), ("caf\\xe9", None), ("b", b"2")]
        assert list(found[7].headers) == [("a", b"1"), ("x", None), ("b", b"2")]
        assert found[8].timestamp_type == found[7].timestamp_type
        # a claim reads one record of the input
        log = KafkaLog(KafkaConnection(kafka.bootstrap))
        try:
            stored = await log.record_at(name, 0, 8)
            assert stored is not None
            assert (stored.value, stored.timestamp_ms) == (b"5", found[8].timestamp)
        finally:
            await log.close()


def test_what_is_corrupt_is_not_read() -> None:
    builder = _DefaultRecordBatchBuilderPy(2, 0, False, -1, -1, 0, 16_384)
    builder.append(0, 1, b"key", b"value", [])
    data = bytearray(builder.build())
    data[-1] += 2
    read = Batches(bytes(data)).next_batch()
    assert not read.validate_crc()
    with pytest.raises(CorruptRecordException):
        list(read)

"""The null engine: what Segue's stack costs without any rule. It is the limit that the benchmark compares with.

It does what an engine must do for each event: read, decode with orjson, read the profile (MGET), publish what changed
in a Kafka transaction, write the profile (MULTI). It decides nothing: 1.5 % of the events, chosen by a checksum of
their id, count as a change, and so does each marker of the benchmark. The profile is written back as it was read.

Four stages overlap, each a task with a short queue before it: fetch → decode and MGET → transaction → MULTI. A chunk is
what one fetch brought, of all partitions; the transaction and the writes of a chunk are one round trip each. A ring of
three producers takes the transactions in turn. The offset of a partition stands in its key of the store and is written
in the same MULTI; so a restart goes on there and publishes the events after it again. That is weaker than Segue's
promise: the null engine does the same work, and is not held to be correct.
"""

import asyncio
import os
import signal
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.ring import KafkaRing
from streams.records import OutRecord
from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection, pack
from tests.benchmarks.load.plan import MARKER, MARKER_SEGMENT

CHANGED: Final = 66
"""One event in so many is a change: 1.5 %."""
PROFILE: Final = b"%0500d" % 0
"""What a profile is when the store has none: 500 bytes."""
QUEUE: Final = 2
"""Chunks that wait before a stage."""
STORE_TIMEOUT_MS: Final = 30_000
FETCH_BYTES: Final = 1 << 18
"""Of a partition and fetch: 850 events, 7,000 of eight partitions."""


class Chunk(NamedTuple):
    """What one fetch brought of a partition, and what came of it."""

    partition: int
    next_offset: int
    subjects: list[bytes]
    changes: list[OutRecord]
    profiles: list[bytes | None]


class Null:
    """The engine: its stages, and the queues between them."""

    def __init__(self, name: str, changes_topic: str) -> None:
        self._name = name
        self._topic = changes_topic
        self._decoded: asyncio.Queue[list[Chunk]] = asyncio.Queue(QUEUE)
        self._published: asyncio.Queue[list[Chunk]] = asyncio.Queue(QUEUE)
        self._fetched: asyncio.Queue[dict[TopicPartition, list[ConsumerRecord]]] = asyncio.Queue(QUEUE)

    def key(self, partition: int, subject: bytes) -> bytes:
        """Name the key of a profile; all of a partition share a hash tag, as Segue's do."""
        return b"%b:{%d}:%b" % (self._name.encode(), partition, subject)

    async def fetch(self, consumer: AIOKafkaConsumer) -> None:
        """Read whatever is there."""
        while True:
            records = await consumer.getmany(timeout_ms=200)
            if records:
                await self._fetched.put(records)

    async def decode(self, store: StoreConnection) -> None:
        """Decode a fetch, and read its profiles in one round trip."""
        while True:
            chunks = [self._chunk(tp.partition, records) for tp, records in (await self._fetched.get()).items()]
            reads = [pack([b"MGET", *(self.key(chunk.partition, one) for one in chunk.subjects)]) for chunk in chunks]
            replies = await store.ask(reads)
            await self._decoded.put(
                [chunk._replace(profiles=found) for chunk, found in zip(chunks, replies, strict=True)]
            )

    def _chunk(self, partition: int, records: list[ConsumerRecord]) -> Chunk:
        changes = []
        for record in records:
            event = orjson.loads(record.value)
            if crc32(event["id"].encode()) % CHANGED == 0 or event["type"] == MARKER:
                changes.append(OutRecord(self._topic, partition, record.key, _change(event)))
        return Chunk(partition, records[-1].offset + 1, list({record.key for record in records}), changes, [])

    async def publish(self, ring: KafkaRing) -> None:
        """Publish the changes of a fetch in one transaction."""
        while True:
            chunks = await self._decoded.get()
            await ring.transaction([change for chunk in chunks for change in chunk.changes])
            await self._published.put(chunks)

    async def write(self, store: StoreConnection) -> None:
        """Write the profiles and offsets of a fetch, one MULTI a partition, in one round trip."""
        while True:
            writes = []
            for chunk in await self._published.get():
                pairs: list[bytes] = []
                for subject, profile in zip(chunk.subjects, chunk.profiles, strict=True):
                    pairs += (self.key(chunk.partition, subject), profile or PROFILE)
                writes += [
                    pack([b"MULTI"]),
                    pack([b"MSET", *pairs]),
                    pack([b"SET", self.key(chunk.partition, b"offset"), chunk.next_offset]),
                    pack([b"EXEC"]),
                ]
            await store.ask(writes)


def _change(event: dict[str, Any]) -> bytes:
    """Write a change of the size of Segue's."""
    return (
        b'{"id":"g1/%b/1","profile":"%b","segment":"%b","segment_version":1,"change":"entered","sequence":1,'
        b'"effective_at":"%b","reason":{"kind":"entry_rule","conditions":["enter"],"events":["/portal %b"]},'
        b'"layers":{},"backfill":false}'
        % (
            event["subject"].encode(),
            event["subject"].encode(),
            MARKER_SEGMENT.encode() if event["type"] == MARKER else b"s0000-null",
            event["time"].encode(),
            event["id"].encode(),
        )
    )


async def run() -> None:
    """Run until TERM."""
    told = os.environ
    name, partitions = told["BENCH_NAME"], int(told["BENCH_PARTITIONS"])
    engine = Null(name, told["BENCH_CHANGES_TOPIC"])
    log = KafkaLog(KafkaConnection(told["BENCH_BOOTSTRAP"]))
    ring = await log.open_ring(3)
    reading, writing = (
        StoreConnection(RedisConnection.at(told["BENCH_REDIS_URL"]), timeout_ms=STORE_TIMEOUT_MS) for _ in range(2)
    )
    consumer = AIOKafkaConsumer(
        bootstrap_servers=told["BENCH_BOOTSTRAP"],
        isolation_level="read_committed",
        enable_auto_commit=False,
        check_crcs=False,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    assigned = [TopicPartition(told["BENCH_EVENTS_TOPIC"], n) for n in range(partitions)]
    consumer.assign(assigned)
    offsets = (await reading.ask([pack([b"MGET", *(engine.key(n, b"offset") for n in range(partitions))])]))[0]
    for tp, offset in zip(assigned, offsets, strict=True):
        consumer.seek(tp, int(offset or 0))
    stages = [engine.fetch(consumer), engine.decode(reading), engine.publish(ring), engine.write(writing)]
    tasks = [asyncio.ensure_future(stage) for stage in stages]
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print("ready", flush=True)
    await asyncio.wait([*tasks, asyncio.ensure_future(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
    failed = next((task for task in tasks if task.done()), None)
    for task in tasks:
        task.cancel()
    await asyncio.gather(ring.close(), log.close(), reading.close(), writing.close(), consumer.stop())
    if failed is not None:
        failed.result()


if __name__ == "__main__":
    uvloop.run(run())

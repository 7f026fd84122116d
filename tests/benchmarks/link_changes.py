"""Reads the changes that links make, as a platform would: which came, and when."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.load.plan import MARKER_SEGMENT
from tests.benchmarks.peers.engine import Ground

STALL_S: Final = 60
"""Without a change: what is missing then does not come."""
EVENT: Final = b'"events":["/mdm evt-'
"""The events of `tests.benchmarks.load.persons` begin so in a change."""


@dataclass
class Heard:
    """The changes of MARKER_SEGMENT since `begin`."""

    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    exited_s: dict[str, float] = field(default_factory=dict)
    """By the name of the event that made the change: when it arrived."""
    entered_s: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget what was heard."""
        self.count, self.exited_s, self.entered_s = 0, {}, {}

    def take(self, value: bytes, now_s: float) -> None:
        """Take a change in. It parses no JSON, so that it costs little."""
        if MARKER_SEGMENT.encode() not in value:
            return
        begin = value.find(EVENT)
        if begin < 0:
            return
        begin += len(EVENT)
        name = value[begin : value.index(b'"', begin)].decode()
        self.first_s = self.first_s if self.count else now_s
        self.last_s = now_s
        self.count += 1
        (self.exited_s if b'"change":"exited"' in value else self.entered_s)[name] = now_s

    async def wait(self, count: int) -> None:
        """Wait for so many changes. Raises RuntimeError: they do not come."""
        began_s = time.time()
        while self.count < count:
            await asyncio.sleep(0.02)
            if time.time() - max(began_s, self.last_s) > STALL_S:
                raise RuntimeError(f"{self.count:,} of {count:,} changes came")


class Hearing(Protocol):
    """Takes changes in."""

    def take(self, value: bytes, now_s: float) -> None:
        """Take a change in, when it arrived."""
        ...


H = TypeVar("H", bound=Hearing)


@asynccontextmanager
async def listening(ground: Ground, topic: str, heard: H) -> AsyncIterator[H]:
    """Read a topic from its end on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=ground.bootstrap, isolation_level="read_committed", enable_auto_commit=False, check_crcs=False
    )
    await consumer.start()
    partitions = [TopicPartition(topic, n) for n in range(ground.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for tp in partitions:
        await consumer.position(tp)

    async def read() -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=1_000)
            now_s = time.time()
            for records in fetched.values():
                for record in records:
                    heard.take(record.value, now_s)

    reading = asyncio.ensure_future(read())
    try:
        yield heard
        if reading.done():
            reading.result()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()

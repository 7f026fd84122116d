"""Read topics as an outside reader does: whole from offset 0, or beside a run."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

Records = dict[TopicPartition, list[Any]]
SILENT_S: Final = 15.0
"""A reader without records for so long begins again at its position: a client may go silent after a restart."""


def _consumer(bootstrap: str, isolation: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=4 << 20,
    )


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer whole. A consumer whose fetches fail raises the CancelledError of its own tasks."""
    stopping = asyncio.current_task()
    cancelled = 0 if stopping is None else stopping.cancelling()
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        await consumer._client.close()  # noqa: SLF001 - it did not come to that
        if stopping is None or stopping.cancelling() > cancelled:
            raise


async def read_all(
    bootstrap: str, topics: Sequence[str], partitions: int, *, isolation: str = "read_committed", limit_s: float = 120
) -> Records:
    """Return everything below the high watermark, which is asked first; wait for undecided transactions below it."""
    tps = [TopicPartition(topic, n) for topic in topics for n in range(partitions)]
    async with asyncio.timeout(limit_s):
        asking = _consumer(bootstrap, "read_uncommitted")
        await asking.start()
        try:
            asking.assign(tps)
            ends = await asking.end_offsets(tps)
        finally:
            await _stop(asking)
        consumer = _consumer(bootstrap, isolation)
        await consumer.start()
        found: Records = {tp: [] for tp in tps}
        try:
            consumer.assign(tps)
            for tp in tps:
                consumer.seek(tp, 0)
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp] += records
        finally:
            await _stop(consumer)
        return found


async def ends_of(bootstrap: str, topic: str, partitions: int) -> dict[TopicPartition, int]:
    """Return the high watermarks of a topic's partitions. Raises KafkaError."""
    tps = [TopicPartition(topic, n) for n in range(partitions)]
    consumer = _consumer(bootstrap, "read_uncommitted")
    try:
        await consumer.start()
        consumer.assign(tps)
        found: dict[TopicPartition, int] = await consumer.end_offsets(tps)
        return found
    finally:
        await _stop(consumer)


async def create_topics(bootstrap: str, names: Sequence[str], partitions: int) -> None:
    """Create topics with default settings."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    finally:
        await admin.close()


class Observer:
    """A `read_committed` reader beside a deployment, from its beginning to its end."""

    def __init__(self, bootstrap: str, topics: Sequence[str], partitions: int) -> None:
        self._bootstrap = bootstrap
        self.found: Records = {TopicPartition(topic, n): [] for topic in topics for n in range(partitions)}
        self.positions = dict.fromkeys(self.found, 0)
        """Its position, markers included."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Observer":
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        # more than once: a consumer that is being stopped may take a cancel for the end of its own tasks
        while not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=2)

    def check(self) -> None:
        """Raise the error that ended it."""
        if self._task is not None and self._task.done():
            self._task.result()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(KafkaError, OSError):
                await self._read()
            await asyncio.sleep(0.5)

    async def _read(self) -> None:
        consumer = _consumer(self._bootstrap, "read_committed")
        try:
            await consumer.start()
            consumer.assign(list(self.found))
            for tp, position in self.positions.items():
                consumer.seek(tp, position)
            heard_s = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() - heard_s < SILENT_S:
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    self.found[tp] += records
                    self.positions[tp] = records[-1].offset + 1
                    heard_s = asyncio.get_running_loop().time()
                for tp in self.found:
                    self.positions[tp] = await consumer.position(tp)
        finally:
            await _stop(consumer)

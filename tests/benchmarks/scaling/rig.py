"""A deployment on loopback whose every process is measured: workers, the nodes of the store, the broker."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer
from streams.operations.apply import put_into_force
from streams.operations.servers import serving
from tests.benchmarks import cpu
from tests.benchmarks.load.catalogue import make_catalogue
from tests.cluster import Cluster
from tests.servers import unique
from tests.streams.live import Live, live


@dataclass(frozen=True, slots=True)
class Sample:
    """Counters at one instant; `b - a` is what happened between them."""

    at_s: float
    worker_cpu_s: float
    broker_cpu_s: float
    store_cpu_s: float
    keys_read: int
    """Keys that the store was asked for, found or not; token and `meta` are two more a read."""
    store_in_bytes: int
    store_out_bytes: int
    events: int
    """Records applied, over all workers."""
    changes: int
    checkpoints: int
    touched: int
    """Partitions with output in a transaction, summed over the transactions; each wrote one progress record."""

    def __sub__(self, before: "Sample") -> "Sample":
        return Sample(*(getattr(self, one.name) - getattr(before, one.name) for one in fields(self)))


class Rig:
    """A live deployment, its cluster and its broker."""

    def __init__(self, running: Live, cluster: Cluster, kafka: KafkaServer) -> None:
        self.live: Final = running
        self.cluster: Final = cluster
        self.kafka: Final = kafka
        self.sent = 2 * running.deployment.partitions
        """Offsets of the input that are taken: by the cuts with their transaction's markers, and by the events."""

    async def sample(self) -> Sample:
        """Read every counter."""
        progress = await ends(
            self.kafka.bootstrap, self.live.deployment.progress_topic, self.live.deployment.partitions
        )
        return await asyncio.to_thread(self._sample, progress // 2)

    def _sample(self, touched: int) -> Sample:
        workers = [one for one in self.live.workers if one.process.poll() is None]
        stats = [node.info("stats") for node in self.cluster.primaries]
        told = [one.status() or {} for one in workers]

        def total(name: str) -> int:
            return sum(int(found[name]) for found in stats)

        return Sample(
            at_s=time.perf_counter(),
            worker_cpu_s=sum(cpu.of_process(one.process.pid) for one in workers),
            broker_cpu_s=cpu.of_process(self.kafka.pid),
            store_cpu_s=sum(node.cpu_s for node in self.cluster.primaries),
            keys_read=total("keyspace_hits") + total("keyspace_misses"),
            store_in_bytes=total("total_net_input_bytes"),
            store_out_bytes=total("total_net_output_bytes"),
            events=sum(one.get("events", 0) for one in told),
            changes=sum(one.get("changes", 0) for one in told),
            checkpoints=sum(one.get("checkpoints", 0) for one in told),
            touched=touched,
        )

    async def send(self, events: Iterable[tuple[str, bytes]]) -> int:
        """Send events, as (subject, value), as fast as they go; return how many when all are in the log."""
        topic, partitions, count = self.live.deployment.events_topic, self.live.deployment.partitions, 0
        for subject, value in events:
            key = subject.encode()
            await self.live.producer.send(topic, value, key=key, partition=partition_of(key, partitions))
            count += 1
        await self.live.producer.flush()
        self.sent += count
        return count

    async def drain(self, events: Iterable[tuple[str, bytes]]) -> Sample:
        """Let the workers drain a backlog; return what sending and draining took, in the time of the draining.

        The workers are paused while it is sent, for less than a session: so they fetch and apply in large pieces.
        """
        before = await self.sample()
        for worker in self.live.workers:
            worker.process.send_signal(signal.SIGSTOP)
        await self.send(events)
        began_s = time.perf_counter()
        for worker in self.live.workers:
            worker.process.send_signal(signal.SIGCONT)
        await self.settled()
        return (await self.sample()) - replace(before, at_s=began_s)

    async def settled(self, limit_s: float = 120) -> None:
        """Wait until everything sent is applied, published and written."""
        end_s = time.perf_counter() + limit_s
        while not await asyncio.to_thread(self._is_settled):
            assert time.perf_counter() < end_s, "the workers did not catch up"
            await asyncio.sleep(0.05)

    def _is_settled(self) -> bool:
        told = [one.status() for one in self.live.workers if one.process.poll() is None]
        found: list[dict[str, Any]] = [each for one in told if one for each in one["partitions"]]
        if len({one["partition"] for one in found}) < self.live.deployment.partitions:
            return False
        behind = any(one["written_offset"] < one["applied_offset"] or one["lag_records"] != 0 for one in found)
        # the end of the log is as last heard of: what was sent counts, and ticks come on top
        return not behind and sum(one["applied_offset"] for one in found) >= self.sent

    def stop_workers(self) -> None:
        """Stop the workers in order."""
        while self.live.workers:
            assert self.live.workers.pop().stop() == 0

    def log_bytes(self, topic: str) -> int:
        """Return what the segments of a topic take on the broker's disk, without its indexes."""
        folders = Path(self.kafka.folder, "data").glob(f"{topic}-[0-9]*")
        return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log"))


async def ends(bootstrap: str, topic: str, partitions: int) -> int:
    """Return the sum of the high watermarks of a topic's partitions: its records and its markers."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets([TopicPartition(topic, n) for n in range(partitions)])).values())
    finally:
        await consumer.stop()


@asynccontextmanager
async def rig(
    cluster: Cluster, kafka: KafkaServer, partitions: int, segments: int, **settings: Any
) -> AsyncIterator[Rig]:
    """Make a deployment with the benchmark's catalogue of so many segments in force; no worker runs yet."""
    async with live(unique("scale"), kafka.bootstrap, cluster.url, partitions=partitions, **settings) as running:
        async with serving(running.deployment, running.settings) as servers:
            await put_into_force(servers, make_catalogue(segments))
        yield Rig(running, cluster, kafka)

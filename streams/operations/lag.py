"""How far behind the partitions are: the log's end, what is applied, what is published."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.clock import SystemClock
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.wire.progress import read_progress

LOOK_S: Final = 2.0
"""How long unapplied records are looked for: a producer's open transaction may hide them."""
COUNTED_MAX: Final = 5_000
"""Unapplied records are counted one by one up to here; beyond, offsets are taken for records."""
FETCH_BYTES: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """The lag of one partition. Offsets are next records."""

    partition: int
    end: int
    applied: int | None
    """Of the state in Redis; None: there is no state."""
    published: int | None
    """None: nothing was ever published."""
    lag_records: int
    lag_seconds: float
    """Age of the oldest unapplied record; 0: there is none."""
    catalogue: str
    """Hash of the catalogue in force there; empty: none has taken effect."""


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of all partitions, in order."""

    partitions: tuple[PartitionLag, ...]

    @property
    def lag_records(self) -> int:
        """The records of all partitions that are not applied yet."""
        return sum(each.lag_records for each in self.partitions)

    @property
    def lag_seconds(self) -> float:
        """The age of the oldest unapplied record of all partitions."""
        return max(each.lag_seconds for each in self.partitions)

    @property
    def without_state(self) -> tuple[int, ...]:
        """The partitions that have no state in Redis: an incident."""
        return tuple(each.partition for each in self.partitions if each.applied is None)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "partitions": [asdict(each) for each in self.partitions],
            "lag_records": self.lag_records,
            "lag_seconds": self.lag_seconds,
        }


@dataclass(frozen=True, slots=True)
class Reached:
    """Where one partition stands. Offsets are next records."""

    partition: int
    end: int
    applied: int | None
    published: int | None
    catalogue: str

    @property
    def behind_from(self) -> int:
        """The first offset that may not be applied."""
        return max(self.applied or 0, self.published or 0)


class LagMeter:
    """Measures the lag again and again over one connection; see `lag_meter`."""

    def __init__(self, servers: Servers, consumer: AIOKafkaConsumer) -> None:
        self._servers = servers
        self._consumer = consumer

    async def measure(self) -> Lag:
        """Return the lag of every partition, now.

        A partition is behind from the later of its applied and its published offset: what is published was applied.
        Takes up to LOOK_S longer than the servers' answers where an open transaction hides records.
        """
        reached = await self._servers.in_each(self._reach)
        unapplied = await behind(self._consumer, [each for each in reached if each.end > each.behind_from])
        now_ms = SystemClock().wall_ms()
        return Lag(tuple(_lag(each, *unapplied.get(each.partition, (0, None)), now_ms) for each in reached))

    async def _reach(self, partition: int, store: RedisStore) -> Reached:
        deployment, log = self._servers.deployment, self._servers.log
        _, end = await log.offsets(deployment.events_topic, partition)
        last = await log.last(deployment.progress_topic, partition)
        meta = await store.read_meta()
        return Reached(
            partition,
            end,
            None if meta is None else meta.offset,
            None if last is None else read_progress(last.value).offset,
            "" if meta is None else meta.catalogue,
        )


@asynccontextmanager
async def lag_meter(servers: Servers) -> AsyncIterator[LagMeter]:
    """Have a meter of the lag. Raises WrongInput where topics are missing; Unreachable."""
    deployment = servers.deployment
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic)
    async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        yield LagMeter(servers, consumer)


def _lag(reached: Reached, count: int, oldest_ms: int | None, now_ms: int) -> PartitionLag:
    age_s = 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000
    return PartitionLag(
        reached.partition, reached.end, reached.applied, reached.published, count, age_s, reached.catalogue
    )


async def behind(consumer: AIOKafkaConsumer, reached: Sequence[Reached]) -> dict[int, tuple[int, int | None]]:
    """Return by partition how many records are not applied, and the timestamp of the first in epoch milliseconds.

    Records that an open transaction hides are counted by their offsets; their timestamp is None.
    """
    if not reached:
        return {}
    [topic] = {partition.topic for partition in consumer.assignment()}
    waiting = {TopicPartition(topic, each.partition): each for each in reached}
    counts = dict.fromkeys(waiting, 0)
    oldest: dict[TopicPartition, int] = {}
    await _seek(consumer, waiting)
    found: dict[int, tuple[int, int | None]] = {}
    until = monotonic() + LOOK_S
    while waiting and monotonic() < until:
        for tp, records in (await consumer.getmany(timeout_ms=100)).items():
            if tp in waiting:
                end = waiting[tp].end
                counts[tp] += sum(record.offset < end for record in records)
                if records and records[0].offset < end:
                    oldest.setdefault(tp, records[0].timestamp)
        for tp in list(waiting):
            position = await consumer.position(tp)
            if position >= waiting[tp].end or counts[tp] >= COUNTED_MAX:
                found[tp.partition] = (counts[tp] + max(0, waiting.pop(tp).end - position), oldest.get(tp))
                consumer.pause(tp)
    for tp, each in waiting.items():
        found[tp.partition] = (counts[tp] + each.end - await consumer.position(tp), oldest.get(tp))
    return found


async def _seek(consumer: AIOKafkaConsumer, waiting: dict[TopicPartition, Reached]) -> None:
    """Let the consumer read these partitions only, each from its first record that may not be applied."""
    consumer.pause(*consumer.assignment())
    for tp, each in waiting.items():
        beginning = (await consumer.beginning_offsets([tp]))[tp]
        consumer.seek(tp, max(each.behind_from, beginning))
    consumer.resume(*waiting)

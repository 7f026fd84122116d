"""How far behind the partitions are: the log's end, what is applied, what is published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer

from streams.clock import SystemClock
from streams.operations.behind import FETCH_BYTES, Reached, behind
from streams.operations.filling.state import HistoryState, read_history_state
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.wire.progress import read_progress


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
    history: HistoryState | None = None
    """What is open of its history; None: nothing is."""


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
        histories: dict[int, HistoryState | None] = {}

        async def reach(partition: int, store: RedisStore) -> Reached:
            histories[partition] = await read_history_state(self._servers.log, self._servers.deployment, partition)
            return await self._reach(partition, store)

        reached = await self._servers.in_each(reach)
        unapplied = await behind(self._consumer, [each for each in reached if each.end > each.behind_from])
        now_ms = SystemClock().wall_ms()
        lags = (_lag(each, *unapplied.get(each.partition, (0, None)), now_ms) for each in reached)
        return Lag(tuple(replace(each, history=histories[each.partition]) for each in lags))

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
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic, deployment.fills_topic)
    async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        yield LagMeter(servers, consumer)


def _lag(reached: Reached, count: int, oldest_ms: int | None, now_ms: int) -> PartitionLag:
    age_s = 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000
    return PartitionLag(
        reached.partition, reached.end, reached.applied, reached.published, count, age_s, reached.catalogue
    )

"""When changes arrive at a `read_committed` reader, and how long after the records that caused them."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.faults.checker import Names
from tests.faults.model import milliseconds


@dataclass(frozen=True)
class Arrival:
    """One change as a reader got it."""

    partition: int
    at_ms: float
    record_ms: int
    """The timestamp of the record that caused it; -1: a wake caused it, and nobody waits for a wake."""

    @property
    def took_ms(self) -> float:
        """Return the time from the record's arrival at the broker to the change's at the reader; one clock for both."""
        return self.at_ms - self.record_ms


class Arrivals:
    """Reads the changes of a deployment from now on. A context manager."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._tps = [TopicPartition(names.membership, n) for n in range(names.partitions)]
        self.seen: list[Arrival] = []

    async def __aenter__(self) -> "Arrivals":
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._names.bootstrap, isolation_level="read_committed", enable_auto_commit=False
        )
        await self._consumer.start()
        self._consumer.assign(self._tps)
        await self._consumer.seek_to_end()
        self._task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._consumer.stop()

    async def _run(self) -> None:
        while True:
            for tp, records in (await self._consumer.getmany(timeout_ms=100)).items():
                at_ms = time.time() * 1000
                for record in records:
                    change = json.loads(record.value)
                    of_event = bool(change["reason"]["events"])
                    record_ms = milliseconds(change["effective_at"]) if of_event else -1
                    self.seen.append(Arrival(tp.partition, at_ms, record_ms))

    def longest_gap_s(self, from_ms: float, to_ms: float) -> float:
        """Return the longest time without a change in a partition, between two instants."""
        longest_ms = 0.0
        for partition in range(self._names.partitions):
            times = [from_ms, *(one.at_ms for one in self.seen if one.partition == partition), to_ms]
            times = sorted(at_ms for at_ms in times if from_ms <= at_ms <= to_ms)
            gaps = [after - before for before, after in itertools.pairwise(times)]
            longest_ms = max([longest_ms, *gaps])
        return longest_ms / 1000


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile; 0 for no values."""
    return sorted(values)[int(len(values) * 0.99)] if values else 0.0

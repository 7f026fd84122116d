"""The log in memory: a client of the model `tests.models.broker.Broker`, for tests and for the simulation of faults.

It passes the same contract suite as the log on Kafka (tests/contract/log). Every request goes through a `Network`, the
one place for faults: a subclass may delay a request, lose it or its reply (raise `Lost`), deliver it late or twice,
write markers when it likes, and let transactions time out.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from streams.errors import Doubt, NotReachable, RecordTooLarge
from streams.log.terms import Log, Ring
from streams.records import OutRecord, Stored
from tests.models.broker import Broker, Concurrent, Refused, TopicPartition

T = TypeVar("T")


class Lost(Exception):
    """No answer came. The request may have been carried out, or may be later, or never."""


class Network:
    """How requests and replies travel: here at once, in order, once. Subclass it for faults."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    async def call(self, name: str, request: Callable[[], T]) -> T:
        """Carry out a request (`name`: init, produce, end, append, watermarks, fetch) and return its answer.

        A subclass may do it later, twice or never. It raises `Lost` if the caller gets no answer.
        """
        await asyncio.sleep(0)
        return request()

    async def pause(self, name: str, attempt: int) -> None:
        """Wait before a client asks again. Here the broker writes its markers meanwhile."""
        self.broker.settle()
        await asyncio.sleep(0)


class MemoryRing(Ring):
    """A ring on the model."""

    def __init__(self, network: Network, name: str, size: int) -> None:
        self._network = network
        self._broker = network.broker
        self._name = name
        self._ids = tuple(f"{name}-{n}" for n in range(size))
        self._epochs: dict[str, int] = {}
        self._turn = 0
        self._over = False
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        return self._name

    @property
    def ids(self) -> tuple[str, ...]:
        return self._ids

    @property
    def over(self) -> bool:
        return self._over

    async def open(self, patience: int) -> None:
        """Initialise every id."""
        for id_ in self._ids:
            self._epochs[id_] = await _init(self._network, id_, patience)

    async def transaction(self, records: Sequence[OutRecord]) -> list[int]:
        for record in records:
            if len(record.key or b"") + len(record.value or b"") > self._broker.record_bytes_max:
                raise RecordTooLarge(record.topic)
        async with self._lock:
            if self._over:
                raise Doubt("the ring is over")
            if not records:
                return []
            id_ = self._ids[self._turn % len(self._ids)]
            self._turn += 1
            try:
                return await self._publish(id_, self._epochs[id_], records)
            except (Lost, Refused, Concurrent) as error:
                self._over = True
                raise Doubt(f"{type(error).__name__} {error}") from error
            except BaseException:
                self._over = True
                raise

    async def _publish(self, id_: str, epoch: int, records: Sequence[OutRecord]) -> list[int]:
        offsets = [-1] * len(records)
        for places in _by_partition(records):
            batch = [records[place] for place in places]
            for place, offset in zip(places, await self._produce(id_, epoch, batch), strict=True):
                offsets[place] = offset
        if any(self._broker.now_ms < record.stamp_min_ms for record in records):
            raise Refused("stamped too early")
        await self._network.call("end", lambda: self._broker.end_transaction(id_, epoch))
        return offsets

    async def _produce(self, id_: str, epoch: int, batch: list[OutRecord]) -> list[int]:
        attempt = 0
        while True:
            try:
                return await self._network.call("produce", lambda: self._broker.produce(id_, epoch, batch))
            except Concurrent:
                attempt += 1
                await self._network.pause("produce", attempt)

    async def close(self) -> None:
        self._over = True


class MemoryLog(Log):
    """The log on the model. `patience`: how often a read asks again before it raises NotReachable; its deadline."""

    def __init__(self, network: Network, patience: int = 1_000) -> None:
        self._network = network
        self._broker = network.broker
        self._patience = patience

    async def open_ring(self, size: int) -> MemoryRing:
        self._broker.names += 1
        ring = MemoryRing(self._network, f"ring-{self._broker.names}", size)
        await ring.open(self._patience)
        return ring

    async def fence(self, transactional_id: str) -> None:
        await _init(self._network, transactional_id, self._patience)

    async def read_to_end(self, topic: str, partition: int) -> list[Stored]:
        start, end = await self.offsets(topic, partition)
        return await self._read(topic, partition, start, end)

    async def last(self, topic: str, partition: int) -> Stored | None:
        start, end = await self.offsets(topic, partition)
        window = 4
        while True:
            position = max(start, end - window)
            records = await self._read(topic, partition, position, end)
            if records or position == start:
                return records[-1] if records else None
            window *= 8

    async def record_at(self, topic: str, partition: int, offset: int) -> Stored | None:
        start, end = await self.offsets(topic, partition)
        if not start <= offset < end:
            return None
        records = await self._read(topic, partition, offset, offset + 1)
        return records[0] if records and records[0].offset == offset else None

    async def find(self, topic: str, key: bytes) -> bytes | None:
        for partition in self._broker.partitions(topic):
            values = [record.value for record in await self.read_to_end(topic, partition) if record.key == key]
            if values and values[-1] is not None:
                return values[-1]
        return None

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        return await self._ask("watermarks", lambda: self._broker.watermarks(topic, partition))

    async def append(self, record: OutRecord) -> int:
        return await self._ask("append", lambda: self._broker.append(record))

    async def close(self) -> None:
        pass

    async def _read(self, topic: str, partition: int, position: int, end: int) -> list[Stored]:
        """Return the committed records from a position to an end; wait for undecided transactions between."""
        records: list[Stored] = []
        for attempt in range(1, self._patience):
            fetch = partial(self._broker.fetch, topic, partition, position)
            found, position = await self._ask("fetch", fetch)
            records += found
            if position >= end:
                return records
            await self._network.pause("fetch", attempt)
        raise NotReachable("a transaction stayed open")

    async def _ask(self, name: str, request: Callable[[], T]) -> T:
        try:
            return await self._network.call(name, request)
        except (Lost, Refused) as error:
            raise NotReachable(f"{name}: {type(error).__name__} {error}") from error


async def _init(network: Network, id_: str, patience: int) -> int:
    for attempt in range(1, patience):
        try:
            return await network.call("init", lambda: network.broker.init_producer_id(id_))
        except Concurrent:
            await network.pause("init", attempt)
        except (Lost, Refused) as error:
            raise NotReachable(f"init: {type(error).__name__} {error}") from error
    raise NotReachable("init: the markers were not written")


def _by_partition(records: Sequence[OutRecord]) -> Iterable[list[int]]:
    places: dict[TopicPartition, list[int]] = {}
    for place, record in enumerate(records):
        places.setdefault((record.topic, record.partition), []).append(place)
    return places.values()

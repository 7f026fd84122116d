"""The stores that the contract suite runs on: the model, Valkey, a cluster of three, and Redis if
SEGUE_TEST_REDIS_URL names one.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlparse

import pytest
import redis.asyncio

from streams.embedded import ValkeyServer
from streams.store.access import RedisConnection
from streams.store.erasure_keys import NO_KEYS, ErasureKeys
from streams.store.keys import Keys, hash_tag, slot
from streams.store.redis import RedisStore
from streams.store.shared_reads import SharedReads
from streams.store.terms import PartitionStore
from tests.cluster import Cluster, running_cluster
from tests.contract.store.proxy import Proxy
from tests.models.store import MemoryServer, MemoryStore, Mishaps
from tests.redis_content import everything_told
from tests.servers import TEST_REDIS_URL, unique

PARTITIONS = 4
REAL = [
    pytest.param(name, marks=pytest.mark.servers) for name in ("valkey", "redis") if name != "redis" or TEST_REDIS_URL
]
CLUSTER = pytest.param("cluster", marks=pytest.mark.servers)
BACKENDS = ["memory", *REAL, CLUSTER]


class Backend(ABC):
    """A server for the suite: it makes stores, and faults on demand."""

    @abstractmethod
    def store(self, partition: int = 0, erasure_keys: ErasureKeys = NO_KEYS) -> PartitionStore:
        """Open a store over a connection of its own."""

    @abstractmethod
    def befall(self, mishap: str) -> None:
        """Let the next write be `request lost`, `reply lost` or `late`. Call it right before that write."""

    @abstractmethod
    async def deliver(self) -> None:
        """Let late writes arrive, in the order they were sent."""

    @abstractmethod
    async def snapshot(self) -> Any:
        """Return the content of partition 0."""

    @abstractmethod
    async def told(self) -> bytes:
        """Return the bytes of everything that partition 0 holds, names and values."""

    @abstractmethod
    async def roll_back(self, snapshot: Any) -> None:
        """Put a content of partition 0 back."""


class MemoryBackend(Backend):
    def __init__(self) -> None:
        self.mishaps = Mishaps()
        self.server = MemoryServer(self.mishaps)

    def store(self, partition: int = 0, erasure_keys: ErasureKeys = NO_KEYS) -> PartitionStore:
        return MemoryStore(self.server, partition, erasure_keys)

    def befall(self, mishap: str) -> None:
        self.mishaps.next.append(mishap)

    async def deliver(self) -> None:
        for request in self.mishaps.kept:
            request()
        self.mishaps.kept.clear()

    async def told(self) -> bytes:
        content = self.server.content(0)
        values = (*content.profiles.values(), *content.erased, *content.erased.values())
        return b"|".join([repr(replace(content, erased={})).encode(), *values])

    async def snapshot(self) -> int:
        return len(self.server.history.get(0, [None])) - 1

    async def roll_back(self, snapshot: Any) -> None:
        self.server.roll_back(0, snapshot)


class RealBackend(Backend):
    """A real server behind a proxy. Its keys begin with a prefix of this backend's own. As in a worker, its stores read
    profiles over one connection.
    """

    def __init__(self, proxy: Proxy, url: str) -> None:
        self.prefix = unique("test")
        self.proxy = proxy
        self.direct = redis.asyncio.Redis.from_url(url, protocol=2)
        self.opened: list[RedisStore] = []
        self.reads = SharedReads(RedisConnection.at(proxy.url), timeout_ms=2_000)

    def store(self, partition: int = 0, erasure_keys: ErasureKeys = NO_KEYS) -> PartitionStore:
        store = RedisStore(
            RedisConnection.at(self.proxy.url),
            self.prefix,
            partition,
            PARTITIONS,
            timeout_ms=2_000,
            erasure_keys=erasure_keys,
            shared=self.reads,
        )
        self.opened.append(store)
        return store

    def befall(self, mishap: str) -> None:
        self.proxy.next.append(mishap)

    async def deliver(self) -> None:
        await self.proxy.deliver()

    async def told(self) -> bytes:
        return await everything_told(self.direct, self.pattern())

    async def snapshot(self) -> dict[bytes, bytes]:
        keys = [key async for key in self.direct.scan_iter(match=self.pattern(), count=1_000)]
        dumps = {key: await self.direct.dump(key) for key in keys}
        return {key: dump for key, dump in dumps.items() if dump is not None}

    async def roll_back(self, snapshot: Any) -> None:
        keys = [key async for key in self.direct.scan_iter(match=self.pattern(), count=1_000)]
        if keys:
            await self.direct.unlink(*keys)
        for key, dump in snapshot.items():
            await self.direct.restore(key, 0, dump)

    def pattern(self) -> bytes:
        return Keys(self.prefix, 0, PARTITIONS).pattern

    async def close(self) -> None:
        self.proxy.next.clear()
        for partition in {0, 1}:
            await self.store(partition).drop()
        for store in self.opened:
            await store.close()
        await self.reads.close()
        await self.direct.aclose()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes. Shared: never stop or flush one; use `unique` key prefixes."""
    with running_cluster(3) as running:
        yield running


def server_url(name: str, request: pytest.FixtureRequest) -> str:
    """Return the URL of the real server called `name`; of the cluster, the node that has partition 0.

    So what befalls the writes of partition 0 befalls them in the proxy. Other partitions follow MOVED past it.
    """
    if name == "cluster":
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.owner(slot(hash_tag(0, PARTITIONS))).redis_url
    if name == "redis":
        assert TEST_REDIS_URL
        return TEST_REDIS_URL
    server: ValkeyServer = request.getfixturevalue("valkey")
    return server.redis_url


@pytest.fixture(params=BACKENDS)
async def backend(request: pytest.FixtureRequest) -> AsyncIterator[Backend]:
    """Each of the servers in turn, empty."""
    if request.param == "memory":
        yield MemoryBackend()
        return
    url = server_url(request.param, request)
    at = urlparse(url)
    async with Proxy(at.hostname or "127.0.0.1", at.port or 6379) as proxy:
        real = RealBackend(proxy, url)
        yield real
        await real.close()

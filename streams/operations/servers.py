"""Kafka and Redis as an operation reaches them.

An operation is an async function of `Servers`. `serving` makes them and turns every way in which a server can be away
into an error of one line that names the server and its setting, without the credentials of its address.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from rules.catalogue.assignment_key import AssignmentKeyUnknown
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from rules.catalogue.stored import OtherRules, load_catalogue_json
from rules.language.problems import CatalogueErrors, Source
from streams.errors import HeldUp, Incident, NotReachable, Refused, StoreBug, StoreRefused, Unanswered
from streams.log.admin import Cluster, connected
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.consumers import Consumer
from streams.log.producer import Tuning
from streams.log.refusals import not_reachable
from streams.operations.errors import (
    AssignmentKeyWrong,
    CatalogueNotStored,
    CatalogueUnusable,
    KafkaAway,
    KafkaRefuses,
    KafkaUndecided,
    NoCatalogue,
    OperationError,
    RedisAway,
    RedisRefuses,
    StateWrong,
    TopicMissing,
    Unreachable,
    WrongPartitionCount,
)
from streams.operations.reach import host_and_port, reach_of
from streams.records import Stored
from streams.settings import Deployment, Settings, assignment_keys
from streams.store.access import RedisConnection
from streams.store.erasure_keys import NO_KEYS, ErasureKeys
from streams.store.redis import RedisStore

REACH_MS: Final = 10_000
"""How long a command waits for a server that does not answer. One that refuses the connection is away at once."""
AT_ONCE: Final = 16
"""Partitions looked at at the same time."""
KAFKA_PORT: Final = 9092
QUIET: Final = ("aiokafka", "faust", "mode", "asyncio")
"""Loggers whose every line a command says better itself, or need not say."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Servers:
    """What a command works with. Connections are made when first used."""

    deployment: Deployment
    settings: Settings
    log: KafkaLog
    erasure_keys: ErasureKeys = NO_KEYS
    """Name what stays of erased people in Redis."""

    @property
    def connection(self) -> KafkaConnection:
        """How Kafka is reached, for clients of an operation's own."""
        return self.log.connection

    @property
    def redis(self) -> RedisConnection:
        """How Redis is reached, and as whom."""
        return RedisConnection.of(self.settings)

    def store(self, partition: int) -> RedisStore:
        """Make the store of a partition: close it, or use `stored`."""
        deployment = self.deployment
        return RedisStore(
            self.redis,
            deployment.redis_prefix,
            partition,
            deployment.partitions,
            timeout_ms=REACH_MS // 2,
            erasure_keys=self.erasure_keys,
        )

    @asynccontextmanager
    async def stored(self, partition: int) -> AsyncIterator[RedisStore]:
        """Have the store of a partition."""
        store = self.store(partition)
        try:
            yield store
        finally:
            await store.close()

    async def in_each(self, work: Callable[[int, RedisStore], Awaitable[T]]) -> list[T]:
        """Do something with the store of every partition, a few at the same time; what it gave, by partition."""
        few = asyncio.Semaphore(AT_ONCE)

        async def one(partition: int) -> T:
            async with few, self.stored(partition) as store:
                return await work(partition, store)

        return list(await asyncio.gather(*map(one, range(self.deployment.partitions))))

    @asynccontextmanager
    async def cluster(self) -> AsyncIterator[Cluster]:
        """Have an admin connection."""
        async with connected(self.connection, timeout_ms=REACH_MS) as cluster:
            yield cluster

    async def expect_topics(self, *names: str) -> None:
        """Check that topics exist with this deployment's partitions. Raises TopicMissing, WrongPartitionCount."""
        deployment = self.deployment
        async with self.cluster() as cluster:
            found = await cluster.existing(names)
        missing = [name for name in names if name not in found]
        if missing:
            raise TopicMissing(missing[0])
        for name in names:
            count = found[name].partitions
            if name != deployment.catalogues_topic and count != deployment.partitions:
                raise WrongPartitionCount(name, count, deployment.partitions)

    async def latest_catalogue(self) -> Stored | None:
        """Read the catalogue applied last, as stored; None: none was. Every `segue apply` appends its own again."""
        return await self.log.last(self.deployment.catalogues_topic, 0)

    async def catalogue(self) -> Catalogue:
        """Return the catalogue applied last. Raises NoCatalogue where there is none, CatalogueUnusable."""
        await self.expect_topics(self.deployment.catalogues_topic)
        stored = await self.latest_catalogue()
        if stored is None or stored.value is None:
            raise NoCatalogue
        return compiled(stored.value)

    async def catalogue_of(self, digest: str) -> Catalogue:
        """Return the catalogue of a hash. Raises CatalogueNotStored, CatalogueUnusable."""
        topic = self.deployment.catalogues_topic
        data = await self.log.find(topic, digest.encode())
        if data is None:
            raise CatalogueNotStored(digest, topic)
        return compiled(data)

    @asynccontextmanager
    async def reading(self, topic: str, **options: Any) -> AsyncIterator[tuple[Consumer, list[TopicPartition]]]:
        """Have a consumer of committed records, assigned to all partitions of a topic; no group, no position yet."""
        consumer = Consumer(
            **self.connection.options(),
            isolation_level="read_committed",
            enable_auto_commit=False,
            request_timeout_ms=REACH_MS,
            **options,
        )
        try:
            await consumer.start()
            partitions = [TopicPartition(topic, n) for n in range(self.deployment.partitions)]
            consumer.assign(partitions)
            yield consumer, partitions
        finally:
            await consumer.stop()


@asynccontextmanager
async def serving(deployment: Deployment, settings: Settings) -> AsyncIterator[Servers]:
    """Have the servers of a deployment. What goes wrong inside comes out as an OperationError: a server that is away
    as KafkaAway or RedisAway, state that must not be guessed at as StateWrong.
    """
    tuning = Tuning(
        transaction_timeout_ms=settings.transaction_timeout_ms, request_timeout_ms=settings.request_timeout_ms
    )
    log = KafkaLog(KafkaConnection.of(settings), tuning)
    servers = Servers(deployment, settings, log, ErasureKeys.of(settings))
    try:
        yield servers
    except FAULTS as error:
        raise await explained(servers, error) from None
    finally:
        await log.close()


FAULTS: Final = (AssignmentKeyUnknown, NotReachable, KafkaError, Unanswered, StoreBug, Incident)
"""What `explained` has a sentence for."""


async def explained(servers: Servers, error: BaseException) -> OperationError:
    """Return what a fault inside an operation is told as. Takes FAULTS."""
    settings = servers.settings
    if isinstance(error, AssignmentKeyUnknown):
        return AssignmentKeyWrong(str(error))
    if isinstance(error, Incident):
        return StateWrong(str(error))
    if isinstance(error, HeldUp):
        return KafkaUndecided(settings.kafka_bootstrap_servers, str(error))
    if isinstance(error, NotReachable):
        return await _kafka_away(settings, error, servers.log.connection.access.hint())
    if isinstance(error, KafkaError):
        away = not_reachable("", error, servers.log.connection)
        return await _kafka_away(settings, away, servers.log.connection.access.hint())
    redis = servers.redis
    if isinstance(error, StoreRefused):
        return RedisRefuses(redis.address, error)
    return RedisAway(redis.address, str(error), REACH_MS, await reach_of(redis.reached_first))


async def _kafka_away(settings: Settings, error: NotReachable, hint: str) -> Unreachable:
    if isinstance(error, Refused):
        return KafkaRefuses(error.code, error.sentence)
    if hint:
        return Unreachable(hint)
    reason = str(error).removeprefix(": ")
    nodes = [host_and_port(each, KAFKA_PORT) for each in settings.kafka_bootstrap_servers.split(",")]
    return KafkaAway(settings.kafka_bootstrap_servers, reason, REACH_MS, await reach_of(nodes))


def compiled(data: bytes) -> Catalogue:
    """Compile a stored catalogue; raises CatalogueUnusable where this version of Segue cannot."""
    try:
        return load_catalogue_json(data, assignment_keys())
    except OtherRules as wrong:
        raise CatalogueUnusable(str(wrong)) from None
    except CatalogueErrors:
        what = "the catalogue in force does not load here: use the version of Segue that applied it, or apply it again"
        raise CatalogueUnusable(what) from None


def compiled_anyhow(data: bytes) -> Catalogue | None:
    """Compile a stored catalogue of any rules version; None where it does not load here."""
    try:
        files = orjson.loads(data)["files"]
        return load_catalogue([Source(file, value) for file, value in files.items()], assignment_keys())
    except (CatalogueErrors, ValueError, KeyError, TypeError, AttributeError):
        return None


def silence_libraries() -> None:
    """Keep what the client libraries log off the terminal."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)

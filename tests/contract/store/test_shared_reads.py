"""Reads of several partitions over one connection: together, and each with its own outcome."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.exceptions import ResponseError

from streams.embedded import ValkeyServer
from streams.errors import Fenced, Gap, StoreBug, Unanswered
from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection, pack
from streams.store.redis import RedisStore
from streams.store.shared_reads import PARTS_MAX, SharedReads
from streams.store.terms import Token
from tests.cluster import Cluster
from tests.contract.store.test_contract import FIRST, checkpoint, meta
from tests.servers import unique

PARTITIONS = 4


class Sent:
    """Stands in for a connection: notes each round trip, and answers every command with itself."""

    def __init__(self) -> None:
        self.trips: list[list[bytes]] = []
        self.failing: BaseException | None = None

    async def ask(self, commands: Sequence[bytes]) -> list[Any]:
        self.trips.append(list(commands))
        await asyncio.sleep(0)
        if self.failing is not None:
            raise self.failing
        return [ResponseError("WRONGTYPE") if command == b"wrong" else command for command in commands]

    async def fault(self, error: ResponseError) -> StoreBug:
        return StoreBug(str(error))


def reads_over(sent: Sent) -> SharedReads:
    reads = SharedReads(RedisConnection.at("redis://127.0.0.1:1/0"))
    reads._connection = sent  # type: ignore[misc,assignment]  # noqa: SLF001
    return reads


async def test_what_is_asked_in_one_turn_of_the_loop_is_one_round_trip() -> None:
    sent = Sent()
    reads = reads_over(sent)
    found = await asyncio.gather(*(reads.ask([b"a%d" % n, b"b%d" % n]) for n in range(5)))
    assert found == [[b"a%d" % n, b"b%d" % n] for n in range(5)]
    assert len(sent.trips) == 1
    assert await reads.ask([b"later"]) == [b"later"]
    await asyncio.gather(*(reads.ask([b"many"]) for _ in range(2 * PARTS_MAX + 1)))
    assert [len(trip) for trip in sent.trips[2:]] == [PARTS_MAX, PARTS_MAX, 1]


async def test_an_error_reply_is_only_his_whose_command_it_was() -> None:
    reads = reads_over(Sent())
    found = await asyncio.gather(
        reads.ask([b"one"]), reads.ask([b"x", b"wrong"]), reads.ask([b"other"]), return_exceptions=True
    )
    assert list(found[::2]) == [[b"one"], [b"other"]]
    assert isinstance(found[1], StoreBug)


@pytest.mark.parametrize("failing", [Unanswered("gone"), AssertionError("a bug")])
async def test_a_round_trip_that_fails_fails_for_all_who_share_it_and_the_next_one_works(failing: Exception) -> None:
    sent = Sent()
    reads = reads_over(sent)
    sent.failing = failing
    for found in await asyncio.gather(reads.ask([b"one"]), reads.ask([b"other"]), return_exceptions=True):
        assert found is failing
    sent.failing = None
    assert await reads.ask([b"one"]) == [b"one"]


async def test_who_is_cancelled_takes_nothing_from_the_others() -> None:
    reads = reads_over(Sent())
    going, staying = (asyncio.ensure_future(reads.ask([name])) for name in (b"going", b"staying"))
    await asyncio.sleep(0)
    going.cancel()
    assert await staying == [b"staying"]
    assert going.cancelled()


async def sharing(url: str) -> tuple[SharedReads, list[RedisStore]]:
    """Return every partition after the checkpoint FIRST, and what their reads share."""
    reads, prefix = SharedReads(RedisConnection.at(url)), unique("test")
    stores = [
        RedisStore(RedisConnection.at(url), prefix, partition, PARTITIONS, shared=reads)
        for partition in range(PARTITIONS)
    ]
    for store in stores:
        await store.create(meta())
        await store.write(FIRST)
    return reads, stores


@pytest.fixture
async def stores(valkey: ValkeyServer) -> AsyncIterator[list[RedisStore]]:
    """Every partition after the checkpoint FIRST, with reads that are shared."""
    reads, found = await sharing(valkey.redis_url)
    yield found
    for store in found:
        await store.drop()
        await store.close()
    await reads.close()


@pytest.mark.servers
async def test_each_partition_gets_its_own_profiles_and_its_own_outcome(stores: list[RedisStore]) -> None:
    await stores[1].write(checkpoint((5, 1), 2, profiles={"hcp:1": b"of partition 1"}))
    await stores[2].raise_epoch(Token(6, 0))
    found = await asyncio.gather(
        stores[0].profiles(["hcp:1"], [Token(5, 1)]),
        stores[1].profiles(["hcp:1", "nobody"], [Token(5, 1), Token(5, 2)]),
        stores[1].profiles(["hcp:1"], [Token(5, 1)]),
        stores[2].profiles(["hcp:1"], [Token(5, 1)]),
        return_exceptions=True,
    )
    assert list(found[:2]) == [[FIRST.profiles["hcp:1"]], [b"of partition 1", None]]
    assert [type(one) for one in found[2:]] == [Gap, Fenced]


@pytest.mark.servers
async def test_a_connection_that_breaks_is_one_unanswered_read(stores: list[RedisStore], valkey: ValkeyServer) -> None:
    assert await stores[0].profiles(["hcp:1"], [Token(5, 1)]) == [FIRST.profiles["hcp:1"]]
    reads = stores[0]._shared  # noqa: SLF001
    assert reads is not None
    (number,) = await reads.ask([pack([b"CLIENT", b"ID"])])
    other = StoreConnection(RedisConnection.at(valkey.redis_url), timeout_ms=1_000)
    assert await other.ask([pack([b"CLIENT", b"KILL", b"ID", number])]) == [1]
    await other.close()
    with pytest.raises(Unanswered):
        await stores[0].profiles(["hcp:1"], [Token(5, 1)])
    assert await stores[0].profiles(["hcp:1"], [Token(5, 1)]) == [FIRST.profiles["hcp:1"]]


@pytest.mark.servers
async def test_in_a_cluster_a_partition_of_another_node_reads_over_its_own_connection(cluster: Cluster) -> None:
    reads, stores = await sharing(cluster.url)
    for _ in range(2):
        found = await asyncio.gather(*(store.profiles(["hcp:1"], [Token(5, 1)]) for store in stores))
        assert found == [[FIRST.profiles["hcp:1"]]] * PARTITIONS
    kept = [store for store in stores if store._shared is not None]  # noqa: SLF001
    assert len(kept) < PARTITIONS, "no partition of this test lives on another node"
    for store in stores:
        await store.drop()
        await store.close()
    await reads.close()

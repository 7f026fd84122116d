"""A store in a cluster: calls find the slot's node; slots that move and primaries that die lose nothing."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from streams.errors import StoreCode, StoreRefused, Unanswered
from streams.store.access import RedisConnection, addresses
from streams.store.keys import hash_tag, slot
from streams.store.redis import RedisStore
from streams.store.server import check_server, role_refusal, server_findings
from streams.store.terms import Checkpoint, Token
from tests.cluster import Cluster, ClusterNode, running_cluster
from tests.contract.store.conftest import PARTITIONS
from tests.contract.store.test_contract import FIRST, checkpoint, everything, meta
from tests.servers import unique

NOBODY = "127.0.0.1:1"
"""An address that refuses every connection."""


@pytest.fixture
def prefix() -> str:
    """The first part of every key of one test."""
    return unique("test")


@pytest.fixture
async def store(cluster: Cluster, prefix: str) -> AsyncIterator[RedisStore]:
    """Partition 3 after the checkpoint FIRST, by a URL whose first node has other partitions."""
    store = RedisStore(RedisConnection.at(cluster.url), prefix, 3, PARTITIONS, timeout_ms=1_000)
    await store.create(meta())
    await store.write(FIRST)
    yield store
    await store.drop()
    await store.close()


def numbered(n: int) -> Checkpoint:
    """Return the checkpoint that leads from token 5.n-1 to 5.n."""
    return checkpoint((5, n - 1), n, profiles={f"hcp:{n}": b"%d" % n}, wakes={f"hcp:{n}": n}, joined={"s": [str(n)]})


async def write(store: RedisStore, wanted: Checkpoint, limit_s: float = 20) -> int:
    """Write a checkpoint as its owner does: again until it is answered. Returns how many calls were not answered."""
    end_s = asyncio.get_running_loop().time() + limit_s
    for failed in range(10_000):
        try:
            await store.write(wanted)
        except Unanswered:
            assert asyncio.get_running_loop().time() < end_s, "never answered"
            await asyncio.sleep(0.05)
        else:
            return failed
    raise AssertionError


@pytest.mark.servers
async def test_the_first_call_finds_the_node_of_the_partition(cluster: Cluster, prefix: str) -> None:
    for node in cluster.primaries:
        for partition in range(PARTITIONS):
            store = RedisStore(RedisConnection.at(node.redis_url), prefix, partition, PARTITIONS)
            await store.create(meta())
            assert await store.token() == meta().token
            await store.close()
    for partition in range(PARTITIONS):
        store = RedisStore(RedisConnection.at(cluster.url), prefix, partition, PARTITIONS)
        await store.drop()
        assert await store.read_meta() is None
        await store.close()


@pytest.mark.servers
async def test_a_node_of_the_url_that_is_away_is_passed_over(cluster: Cluster, prefix: str, store: RedisStore) -> None:
    url = cluster.url.replace("redis://", f"redis://{NOBODY},")
    assert NOBODY in addresses(url)[0]
    late = RedisStore(RedisConnection.at(url), prefix, 3, PARTITIONS, timeout_ms=1_000)
    with pytest.raises(Unanswered):
        await late.token()
    assert await late.token() == Token(5, 1)
    await late.close()


@pytest.mark.servers
async def test_a_partition_that_moves_to_another_node_loses_and_repeats_no_checkpoint(
    cluster: Cluster, store: RedisStore
) -> None:
    found = slot(hash_tag(3, PARTITIONS))
    owner = cluster.owner(found)
    others = [node for node in cluster.primaries if node is not owner]
    moves = asyncio.ensure_future(_around(cluster, found, [*others, owner]))
    n = 1
    while not moves.done() or n < 20:
        n += 1
        await write(store, numbered(n))
    await moves
    content = await everything(store)
    assert content["profiles"] == dict(FIRST.profiles) | {f"hcp:{i}": b"%d" % i for i in range(2, n + 1)}
    assert await store.size("s") == n - 1
    assert await store.token() == Token(5, n)


async def _around(cluster: Cluster, found: int, nodes: list[ClusterNode]) -> None:
    for node in nodes:
        await asyncio.to_thread(cluster.move, found, found, node)


@pytest.mark.servers
async def test_a_replica_takes_over_and_the_store_goes_on_at_a_content_that_its_token_names() -> None:
    with running_cluster(3, replicas=1) as cluster:
        store = RedisStore(RedisConnection.at(cluster.url), "segue", 0, PARTITIONS, timeout_ms=500)
        await store.create(meta())
        for n in range(1, 20):
            await store.write(numbered(n))
        owner = cluster.owner(slot(hash_tag(0, PARTITIONS)))
        # what is acknowledged and not yet with the replica is lost with the primary: a GAP, which the owner mends
        assert await asyncio.to_thread(owner.say, "WAIT", 1, 1_000) == 1
        await asyncio.to_thread(owner.kill)
        failed = await write(store, numbered(20))
        assert failed > 0
        assert cluster.owner(slot(hash_tag(0, PARTITIONS))) in cluster.replicas
        assert await store.size("s") == 20
        assert await store.token() == Token(5, 20)
        await store.close()


def test_a_replica_of_a_cluster_may_be_named_in_the_url() -> None:
    replica = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "role": "slave", "aof_enabled": "1"}
    one = RedisConnection.at("redis://a:1")
    refused = role_refusal(replica, one)
    assert refused is not None
    assert refused.code == StoreCode.REPLICA
    assert role_refusal({**replica, "cluster_enabled": "1"}, one) is None
    assert server_findings(replica) == []


@pytest.mark.servers
async def test_a_node_of_a_cluster_that_is_named_alone_is_told(cluster: Cluster) -> None:
    alone = await check_server(RedisConnection.at(cluster.nodes[0].redis_url), "segue")
    assert any("names it alone" in found.what and not found.fatal for found in alone)
    several = await check_server(RedisConnection.at(cluster.url), "segue")
    assert not any("names it alone" in found.what for found in several)
    with pytest.raises(StoreRefused, match="end the address with /0"):
        await check_server(RedisConnection.at(cluster.nodes[0].redis_url.replace("/0", "/3")), "segue")


def test_a_url_names_one_node_or_several() -> None:
    assert addresses("redis://a:1,b,c:3/0") == ["redis://a:1/0", "redis://b/0", "redis://c:3/0"]
    assert addresses("rediss://user:p,w@[::1]:6379,b/0?x=1") == [
        "rediss://user:p,w@[::1]:6379/0?x=1",
        "rediss://user:p,w@b/0?x=1",
    ]
    for whole in ("redis://127.0.0.1:6379/0", "redis://a", "unix:///run/a,b.sock?db=1"):
        assert addresses(whole) == [whole]

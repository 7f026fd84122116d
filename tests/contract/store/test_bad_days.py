"""The answers of a real server that is full, read-only or gone, and the store's errors for them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlparse

import pytest
import redis.asyncio

from streams.embedded import RedisServer, ValkeyServer
from streams.embedded.server import free_port
from streams.errors import Incident, StoreBug, StoreCode, StoreRefused, Unanswered
from streams.store.access import RedisConnection
from streams.store.keys import SLOTS, Keys, hash_tag, slot
from streams.store.redis import RedisStore
from streams.store.server import check_server, server_findings
from streams.store.terms import Token
from tests.contract.store.conftest import REAL
from tests.contract.store.proxy import Proxy
from tests.contract.store.test_contract import FIRST, SUBJECTS, checkpoint, everything, meta
from tests.servers import temporary_folder

pytestmark = pytest.mark.servers

Client = redis.asyncio.Redis


async def say(client: Client, *command: str | bytes | int) -> Any:
    """Send a command unchanged."""
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module", params=REAL)
def own(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    """A server of its own that tests may break. Each test repairs it."""
    with temporary_folder() as folder:
        server = {"valkey": ValkeyServer, "redis": RedisServer}[request.param](remove=folder)
        try:
            server.start(folder / "server")
            yield server
        finally:
            server.kill()


@pytest.fixture
async def client(own: ValkeyServer) -> AsyncIterator[Client]:
    """A connection of another client."""
    async with Client.from_url(own.redis_url, protocol=2) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def store(own: ValkeyServer, client: Client) -> AsyncIterator[RedisStore]:
    """A store after the checkpoint FIRST."""
    store = RedisStore(RedisConnection.at(own.redis_url), "segue", 0, 4, timeout_ms=500)
    await store.create(meta())
    await store.write(FIRST)
    yield store
    await store.close()


SECOND = checkpoint((5, 1), 2, profiles={"hcp:1": b"x" * 100}, wakes={"hcp:1": 3}, joined={"seg-c": ["hcp:1"]})


async def test_a_full_server_is_unanswered_and_changes_nothing_until_there_is_room(
    store: RedisStore, client: Client
) -> None:
    before = await everything(store)
    await client.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unanswered, match="OOM"):
            await store.write(SECOND)
    finally:
        await client.config_set("maxmemory", 0)
    assert await everything(store) == before
    await store.write(SECOND)
    assert await store.token() == Token(5, 2)


async def test_a_server_that_became_a_replica_is_unanswered(store: RedisStore, client: Client) -> None:
    await say(client, "REPLICAOF", "127.0.0.1", "1")
    try:
        with pytest.raises(Unanswered, match="READONLY"):
            await store.write(SECOND)
        with pytest.raises(Unanswered, match="READONLY"):
            await store.raise_epoch(Token(9, 0))
        with pytest.raises(StoreRefused, match="is a replica and takes no writes"):
            await check_server(RedisConnection.at(_url(client)), "segue")
        await client.config_set("replica-serve-stale-data", "no")
        with pytest.raises(Unanswered, match="MASTERDOWN"):
            await store.token()
    finally:
        await say(client, "REPLICAOF", "NO", "ONE")
        await client.config_set("replica-serve-stale-data", "yes")
    await store.write(SECOND)
    assert await store.token() == Token(5, 2)


async def test_a_primary_without_enough_replicas_is_unanswered(store: RedisStore, client: Client) -> None:
    await client.config_set("min-replicas-to-write", 1)
    try:
        with pytest.raises(Unanswered, match="NOREPLICAS"):
            await store.write(SECOND)
    finally:
        await client.config_set("min-replicas-to-write", 0)
    await store.write(SECOND)


async def test_a_silent_server_is_unanswered_after_the_time_out(store: RedisStore, client: Client) -> None:
    await say(client, "CLIENT", "PAUSE", 900, "ALL")
    with pytest.raises(Unanswered, match="did not answer in time"):
        await store.token()
    await say(client, "CLIENT", "UNPAUSE")
    assert await store.token() == Token(5, 1)


async def test_a_lost_connection_is_unanswered_and_the_next_call_connects_again(
    store: RedisStore, client: Client
) -> None:
    await say(client, "CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "YES")
    with pytest.raises(Unanswered):
        await store.write(SECOND)
    await store.write(SECOND)
    assert await store.token() == Token(5, 2)


async def test_no_server_is_unanswered() -> None:
    store = RedisStore(RedisConnection.at("redis://127.0.0.1:1/0"), "segue", 0, 4, timeout_ms=500)
    with pytest.raises(Unanswered):
        await store.token()
    with pytest.raises(Unanswered):
        await check_server(RedisConnection.at("redis://127.0.0.1:1/0"), "segue", timeout_ms=500)


async def test_rights_taken_away_are_unanswered_and_nothing_is_written_outside_the_transaction(
    store: RedisStore, own: ValkeyServer, client: Client
) -> None:
    before = await everything(store)
    await say(client, "ACL", "SETUSER", "half", "on", ">secret", "~*", "+@all", "-multi", "-eval_ro", "-info")
    url = own.redis_url.replace("redis://", "redis://half:secret@")
    half = RedisStore(RedisConnection.at(url), "segue", 0, 4, timeout_ms=500)
    with pytest.raises(Unanswered, match="NOPERM"):
        await half.write(SECOND)
    await half.close()
    assert await everything(store) == before
    with pytest.raises(
        StoreRefused, match=r"user 'half' .* may not run INFO, EVAL_RO, MULTI .*NOPERM.*segue.acl"
    ) as right:
        await check_server(RedisConnection.at(url), "segue")
    assert right.value.code == StoreCode.RIGHT
    assert await client.keys("*check*") == []
    wrong = RedisStore(RedisConnection.at(url.replace("secret", "guess")), "segue", 0, 4, timeout_ms=500)
    with pytest.raises(Unanswered, match="refuses the password of user 'half'"):
        await wrong.token()


async def test_an_error_inside_the_atomic_write_is_a_bug(store: RedisStore, client: Client) -> None:
    await client.set(Keys("segue", 0, 4).members("seg-c"), "not a set")
    with pytest.raises(StoreBug, match="WRONGTYPE"):
        await store.write(SECOND)


async def test_foreign_data_under_meta_is_never_guessed_at(store: RedisStore, client: Client) -> None:
    key = Keys("segue", 0, 4).meta
    await client.hdel(key, "offset")
    with pytest.raises(Incident):
        await store.read_meta()
    with pytest.raises(Incident):
        await store.raise_epoch(Token(9, 0))
    assert await client.hget(key, "token") == b"5.1"
    await client.set(key, "a string")
    with pytest.raises(StoreBug, match="WRONGTYPE"):
        await store.token()
    with pytest.raises(StoreBug, match="WRONGTYPE"):
        await store.write(SECOND)


async def test_nothing_is_sent_twice_by_itself(own: ValkeyServer, store: RedisStore) -> None:
    at = urlparse(own.redis_url)
    async with Proxy(at.hostname or "", at.port or 0) as proxy:
        through = RedisStore(RedisConnection.at(proxy.url), "segue", 0, 4, timeout_ms=500)
        proxy.next = ["reply lost"]
        with pytest.raises(Unanswered):
            await through.write(SECOND)
        assert proxy.writes == 1
        await through.write(SECOND)
        assert proxy.writes == 1
        await through.close()


async def test_a_cancelled_call_never_answers_a_later_one(store: RedisStore, client: Client) -> None:
    await say(client, "CLIENT", "PAUSE", 300, "ALL")
    task = asyncio.create_task(store.profiles(["hcp:1"], [Token(5, 1)]))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.token() == Token(5, 1)


async def test_a_cancelled_task_ends_wherever_its_call_stands(store: RedisStore) -> None:
    async def ask() -> None:
        while True:
            await store.token()

    await store.token()
    for turns in range(40):
        task = asyncio.create_task(ask())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        _, going_on = await asyncio.wait({task}, timeout=2)
        assert not going_on, f"cancelled after {turns} turns of the loop"
    assert await store.token() == Token(5, 1)


async def test_two_tasks_on_one_connection_are_a_bug(store: RedisStore) -> None:
    answers = await asyncio.gather(store.token(), store.token(), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Token, StoreBug]
    assert await store.token() == Token(5, 1)


async def test_two_tasks_never_share_a_transaction(store: RedisStore) -> None:
    answers = await asyncio.gather(*(_late(n, store) for n in range(20)), store.write(SECOND), return_exceptions=True)
    assert {type(answer) for answer in answers} <= {Token, StoreBug, type(None)}
    assert await store.token() in (Token(5, 1), Token(5, 2))


async def _late(turns: int, store: RedisStore) -> Token:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await store.token()


async def test_no_subject_stands_in_errors_or_logs(
    store: RedisStore, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = []
    await client.config_set("maxmemory", 1)
    try:
        await store.write(SECOND)
    except Unanswered as error:
        texts.append(str(error))
    finally:
        await client.config_set("maxmemory", 0)
    await client.set(Keys("segue", 0, 4).profile("hcp:secret"), "x")
    await client.delete(Keys("segue", 0, 4).wakes)
    await client.set(Keys("segue", 0, 4).wakes, "x")
    for use in (store.next_wake([Token(5, 1)]), store.write(SECOND)):
        try:
            await use
        except StoreBug as error:
            texts.append(str(error))
    assert len(texts) == 3
    text = " ".join([*texts, caplog.text])
    assert not any(subject in text for subject in SUBJECTS)


async def test_an_evicting_server_is_refused_with_what_to_do(own: ValkeyServer, client: Client) -> None:
    assert [finding.fatal for finding in await check_server(RedisConnection.at(own.redis_url), "segue")] == [False]
    await client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        fatal = [finding for finding in await check_server(RedisConnection.at(own.redis_url), "segue") if finding.fatal]
        assert ["allkeys-lru" in finding.what and "noeviction" in finding.remedy for finding in fatal] == [True]
    finally:
        await client.config_set("maxmemory-policy", "noeviction")


def test_an_old_server_or_one_that_tells_nothing_is_refused() -> None:
    assert [f.fatal for f in server_findings({"redis_version": "6.2.14", "role": "master"})] == [True, True, False]
    good = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "role": "master", "aof_enabled": "1"}
    assert server_findings(good) == []


def _url(client: Client) -> str:
    arguments: dict[str, Any] = client.connection_pool.connection_kwargs
    return f"redis://{arguments['host']}:{arguments['port']}/0"


@pytest.mark.parametrize("partitions", [1, 2, 3, 7, 8, 64, 333])
def test_tags_spread_evenly_over_the_slots(partitions: int) -> None:
    slots = [slot(hash_tag(partition, partitions)) for partition in range(partitions)]
    assert [one * partitions // SLOTS for one in slots] == list(range(partitions))
    assert len({hash_tag(partition, partitions) for partition in range(partitions)}) == partitions


async def test_a_store_finds_its_node_in_a_cluster(own: ValkeyServer) -> None:
    with temporary_folder() as folder:
        # the default is the server's port plus ten thousand, which may be no port
        buses = [free_port(), free_port()]
        options = [("--cluster-enabled", "yes", "--cluster-port", str(bus)) for bus in buses]
        nodes = [type(own)(options=one, remove=folder) for one in options]
        async with AsyncExitStack() as stack:
            for number, node in enumerate(nodes):
                stack.callback(node.kill)
                node.start(folder / str(number))
            clients = [await stack.enter_async_context(Client.from_url(node.redis_url, protocol=2)) for node in nodes]
            first = RedisStore(RedisConnection.at(nodes[0].redis_url), "segue", 0, 4, timeout_ms=1_000)
            stack.push_async_callback(first.close)
            with pytest.raises(Unanswered, match="CLUSTERDOWN"):
                await first.token()
            keys = Keys("segue", 3, 4)
            for key in (keys.meta, keys.wakes, keys.profile("payer:}{x}"), keys.members("seg-a")):
                assert await say(clients[0], "CLUSTER", "KEYSLOT", key) == slot(hash_tag(3, 4))
            await say(clients[0], "CLUSTER", "ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
            await say(clients[1], "CLUSTER", "ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
            await say(clients[0], "CLUSTER", "MEET", "127.0.0.1", nodes[1].port, buses[1])
            for client in clients:
                while b"cluster_state:ok" not in (info := await say(client, "CLUSTER", "INFO")):
                    assert info
                    await asyncio.sleep(0.05)
            for partition in range(4):
                store = RedisStore(RedisConnection.at(nodes[0].redis_url), "segue", partition, 4, timeout_ms=1_000)
                stack.push_async_callback(store.close)
                assert await store.read_meta() is None
                await store.create(meta())
                await store.write(FIRST)
                assert (await everything(store))["profiles"] == FIRST.profiles
            assert [await client.dbsize() for client in clients] == [2 * (len(SUBJECTS) + 4)] * 2

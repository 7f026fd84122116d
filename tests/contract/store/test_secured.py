"""Servers with TLS, certificates of clients, users and rights: let in, or told in one sentence why not."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from streams.embedded import RedisServer, ValkeyServer
from streams.embedded.server import LOOPBACK, free_port
from streams.errors import StoreCode, StoreRefused, Unanswered
from streams.redis_settings import RedisSettings
from streams.store.access import RedisConnection
from streams.store.keys import SLOTS
from streams.store.redis import RedisStore
from streams.store.rights import READS, WRITES
from streams.store.server import check_server
from streams.store.terms import Token
from tests.certificates import Authority
from tests.contract.store.conftest import REAL
from tests.contract.store.test_contract import FIRST, everything, meta
from tests.secured_redis import PASSWORD, USER, acl_server, needs_redis, tls_server, user_of
from tests.servers import temporary_folder

pytestmark = pytest.mark.servers


@dataclass(frozen=True)
class Papers:
    """Certificates for the tests of this module."""

    ours: Authority
    other: Authority
    server: Path
    expired: Path
    elsewhere: Path
    client: Path
    locked: Path
    client_expired: Path
    stranger: Path


@pytest.fixture(scope="module")
def papers() -> Iterator[Papers]:
    """Two authorities, and what they signed."""
    with temporary_folder() as folder:
        (folder / "other").mkdir()
        ours, other = Authority(folder), Authority(folder / "other", "another authority")
        yield Papers(
            ours,
            other,
            ours.write(folder / "server.pem", "server", "127.0.0.1,localhost"),
            ours.write(folder / "expired.pem", "expired", "127.0.0.1", expired=True),
            ours.write(folder / "elsewhere.pem", "elsewhere", "redis.example.com"),
            ours.write(folder / "client.pem", "client"),
            ours.write(folder / "locked.pem", "locked", password="of a key"),
            ours.write(folder / "client-expired.pem", "client", expired=True),
            other.write(folder / "stranger.pem", "stranger"),
        )


@pytest.fixture(scope="module")
def plain() -> Iterator[ValkeyServer]:
    """A Valkey without TLS that has Segue's user."""
    with acl_server(ValkeyServer, options=user_of("segue")) as server:
        yield server


async def enter(**given: Any) -> None:
    """Check a server, then write and read a state as a worker does."""
    access = RedisConnection.of(RedisSettings(**given))
    await check_server(access, "segue", timeout_ms=1_500)
    store = RedisStore(access, "segue", 0, 4, timeout_ms=1_500)
    try:
        await store.drop()
        await store.create(meta())
        await store.write(FIRST)
        assert (await everything(store))["profiles"] == FIRST.profiles
    finally:
        await store.close()


async def refusal(**given: Any) -> StoreRefused:
    """Return the refusal that ends an attempt."""
    with pytest.raises(StoreRefused) as refused:
        await enter(**given)
    assert PASSWORD not in str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value


@needs_redis
async def test_tls_lets_in_whom_it_knows_and_says_why_not(papers: Papers, plain: ValkeyServer) -> None:
    with tls_server(papers.ours, papers.server, options=user_of("segue")) as server:
        url, ca = server.redis_url, papers.ours.file
        await enter(redis_url=url, redis_ssl_cafile=ca)
        await enter(redis_url=url.replace("127.0.0.1", "localhost"), redis_ssl_cafile=ca)
        await enter(redis_url=url, redis_ssl_cafile=ca, redis_username=USER, redis_password=PASSWORD)
        for untrusted in ({}, {"redis_ssl_cafile": papers.other.file}):
            refused = await refusal(redis_url=url, **untrusted)
            assert refused.code == StoreCode.SERVER_CERTIFICATE
            assert "is signed by no authority" in str(refused)
        refused = await refusal(redis_url=url.replace("rediss", "redis"))
        assert (refused.code, "speaks TLS only" in str(refused)) == (StoreCode.PROTOCOL, True)
        tls = plain.redis_url.replace("redis", "rediss")
        refused = await refusal(redis_url=tls, redis_ssl_cafile=ca)
        assert (refused.code, "does not speak TLS" in str(refused)) == (StoreCode.PROTOCOL, True)


@needs_redis
async def test_a_certificate_that_expired_and_one_for_another_host_are_two_sentences(papers: Papers) -> None:
    ca = papers.ours.file
    for shown, said in ((papers.expired, "has expired"), (papers.elsewhere, "names another host")):
        with tls_server(papers.ours, shown) as server:
            refused = await refusal(redis_url=server.redis_url, redis_ssl_cafile=ca)
            assert refused.code == StoreCode.SERVER_CERTIFICATE
            assert said in str(refused)
            if shown is papers.elsewhere:
                await enter(redis_url=server.redis_url, redis_ssl_cafile=ca, redis_ssl_check_hostname=False)


@needs_redis
async def test_mutual_tls_wants_a_certificate_that_holds(papers: Papers) -> None:
    def shows(file: Path, key: Path | None = None) -> dict[str, Any]:
        return {"redis_ssl_certfile": file, "redis_ssl_keyfile": key}

    with tls_server(papers.ours, papers.server, mutual=True) as server:
        base: dict[str, Any] = {"redis_url": server.redis_url, "redis_ssl_cafile": papers.ours.file}
        await enter(**base, **shows(papers.client))
        await enter(**base, **shows(papers.locked), redis_ssl_key_password="of a key")
        for given, code, said in (
            ({}, StoreCode.CLIENT_CERTIFICATE, "asks for a certificate of this process"),
            (shows(papers.client_expired), StoreCode.CLIENT_CERTIFICATE, "it has expired"),
            (shows(papers.stranger), StoreCode.CLIENT_CERTIFICATE, "is its authority one that the server trusts"),
            (shows(papers.client, papers.stranger), StoreCode.FILE, "is not the key of the certificate"),
            (shows(papers.locked), StoreCode.FILE, "the password of the key is wrong"),
            ({"redis_ssl_certfile": Path("/nowhere.pem")}, StoreCode.FILE, "/nowhere.pem: No such file"),
        ):
            refused = await refusal(**base, **given)
            assert (refused.code, said in str(refused)) == (code, True), refused


@pytest.fixture(params=REAL, scope="module")
def own(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    """A server whose users a test may change."""
    with acl_server({"valkey": ValkeyServer, "redis": RedisServer}[request.param]) as server:
        yield server


async def admin(server: ValkeyServer, *command: str) -> Any:
    """Send a command as the user who may do everything."""
    async with redis.asyncio.Redis.from_url(server.redis_url, protocol=2) as client:
        return await client.execute_command(*command)  # type: ignore[no-untyped-call]


async def test_the_documented_rights_are_enough_and_none_is_too_much(own: ValkeyServer) -> None:
    await admin(own, "ACL", "SETUSER", "reset", "on")
    await admin(own, "ACL", "SETUSER", *user_of("segue")[1:])
    user = {"redis_url": own.redis_url, "redis_username": USER, "redis_password": PASSWORD}
    await enter(**user)
    assert await admin(own, "ACL", "LOG") == []
    for command in (*READS, *WRITES):
        await admin(own, "ACL", "SETUSER", USER, f"-{command.lower()}")
        refused = await refusal(**user)
        assert (refused.code, f" {command}" in str(refused)) == (StoreCode.RIGHT, True), refused
        await admin(own, "ACL", "SETUSER", USER, f"+{command.lower()}")
    await admin(own, "ACL", "SETUSER", USER, "resetkeys", "~another:*")
    refused = await refusal(**user)
    assert re.search("user 'segue' of .* may not use the keys", str(refused))
    await admin(own, "ACL", "DELUSER", USER)


async def test_a_login_that_fails_says_which_and_a_rotated_password_is_taken_without_a_restart(
    own: ValkeyServer, tmp_path: Path
) -> None:
    await admin(own, "ACL", "SETUSER", *user_of("segue", "first")[1:])
    file = tmp_path / "password"
    file.write_text("first\n")
    access = RedisConnection.of(RedisSettings(redis_url=own.redis_url, redis_username=USER, redis_password_file=file))
    store = RedisStore(access, "segue", 0, 4, timeout_ms=1_000)
    await store.drop()
    await store.create(meta())
    # an administrator changes the password and ends the connections; the file comes a little later
    await admin(own, "ACL", "SETUSER", USER, "resetpass", ">second")
    await admin(own, "CLIENT", "KILL", "USER", USER)
    for _ in range(2):
        with pytest.raises(Unanswered) as lost:
            await store.token()
    assert isinstance(lost.value, StoreRefused)
    assert str(file) in str(lost.value)
    assert "second" not in str(lost.value)
    file.write_text("second\n")
    assert await store.token() == meta().token
    await store.close()
    await admin(own, "ACL", "DELUSER", USER)
    for given, said in (
        ({"redis_password": PASSWORD}, "has no password for user 'default'"),
        ({"redis_username": "nobody", "redis_password": PASSWORD}, "refuses the password of user 'nobody'"),
        ({"redis_username": "a", "redis_password_file": tmp_path / "none"}, "SEGUE_REDIS_PASSWORD_FILE: "),
    ):
        refused = await refusal(redis_url=own.redis_url, **given)
        assert said in str(refused)
    await admin(own, "CONFIG", "SET", "requirepass", PASSWORD)
    try:
        refused = await refusal(redis_url=own.redis_url)
        assert (refused.code, "asks for a login" in str(refused)) == (StoreCode.CREDENTIALS, True)
    finally:
        with_password = own.redis_url.replace("redis://", f"redis://:{PASSWORD}@")
        async with redis.asyncio.Redis.from_url(with_password, protocol=2) as client:
            await client.config_set("requirepass", "")


@needs_redis
async def test_a_rotated_certificate_is_taken_by_the_next_connection(papers: Papers, tmp_path: Path) -> None:
    cafile = tmp_path / "ca.pem"
    cafile.write_bytes(papers.other.file.read_bytes())
    with tls_server(papers.ours, papers.server) as server:
        access = RedisConnection.of(RedisSettings(redis_url=server.redis_url, redis_ssl_cafile=cafile))
        store = RedisStore(access, "segue", 0, 4, timeout_ms=1_000)
        with pytest.raises(StoreRefused, match="signed by no authority"):
            await store.read_meta()
        # as Kubernetes does it: another file takes the place
        fresh = tmp_path / "fresh.pem"
        fresh.write_bytes(papers.ours.file.read_bytes())
        fresh.replace(cafile)
        assert await store.read_meta() is None
        await store.close()


async def test_rights_taken_from_a_user_at_work_come_back_without_a_restart(own: ValkeyServer) -> None:
    await admin(own, "ACL", "SETUSER", *user_of("segue")[1:])
    access = RedisConnection.of(RedisSettings(redis_url=own.redis_url, redis_username=USER, redis_password=PASSWORD))
    store = RedisStore(access, "segue", 0, 4, timeout_ms=1_000)
    await store.drop()
    await store.create(meta())
    await admin(own, "ACL", "SETUSER", USER, "-hset")
    with pytest.raises(StoreRefused, match="may not run HSET"):
        await store.write(FIRST)
    await admin(own, "ACL", "SETUSER", USER, "+hset", "-mset")
    with pytest.raises(StoreRefused, match="may not run MSET"):
        await store.write(FIRST)
    assert await store.token() == meta().token
    await admin(own, "ACL", "SETUSER", USER, "+mset")
    await asyncio.sleep(0)
    await store.write(FIRST)
    assert await store.token() == Token(5, 1)
    await store.close()
    await admin(own, "ACL", "DELUSER", USER)


@needs_redis
async def test_a_cluster_over_tls_is_followed_from_node_to_node(papers: Papers) -> None:
    buses = [free_port(), free_port()]
    cluster = ("--tls-cluster", "yes", "--tls-replication", "yes", "--cluster-enabled", "yes", "--cluster-port")
    async with AsyncExitStack() as stack:
        nodes: list[ValkeyServer] = []
        clients: list[Any] = []
        for bus in buses:
            making = tls_server(papers.ours, papers.server, options=(*cluster, str(bus), *user_of("segue")))
            nodes.append(stack.enter_context(making))
            client = redis.asyncio.Redis(
                host=LOOPBACK, port=nodes[-1].port, ssl=True, ssl_ca_certs=str(papers.ours.file), protocol=2
            )
            clients.append(await stack.enter_async_context(client))
        first, second = (client.execute_command for client in clients)
        await first("CLUSTER", "ADDSLOTSRANGE", 0, SLOTS // 2 - 1)
        await second("CLUSTER", "ADDSLOTSRANGE", SLOTS // 2, SLOTS - 1)
        await first("CLUSTER", "MEET", LOOPBACK, nodes[1].port, buses[1])
        for client in clients:
            async with asyncio.timeout(20):
                while b"cluster_state:ok" not in (found := await client.execute_command("CLUSTER", "INFO")):
                    assert found
                    await asyncio.sleep(0.05)
        given: dict[str, Any] = {
            "redis_username": USER,
            "redis_password": PASSWORD,
            "redis_ssl_cafile": papers.ours.file,
        }
        access = RedisConnection.of(RedisSettings(redis_url=nodes[0].redis_url, **given))
        assert [found.fatal for found in await check_server(access, "segue")] == [False, False]
        for partition in range(4):
            store = RedisStore(access, "segue", partition, 4, timeout_ms=2_000)
            await store.create(meta())
            await store.write(FIRST)
            assert (await everything(store))["profiles"] == FIRST.profiles
            await store.close()
        sizes = [await client.dbsize() for client in clients]
        assert sizes[0] == sizes[1] > 0

"""A store behind Sentinel: it finds the primary, and says what keeps it from it. Failovers are fault 29."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from streams.embedded import RedisServer
from streams.embedded.server import LOOPBACK
from streams.errors import StoreCode, StoreRefused, Unanswered
from streams.redis_settings import RedisSettings
from streams.store.access import RedisConnection
from streams.store.redis import RedisStore
from streams.store.server import check_server
from tests.certificates import Authority
from tests.contract.store.test_contract import FIRST, everything, meta
from tests.secured_redis import needs_redis, tls_server
from tests.sentinels import MASTER, SentinelServer, Watched, running_sentinels, say
from tests.servers import temporary_folder, unique

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    """A primary, and a sentinel that watches it."""
    with running_sentinels(replicas=0, sentinels=1) as running:
        yield running


async def enter(**given: Any) -> None:
    """Check a server, then write and read a state as a worker does."""
    access, prefix = RedisConnection.of(RedisSettings(**given)), unique("test")
    await check_server(access, prefix)
    store = RedisStore(access, prefix, 0, 4, timeout_ms=1_500)
    await store.create(meta())
    await store.write(FIRST)
    assert (await everything(store))["profiles"] == FIRST.profiles
    await store.drop()
    await store.close()


async def test_sentinels_name_the_primary_and_one_that_is_away_is_passed_over(watched: Watched) -> None:
    await enter(redis_url=watched.url)
    with_nobody = watched.url.replace("://", f"://{LOOPBACK}:1,")
    await enter(redis_url=with_nobody)
    own = f"{LOOPBACK}:{watched.sentinels[0].port}"
    await enter(redis_url="redis:///0", redis_sentinels=own, redis_sentinel_master=MASTER)


async def test_what_keeps_from_the_primary_is_said(watched: Watched) -> None:
    with pytest.raises(StoreRefused, match="knows no primary of the name 'another'") as refused:
        await enter(redis_url=watched.url.replace(MASTER, "another"))
    assert refused.value.code == StoreCode.SENTINEL
    with pytest.raises(Unanswered, match=r"the sentinel at 127.0.0.1:1 refuses the connection.*SEGUE_REDIS_SENTINELS"):
        await enter(redis_url=f"redis+sentinel://{LOOPBACK}:1/{MASTER}/0")
    # the address of a server where a sentinel's belongs
    with pytest.raises(StoreRefused, match=r"is no sentinel: name the sentinels"):
        await enter(redis_url=f"redis+sentinel://{LOOPBACK}:{watched.servers[0].port}/{MASTER}/0")
    with pytest.raises(StoreRefused, match=r"the sentinel at .* does not speak TLS.*SEGUE_REDIS_SENTINEL_SSL"):
        await enter(redis_url=watched.url.replace("redis+", "rediss+"))


async def test_sentinels_have_a_user_of_their_own(watched: Watched) -> None:
    sentinel = watched.sentinels[0]
    rights = ("-@all", "+sentinel|get-master-addr-by-name")
    say(sentinel, "ACL", "SETUSER", "asking", "on", ">secret", *rights)
    given: dict[str, Any] = {"redis_url": watched.url, "redis_sentinel_username": "asking"}
    await enter(**given, redis_sentinel_password="secret")
    with pytest.raises(StoreRefused, match=r"the sentinel at .* refuses.*'asking'.*SEGUE_REDIS_SENTINEL_PASSWORD"):
        await enter(**given, redis_sentinel_password="wrong")
    say(sentinel, "ACL", "SETUSER", "asking", "-sentinel|get-master-addr-by-name")
    with pytest.raises(StoreRefused, match=r"user 'asking' of the sentinel .*sentinel|get-master-addr-by-name"):
        await enter(**given, redis_sentinel_password="secret")


async def test_a_server_that_is_no_primary_is_not_taken_for_one(watched: Watched) -> None:
    primary = watched.primary()
    say(primary, "REPLICAOF", LOOPBACK, 1)
    try:
        store = RedisStore(RedisConnection.at(watched.url), "segue", 0, 4)
        with pytest.raises(Unanswered, match="which is not the primary yet"):
            await store.read_meta()
        await store.close()
    finally:
        say(primary, "REPLICAOF", "NO", "ONE")


@needs_redis
async def test_sentinels_and_servers_speak_tls() -> None:
    with temporary_folder() as folder:
        authority = Authority(folder)
        shown = authority.write(folder / "server.pem", "server", LOOPBACK)
        with tls_server(authority, shown, options=("--tls-replication", "yes")) as server:
            files = [f"tls-cert-file {shown}", f"tls-key-file {shown}", f"tls-ca-cert-file {authority.file}"]
            sentinel = SentinelServer(server.port, 1, [*files, "tls-auth-clients no"], folder, RedisServer.binary())
            try:
                sentinel.start(folder / "sentinel")
                url = f"rediss+sentinel://{LOOPBACK}:{sentinel.port}/{MASTER}/0"
                until = time.monotonic() + 10
                while True:
                    try:
                        await enter(redis_url=url, redis_ssl_cafile=authority.file)
                        break
                    except StoreRefused:
                        raise
                    except Unanswered:
                        assert time.monotonic() < until
                with pytest.raises(StoreRefused, match=r"the sentinel at .* speaks TLS only.*SENTINEL_SSL to true"):
                    await enter(redis_url=url.replace("rediss", "redis"))
                with pytest.raises(StoreRefused, match=r"certificate of the sentinel at .* is signed by no authority"):
                    await enter(redis_url=url)
            finally:
                sentinel.kill()

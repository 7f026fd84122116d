"""How Redis is reached: read from settings, put together rightly, and told without a secret."""

from pathlib import Path
from typing import Any

import pytest

from streams.redis_settings import RedisSettings
from streams.settings import Settings
from streams.store.access import Node, RedisConnection


def settings(**given: Any) -> RedisSettings:
    """Read settings as the environment gives them."""
    return RedisSettings(**given)


def test_an_address_alone_is_enough() -> None:
    access = RedisConnection.at("rediss://a:1,b/3")
    assert access.nodes == (Node("a", 1), Node("b", 6379))
    assert (access.database, access.sentinels) == (3, None)
    assert access.entry.tls is not None
    assert access.entry.tls.check_hostname
    assert str(access) == "a:1, b:6379"
    assert str(RedisConnection.at("redis://[::1]/0")) == "[::1]:6379"
    assert str(RedisConnection.at("unix:///run/a,b.sock?db=1")) == "/run/a,b.sock"
    assert RedisConnection.at("redis://a").entry.tls is None


def test_a_user_may_be_in_the_address_and_the_password_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    access = RedisConnection.of(settings(redis_url="redis://segue@a/0", redis_password_file=file))
    assert (access.entry.username, access.entry.password.reveal()) == ("segue", "first")
    file.write_text("second\n")
    assert access.entry.password.reveal() == "second"
    assert RedisConnection.at("redis://me:p%40ss,w@a,b/0").entry.password.reveal() == "p@ss,w"


def test_certificates_are_taken_by_redis_pys_names_in_the_address_too() -> None:
    tls = RedisConnection.at("rediss://a/0?ssl_ca_certs=/ca.pem&ssl_check_hostname=false").entry.tls
    assert tls is not None
    assert (tls.cafile, tls.check_hostname) == (Path("/ca.pem"), False)


def test_sentinels_are_named_in_the_address_or_beside_it() -> None:
    one = RedisConnection.at("redis+sentinel://me:pw@a:1,b/mymaster/2")
    assert one.sentinels is not None
    assert (one.nodes, one.database, one.sentinels.master) == ((), 2, "mymaster")
    assert one.sentinels.nodes == (Node("a", 1), Node("b", 26379))
    assert (one.entry.username, one.sentinels.entry.username) == ("me", "")
    assert str(one) == "mymaster of the sentinels a:1, b:26379"
    other = RedisConnection.of(
        settings(
            redis_url="rediss:///2",
            redis_sentinels="a:1, b",
            redis_sentinel_master="mymaster",
            redis_sentinel_password="pw",
            redis_sentinel_ssl=False,
        )
    )
    assert other.sentinels is not None
    assert (other.sentinels.nodes, other.database) == (one.sentinels.nodes, 2)
    assert other.entry.tls is not None
    assert other.sentinels.entry.tls is None
    assert other.sentinels.entry.password.reveal() == "pw"
    over = RedisConnection.at("rediss+sentinel://a/m").sentinels
    assert over is not None
    assert over.entry.tls is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"redis_url": "http://me:hidden@a"}, "SEGUE_REDIS_URL is no address of Redis"),
        ({"redis_url": "redis://me:hidden@a:port"}, "SEGUE_REDIS_URL is no address of Redis"),
        ({"redis_url": "redis+sentinel://me:hidden@a"}, "SEGUE_REDIS_URL: it lacks the master's name"),
        ({"redis_url": "redis://:hidden@a", "redis_password": "hidden"}, "SEGUE_REDIS_PASSWORD: it is set, and"),
        (
            {"redis_password": "hidden", "redis_password_file": "/f"},
            "SEGUE_REDIS_PASSWORD: it is set, and SEGUE_REDIS_",
        ),
        ({"redis_url": "redis://a@b", "redis_username": "c"}, "SEGUE_REDIS_USERNAME: it is set, and SEGUE_REDIS_URL"),
        ({"redis_username": "c"}, "SEGUE_REDIS_PASSWORD: it is not set"),
        ({"redis_ssl_cafile": "/f"}, "SEGUE_REDIS_SSL_CAFILE: it is set, but SEGUE_REDIS_URL does not"),
        ({"redis_url": "rediss://a", "redis_ssl_keyfile": "/f"}, "SEGUE_REDIS_SSL_KEYFILE: it is set without"),
        (
            {"redis_url": "rediss://a", "redis_ssl_key_password": "hidden"},
            "SEGUE_REDIS_SSL_KEY_PASSWORD: it is set with",
        ),
        ({"redis_url": "rediss://a?ssl_cert_reqs=none"}, "SEGUE_REDIS_URL: ssl_cert_reqs is not taken"),
        ({"redis_sentinels": "a"}, "SEGUE_REDIS_SENTINEL_MASTER: it is not set"),
        ({"redis_sentinel_master": "m"}, "SEGUE_REDIS_SENTINEL_MASTER: it is set, but no sentinels are"),
        ({"redis_sentinels": "a/b", "redis_sentinel_master": "m"}, "SEGUE_REDIS_SENTINELS: it names sentinels as"),
        ({"redis_url": "redis+sentinel://a/m", "redis_sentinels": "a"}, "SEGUE_REDIS_SENTINELS: it is set, and"),
    ],
)
def test_what_does_not_belong_together_is_said_without_a_secret(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match="SEGUE_") as wrong:
        RedisConnection.of(settings(**given))
    assert str(wrong.value).startswith(said)
    assert "hidden" not in str(wrong.value)


def test_no_secret_stands_in_what_is_shown() -> None:
    given: dict[str, Any] = {
        "redis_password": "hidden",
        "redis_sentinel_password": "hidden",
        "redis_ssl_key_password": "hidden",
    }
    more: dict[str, Any] = {"redis_sentinels": "a", "redis_sentinel_master": "m", "redis_ssl_certfile": "/f"}
    found = Settings(redis_url="rediss://a", **given, **more)
    shown = [repr(found), str(found), repr(RedisConnection.of(found)), str(RedisConnection.of(found))]
    url = Settings(redis_url="redis://me:hidden@a/0")
    shown += [
        repr(url),
        str(url),
        repr(RedisConnection.of(url)),
        str(RedisConnection.of(url)),
        RedisConnection.of(url).address,
    ]
    assert not any("hidden" in one for one in shown)

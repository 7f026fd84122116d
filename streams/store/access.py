"""How Redis is reached, and as whom: one frozen value, made of the settings once and given to every user of Redis.

    redis://[user[:password]@]host[:port][,host[:port]…][/database]         one server, or nodes of a cluster
    rediss://…                                                              the same over TLS
    redis+sentinel://…@sentinel[:port][,…]/master[/database]                the primary that the sentinels name
    unix://[user[:password]@]/path/of/socket[?db=0]

A user and a password in the address are those of the servers, never of the sentinels. No error, no `repr` and no
`str` of anything here holds a password.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url

from streams.redis_settings import RedisSettings
from streams.secret import Secret
from streams.store.tls import Tls

REDIS_PORT: Final = 6379
SENTINEL_PORT: Final = 26379
SENTINEL_SCHEMES: Final = ("redis+sentinel", "rediss+sentinel")
ServerKind: TypeAlias = Literal["Redis", "the sentinel"]


@dataclass(frozen=True, slots=True)
class Node:
    """Host and port of one server; with a path, its socket in the file system."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Entry:
    """How servers of one kind let a client in: the user, the password, TLS."""

    kind: ServerKind
    username: str = ""
    password: Secret = field(default_factory=lambda: Secret("SEGUE_REDIS_PASSWORD"))
    tls: Tls | None = None

    @property
    def setting(self) -> str:
        """What the names of its settings begin with."""
        return "SEGUE_" + ("REDIS" if self.kind == "Redis" else "REDIS_SENTINEL")

    @property
    def user(self) -> str:
        """The user's name, as a sentence says it."""
        return repr(self.username or "default")


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The sentinels that know which server is the primary."""

    nodes: tuple[Node, ...]
    master: str
    """The name under which they know it."""
    entry: Entry


@dataclass(frozen=True, slots=True)
class RedisConnection:
    """Where Redis is, and how to get in. Opens nothing by itself."""

    nodes: tuple[Node, ...]
    """The servers to try, in this order; none behind Sentinel."""
    entry: Entry = field(default_factory=lambda: Entry("Redis"))
    database: int = 0
    sentinels: Sentinels | None = None
    more: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    """Other arguments of redis-py's connection, out of the address's query."""

    def __str__(self) -> str:
        return self.address

    @property
    def address(self) -> str:
        """Every server, without user and password; behind Sentinel the sentinels."""
        if self.sentinels is not None:
            return f"{self.sentinels.master} of the sentinels {', '.join(map(str, self.sentinels.nodes))}"
        return ", ".join(map(str, self.nodes))

    @property
    def setting(self) -> str:
        """The setting that says where it is."""
        return "SEGUE_REDIS_URL" if self.sentinels is None else "SEGUE_REDIS_SENTINELS"

    @property
    def reached_first(self) -> list[tuple[str, int]]:
        """Host and port of every server that a connection goes to first; none for a socket in the file system."""
        nodes = self.nodes if self.sentinels is None else self.sentinels.nodes
        return [(node.host, node.port) for node in nodes if not node.path]

    @classmethod
    def of(cls, settings: RedisSettings) -> "RedisConnection":
        """Make it of the settings. Reads no file. Raises ValueError: `SETTING: what is wrong`, without a secret."""
        return _connection_of(settings)

    @classmethod
    def at(cls, url: str) -> "RedisConnection":
        """Read an address alone. Raises ValueError: `SETTING: what is wrong`, without the address."""
        return cls.of(RedisSettings(redis_url=url))


def addresses(url: str) -> list[str]:
    """Split a URL that names several nodes (`redis://a:6379,b:6379/0`) into the URLs of each; others stay whole."""
    scheme, slashes, rest = url.partition("://")
    if not slashes or scheme == "unix":
        return [url]
    end = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
    credentials, sign, nodes = rest[:end].rpartition("@")
    return [f"{scheme}://{credentials}{sign}{node}{rest[end:]}" for node in nodes.split(",")]


def _connection_of(settings: RedisSettings) -> RedisConnection:
    url, master = _without_sentinel(settings.redis_url)
    found = _parsed(url)
    if settings.redis_sentinels:
        if master:
            raise ValueError(
                "SEGUE_REDIS_SENTINELS: it is set, and SEGUE_REDIS_URL names sentinels too; set one of them"
            )
        if not settings.redis_sentinel_master:
            raise ValueError("SEGUE_REDIS_SENTINEL_MASTER: it is not set, and SEGUE_REDIS_SENTINELS needs it")
        nodes: tuple[Node, ...] = _listed(settings.redis_sentinels)
        master = settings.redis_sentinel_master
    elif settings.redis_sentinel_master and not master:
        raise ValueError("SEGUE_REDIS_SENTINEL_MASTER: it is set, but no sentinels are: set SEGUE_REDIS_SENTINELS")
    else:
        nodes = _sentinels_of(url) if master else ()
    entry = replace(_entry(settings, found), tls=_tls(settings, found, over=url.startswith("rediss://")))
    more = {name: value for name, value in found.items() if name not in _OURS}
    database = int(found.get("db", 0))
    if not master:
        return RedisConnection(_nodes_of(url), entry, database, None, more)
    return RedisConnection((), entry, database, Sentinels(nodes, master, _sentinel_entry(settings, entry)), more)


_OURS: Final = frozenset(
    [
        "connection_class",
        "host",
        "port",
        "path",
        "db",
        "username",
        "password",
        "ssl_ca_certs",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_password",
        "ssl_check_hostname",
        "ssl_cert_reqs",
        "socket_timeout",
        "socket_connect_timeout",
        "protocol",
        "decode_responses",
        "retry",
        "retry_on_timeout",
        "retry_on_error",
        "health_check_interval",
        "driver_info",
        "max_connections",
        "timeout",
        "legacy_responses",
    ]
)
"""Arguments that stand in fields of their own, or that StoreConnection decides."""
_NO_ADDRESS: Final = (
    "SEGUE_REDIS_URL is no address of Redis: it begins with redis://, rediss://, redis+sentinel://, rediss+sentinel:// "
    "or unix://, and a port in it is a number from 1 to 65535"
)


def _without_sentinel(url: str) -> tuple[str, str]:
    """Return (the address without Sentinel, the master's name); "": it names no sentinels."""
    scheme, _, rest = url.partition("://")
    if scheme not in SENTINEL_SCHEMES:
        return url, ""
    before, question, query = rest.partition("?")
    authority, _, path = before.partition("/")
    master, _, database = path.partition("/")
    if not master:
        raise ValueError("SEGUE_REDIS_URL: it lacks the master's name: redis+sentinel://host:26379/mymaster/0")
    return f"{scheme.removesuffix('+sentinel')}://{authority}/{database}{question}{query}", unquote(master)


def _parsed(url: str) -> dict[str, Any]:
    """Return redis-py's reading of an address; of several nodes, that of the first."""
    try:
        return dict(next(parse_url(one) for one in addresses(url)))
    except ValueError:
        raise ValueError(_NO_ADDRESS) from None


def _nodes_of(url: str, port: int = REDIS_PORT) -> tuple[Node, ...]:
    found = [parse_url(one) for one in addresses(url)]
    return tuple(Node(one.get("host", "localhost"), one.get("port", port), one.get("path", "")) for one in found)


def _sentinels_of(url: str) -> tuple[Node, ...]:
    return _nodes_of(url, SENTINEL_PORT)


def _listed(text: str) -> tuple[Node, ...]:
    """Read `host:port,host:port`."""
    found = []
    for one in text.split(","):
        try:
            parts = urlsplit(f"//{one.strip()}")
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or parts.username or parts.path:
            raise ValueError("SEGUE_REDIS_SENTINELS: it names sentinels as host:port with commas between")
        found.append(Node(host, port or SENTINEL_PORT))
    return tuple(found)


def _secret(settings: RedisSettings, name: str) -> Secret:
    """Return the secret of a setting. Raises ValueError: it is set twice."""
    value, file = getattr(settings, f"redis_{name}"), getattr(settings, f"redis_{name}_file")
    secret = Secret(f"SEGUE_REDIS_{name.upper()}", value.get_secret_value(), file)
    if secret.value and secret.file is not None:
        raise ValueError(f"{secret.setting}: it is set, and {secret.setting}_FILE too; set one of them")
    return secret


def _entry(settings: RedisSettings, found: Mapping[str, Any]) -> Entry:
    """Return the user and the password: of the settings, or of the address."""
    password, username = _secret(settings, "password"), found.get("username", "")
    if settings.redis_username and username and settings.redis_username != username:
        raise ValueError("SEGUE_REDIS_USERNAME: it is set, and SEGUE_REDIS_URL names another user; set one of them")
    if "password" in found:
        if password:
            raise ValueError(f"{password.setting}: it is set, and SEGUE_REDIS_URL holds one too; set one of them")
        password = replace(password, value=found["password"])
    username = settings.redis_username or username
    if username and not password:
        raise ValueError("SEGUE_REDIS_PASSWORD: it is not set, and SEGUE_REDIS_USERNAME needs it")
    return Entry("Redis", username, password)


def _sentinel_entry(settings: RedisSettings, servers: Entry) -> Entry:
    """Return the user and the password of the sentinels, and TLS as the servers have it unless told otherwise."""
    over = servers.tls is not None if settings.redis_sentinel_ssl is None else settings.redis_sentinel_ssl
    password = _secret(settings, "sentinel_password")
    if settings.redis_sentinel_username and not password:
        raise ValueError("SEGUE_REDIS_SENTINEL_PASSWORD: it is not set, and SEGUE_REDIS_SENTINEL_USERNAME needs it")
    tls = (servers.tls or _files(settings, {})) if over else None
    return Entry("the sentinel", settings.redis_sentinel_username, password, tls)


def _tls(settings: RedisSettings, found: Mapping[str, Any], *, over: bool) -> Tls | None:
    """Return the files of TLS; None: the connection is plain. Raises ValueError: they are set for nothing."""
    tls = _files(settings, found)
    if tls.keyfile is not None and tls.certfile is None:
        raise ValueError(
            "SEGUE_REDIS_SSL_KEYFILE: it is set without SEGUE_REDIS_SSL_CERTFILE, the certificate of that key"
        )
    if tls.key_password and tls.certfile is None:
        raise ValueError("SEGUE_REDIS_SSL_KEY_PASSWORD: it is set without SEGUE_REDIS_SSL_CERTFILE")
    if found.get("ssl_cert_reqs", "required") != "required":
        raise ValueError("SEGUE_REDIS_URL: ssl_cert_reqs is not taken; name the authority in SEGUE_REDIS_SSL_CAFILE")
    if over:
        return tls
    for name in ("cafile", "certfile"):
        if getattr(tls, name) is not None and not settings.redis_sentinel_ssl:
            scheme = "SEGUE_REDIS_URL does not begin with rediss://"
            raise ValueError(f"SEGUE_REDIS_SSL_{name.upper()}: it is set, but {scheme}")
    return None


def _files(settings: RedisSettings, found: Mapping[str, Any]) -> Tls:
    """Return the files by the settings; where one is not set, by redis-py's name in the address's query."""

    def file(name: str, old: str) -> Path | None:
        given: Path | None = getattr(settings, f"redis_ssl_{name}")
        return given if given is not None or old not in found else Path(found[old])

    return Tls(
        file("cafile", "ssl_ca_certs"),
        file("certfile", "ssl_certfile"),
        file("keyfile", "ssl_keyfile"),
        _secret(settings, "ssl_key_password"),
        settings.redis_ssl_check_hostname and bool(found.get("ssl_check_hostname", True)),
    )

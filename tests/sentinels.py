"""A primary, its replicas, and sentinels that watch them; on loopback."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import redis

from streams.embedded import ValkeyServer
from streams.embedded.server import LOOPBACK
from tests.cluster import until
from tests.servers import temporary_folder

MASTER: Final = "segue-state"
"""The name under which the sentinels know the servers."""
DOWN_AFTER_MS: Final = 1_000
"""After so long without an answer a sentinel takes a server for down. Its default is 30,000."""


class SentinelServer(ValkeyServer):
    """One sentinel. It keeps its settings in a file, and rewrites it."""

    name = "Sentinel"
    started = b"Sentinel ID is"

    def __init__(
        self, primary: int, quorum: int, options: Sequence[str], remove: Any, program: Path | None = None
    ) -> None:
        """`options`: more settings, such as certificates (then it speaks TLS only). `program`: another than Valkey."""
        super().__init__(remove=remove)
        self._program: Final = program or self.binary()
        self._settings: Final = [
            f"sentinel monitor {MASTER} {LOOPBACK} {primary} {quorum}",
            f"sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {MASTER} 4000",
            *options,
        ]

    def _command(self) -> Sequence[str]:
        path = self.folder / "sentinel.conf"
        if not path.exists():
            own = [f"bind {LOOPBACK}", f"dir {self.folder}"]
            if any(one.startswith("tls-") for one in self._settings):
                own += ["port 0", f"tls-port {self.port}", "tls-replication yes"]
            else:
                own += [f"port {self.port}"]
            path.write_text("\n".join([*own, *self._settings]) + "\n")
        return [str(self._program), str(path), "--sentinel"]


class Watched:
    """Running servers and their sentinels."""

    def __init__(self, servers: Sequence[ValkeyServer], sentinels: Sequence[SentinelServer]) -> None:
        self.servers: Final = list(servers)
        self.sentinels: Final = list(sentinels)

    @property
    def url(self) -> str:
        """The address as SEGUE_REDIS_URL takes it."""
        return f"redis+sentinel://{','.join(f'{LOOPBACK}:{one.port}' for one in self.sentinels)}/{MASTER}/0"

    def primary(self) -> ValkeyServer:
        """Return the server that the first sentinel names."""
        _, port = say(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        return next(one for one in self.servers if one.port == int(port))

    def replica(self) -> ValkeyServer:
        """Return a server that runs and is not the primary."""
        return next(one for one in self.servers if one is not self.primary() and one.running())

    def settled(self) -> bool:
        """Tell whether every sentinel names one running primary, and the others follow it."""
        named = {bytes(say(one, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1]) for one in self.sentinels}
        if len(named) != 1 or not self.primary().running():
            return False
        running = [one for one in self.servers if one.running() and one is not self.primary()]
        roles = [say(one, "ROLE") for one in running]
        linked = all(
            role[0] == b"slave" and role[2] == self.primary().port and role[3] == b"connected" for role in roles
        )
        return linked and say(self.primary(), "ROLE")[0] == b"master" and self._known() >= len(running)

    def _known(self) -> int:
        return min(len(say(one, "SENTINEL", "REPLICAS", MASTER)) for one in self.sentinels)


def say(server: ValkeyServer, *command: str | int) -> Any:
    """Send one command unchanged, over a connection of its own; return the reply."""
    with redis.Redis(host=LOOPBACK, port=server.port, socket_timeout=10, protocol=2) as client:
        client.response_callbacks.clear()
        return client.execute_command(*command)


@contextmanager
def running_sentinels(
    *, replicas: int = 1, sentinels: int = 3, appendonly: bool = False, options: Sequence[str] = ()
) -> Iterator[Watched]:
    """Start a primary, replicas and sentinels, killed and removed at the end. `options`: more settings of sentinels."""
    with temporary_folder() as folder:
        servers = [ValkeyServer(appendonly=appendonly, remove=folder) for _ in range(1 + replicas)]
        watching: list[SentinelServer] = []
        try:
            for number, server in enumerate(servers):
                server.start(folder / f"server-{number}")
            for server in servers[1:]:
                say(server, "REPLICAOF", LOOPBACK, servers[0].port)
            for number in range(sentinels):
                one = SentinelServer(servers[0].port, sentinels // 2 + 1, options, folder)
                watching.append(one)
                one.start(folder / f"sentinel-{number}")
            watched = Watched(servers, watching)
            until(watched.settled)
            until(lambda: all(len(say(one, "SENTINEL", "SENTINELS", MASTER)) == sentinels - 1 for one in watching))
            yield watched
        finally:
            for server in (*watching, *servers):
                server.kill()

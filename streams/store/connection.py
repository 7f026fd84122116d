"""One connection to Redis or Valkey: commands out as one write, their replies in, and nothing done behind our back.

redis-py's clients re-send a command up to ten times by default, over a pool; a repeated write whose first try was
applied is exactly what the protocol has to see. So this stands on redis-py's `Connection` itself: its own retry object
has no retries, health checks (which would slip a PING and a reconnect before a command) are off, RESP2. After any
fault the socket is closed, so a late reply can never be taken for the answer to a later question.

Its time-out is off, too, and ours stands around it: with one, redis-py sends through `asyncio.wait_for`, which before
Python 3.12 swallows a cancellation that comes while the bytes go out. Whoever is cancelled has to end.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.connection import Connection as RedisConnection
from redis.asyncio.connection import parse_url
from redis.exceptions import MovedError, RedisError, ResponseError

from streams.errors import StoreBug, Unanswered

Argument = bytes | str | int

PASSING_CODES: Final = frozenset(
    {
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
        "WRONGPASS",
    }
)
"""Error codes of a server's bad day (full, read-only, moving, disk gone, rights taken away): it may pass. All others
(WRONGTYPE, CROSSSLOT, an unknown command …) are our bug, or somebody else's key under our name: stop."""


def pack(command: Sequence[Argument]) -> bytes:
    """Write one command in RESP. Faster than redis-py's `pack_command` (tests/benchmarks/bench_store.py)."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def code_of(error: ResponseError) -> str:
    """Return the code of an error reply: READONLY, OOM, ERR …"""
    return getattr(error, "status_code", None) or str(error).partition(" ")[0]


def fault(error: ResponseError) -> Unanswered | StoreBug:
    """Map an error reply. Only its code is kept: the rest of the text may quote a key, and so a subject."""
    code = code_of(error)
    if code in PASSING_CODES:
        return Unanswered(f"the server answered {code}")
    return StoreBug(f"the server answered {code}")


class Connection:
    """A connection that connects when first asked, and again after a fault. Not for concurrent use by two tasks.

    In a cluster it goes where MOVED says: the call that met it raises Unanswered, the next one goes to that node, and
    back to the URL's own address when that node cannot be reached.
    """

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        """Prepare a connection to `url` (redis://, rediss://, unix://).

        `timeout_ms`: for connecting, for each write, and for each reply.
        """
        arguments: dict[str, Any] = dict(parse_url(url))
        self._class: type[RedisConnection] = arguments.pop("connection_class", RedisConnection)
        self._timeout_s = timeout_ms / 1000
        self._arguments = arguments | {
            "socket_timeout": None,
            "socket_connect_timeout": None,
            "protocol": 2,
            "decode_responses": False,
            "retry": None,
            "retry_on_timeout": False,
            "retry_on_error": [],
            "health_check_interval": 0,
        }
        self._address: dict[str, Any] = {}
        self._connection: RedisConnection | None = None
        self._busy = False
        self._open = False
        """Whether a transaction is."""

    async def ask(self, commands: Iterable[bytes], *, opening: bool = False, continuing: bool = False) -> list[Any]:
        """Send packed commands as one write and return their replies in order; error replies as ResponseError values.

        Raises Unanswered on anything but a full set of replies; the connection is closed then. After an `opening` call
        a transaction is open, and only a `continuing` one may come next. For that a connection that is not open any
        more is such a fault too: no transaction goes on over another socket than it began on.
        """
        if self._busy or (self._open and not continuing):
            raise StoreBug("two tasks share one store connection")
        self._busy, self._open = True, opening
        try:
            return await self._ask(list(commands), continuing)
        except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise Unanswered(f"lost the store: {type(error).__name__}") from None
        except BaseException:
            await self.close()
            raise
        finally:
            self._busy = False

    async def _ask(self, commands: list[bytes], continuing: bool) -> list[Any]:
        connection = self._connection
        if connection is None:
            if continuing:
                raise ConnectionError
            connection = await self._connect()
        replies: list[Any] = []
        now_s = asyncio.get_running_loop().time
        async with asyncio.timeout(self._timeout_s) as limit:
            await connection.send_packed_command(commands)
            for _ in commands:
                limit.reschedule(now_s() + self._timeout_s)
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        moved = next((one for one in replies if isinstance(one, MovedError)), None)
        if moved is not None:
            await self.close()
        if moved is not None and "path" not in self._arguments:
            # a cluster that does not know its own host name answers with an empty one: the host stays as it is
            self._address = {"port": moved.port} | ({"host": moved.host} if moved.host else {})
        return replies

    async def _connect(self) -> RedisConnection:
        connection = self._class(**(self._arguments | self._address))
        self._address = {}
        try:
            async with asyncio.timeout(self._timeout_s):
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._connection = connection
        return connection

    async def close(self) -> None:
        """Close the socket, if it is open."""
        connection, self._connection = self._connection, None
        self._open = False
        if connection is not None:
            with suppress(RedisError, OSError, TimeoutError):
                await connection.disconnect(nowait=True)

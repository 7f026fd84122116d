"""One connection to Redis or Valkey: sends commands as one write, reads their replies, and does nothing else.

By default redis-py's clients send a command up to ten times, over a pool. The protocol must know when a write is
repeated, because the first one may have been applied. So this module uses redis-py's `Connection` itself: without
retries, without health checks (they put a PING and a reconnect before a command), with RESP2. After any fault the
socket is closed, so that no late reply is taken for the answer to a later question.

redis-py's time-out is off, and ours stands around it: with a time-out, redis-py sends through `asyncio.wait_for`, which
before Python 3.12 swallows a cancellation that comes while the bytes go out. A task that is cancelled must end.
"""

import asyncio
import re
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
"""Error codes of faults that may pass: the server is full, read-only or moving, its disk is gone, rights are missing.
Any other code (WRONGTYPE, CROSSSLOT, an unknown command …) is our bug, or a foreign key with our name: stop."""


def pack(command: Sequence[Argument]) -> bytes:
    """Return one command in RESP. Faster than redis-py's `pack_command` (tests/benchmarks/bench_store.py)."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def code_of(error: ResponseError) -> str:
    """Return the code of an error reply: READONLY, OOM, ERR …"""
    return getattr(error, "status_code", None) or str(error).partition(" ")[0]


def fault(error: ResponseError) -> Unanswered | StoreBug:
    """Return the exception for an error reply. It has the code only: the rest of the text may quote a subject."""
    code = code_of(error)
    if code in PASSING_CODES:
        return Unanswered(f"the server answered {code}")
    return StoreBug(f"the server answered {code}")


LATE_SHARE: Final = 0.1
"""The time-out begins anew when this share of it is spent and a reply has come: the next one has 0.9 of it at least.
Replies mostly come together, and a timer for each would cost as much as reading it."""
MOVES_MAX: Final = 3
"""How often one call follows MOVED. One move leads to the slot's node; while a slot changes its node, two nodes may
name each other for a moment."""


def addresses(url: str) -> list[str]:
    """Split a URL that names several nodes (`redis://a:6379,b:6379/0`) into the URLs of each; others stay whole."""
    found = _SEVERAL.fullmatch(url)
    return [url] if found is None else [f"{found[1]}{node}{found[3]}" for node in found[2].split(",")]


_SEVERAL: Final = re.compile(r"(rediss?://(?:[^/?]*@)?)([^@/?]+)(.*)")
"""Scheme and credentials; nodes; the rest."""


class StoreConnection:
    """A connection that connects at the first call, and again after a fault. Not for concurrent use by two tasks.

    In a cluster it follows MOVED. A node that answers MOVED has executed nothing, so a call that opens or reads is sent
    again to the node that MOVED names. A `continuing` call raises Unanswered instead, because its transaction ended
    with the socket; the next call goes to the node that MOVED names. After a fault the next call goes to the next node
    of the URL: the last one may be away, or hang.
    """

    def __init__(self, url: str, *, timeout_ms: int) -> None:
        """Prepare a connection to `url` (redis://, rediss://, unix://); of a cluster, several nodes: `redis://a,b/0`.

        `timeout_ms`: for connecting, for each write, and (nine tenths of it at least) for each reply.
        """
        nodes: list[dict[str, Any]] = [dict(parse_url(one)) for one in addresses(url)]
        self._seeds: list[dict[str, Any]] = [
            {name: node.pop(name) for name in ("host", "port") if name in node} for node in nodes
        ]
        """The nodes of the URL; the next connection goes to the first of them, unless MOVED named another node."""
        arguments = nodes[0]
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
        self._address: dict[str, Any] = self._seeds[0]
        """Of the connection that is open, or was last."""
        self._moved: dict[str, Any] = {}
        """The address that MOVED named; the next connection goes there."""
        self._connection: RedisConnection | None = None
        self._busy = False
        self._open = False
        """Whether a transaction is open."""

    async def ask(self, commands: Iterable[bytes], *, opening: bool = False, continuing: bool = False) -> list[Any]:
        """Send packed commands as one write; return their replies in order. Error replies are ResponseError values.

        Raises Unanswered if a reply is missing; the connection is closed then. After an `opening` call a transaction is
        open, and the next call must be `continuing`. A `continuing` call raises Unanswered if the connection has been
        closed: a transaction never goes on over another socket.
        """
        if self._busy or (self._open and not continuing):
            raise StoreBug("two tasks share one store connection")
        self._busy, self._open = True, opening
        try:
            replies = await self._ask(list(commands), continuing)
        except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise Unanswered(f"lost the store: {type(error).__name__}") from None
        except BaseException:
            await self.close()
            raise
        else:
            # following MOVED closes one socket and opens another
            self._open = opening and self._connection is not None
            return replies
        finally:
            self._busy = False

    async def _ask(self, commands: list[bytes], continuing: bool) -> list[Any]:
        replies: list[Any] = []
        for _ in range(1 if continuing else 1 + MOVES_MAX):
            replies = await self._exchange(commands, continuing)
            moved = next((one for one in replies if isinstance(one, MovedError)), None)
            if moved is None:
                break
            await self.close()
            if "path" not in self._arguments:
                # a cluster that does not know its host name answers with an empty one: the host stays the same
                self._moved = self._address | {"port": moved.port} | ({"host": moved.host} if moved.host else {})
        return replies

    async def _exchange(self, commands: list[bytes], continuing: bool) -> list[Any]:
        connection = self._connection
        if connection is None:
            if continuing:
                raise ConnectionError
            connection = await self._connect()
        replies: list[Any] = []
        now_s = asyncio.get_running_loop().time
        late_s = now_s() + self._timeout_s * LATE_SHARE
        async with asyncio.timeout(self._timeout_s) as limit:
            await connection.send_packed_command(commands)
            for _ in commands:
                if now_s() > late_s:
                    late_s = now_s() + self._timeout_s * LATE_SHARE
                    limit.reschedule(now_s() + self._timeout_s)
                try:
                    replies.append(await connection.read_response())
                except ResponseError as error:
                    replies.append(error)
        return replies

    async def _connect(self) -> RedisConnection:
        moved, self._moved = self._moved, {}
        self._address = moved or self._seeds[0]
        if not moved:
            self._seeds = [*self._seeds[1:], self._seeds[0]]
        connection = self._class(**(self._arguments | self._address))
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

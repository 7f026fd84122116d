"""One connection to Redis or Valkey: sends commands as one write, reads their replies, and does nothing else.

By default redis-py's clients send a command up to ten times, over a pool. The protocol must know when a write is
repeated, because the first one may have been applied. So this module uses redis-py's `Connection` itself: without
retries, without health checks (they put a PING and a reconnect before a command), with RESP2. After any fault the
socket is closed, so that no late reply is taken for the answer to a later question.

`opening` opens the socket, `troubles` says what went wrong.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import MovedError, RedisError, ResponseError

from streams.errors import StoreBug, StoreRefused, Unanswered
from streams.secret import SecretUnreadable
from streams.store.access import Node, RedisConnection
from streams.store.opening import mismatch, opened
from streams.store.sentinels import is_primary, primary_of
from streams.store.troubles import code_of, trouble

Argument = bytes | str | int

PASSING_CODES: Final = frozenset(
    {
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "EXECABORT",
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
EXECABORT alone: EXEC itself was refused, and nothing was executed.
Any other code (WRONGTYPE, CROSSSLOT, an unknown command …) is our bug, or a foreign key with our name: stop."""


def pack(command: Sequence[Argument]) -> bytes:
    """Return one command in RESP. Faster than redis-py's `pack_command` (tests/benchmarks/bench_store.py)."""
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


ANEW_CODES: Final = frozenset({"MASTERDOWN", "NOAUTH", "NOPERM", "READONLY", "WRONGPASS"})
"""After these the next call connects anew: the name may mean another server now, and files another password."""


LATE_SHARE: Final = 0.1
"""The time-out begins anew when this share of it is spent and a reply has come: the next one has 0.9 of it at least.
Replies mostly come together, and a timer for each would cost as much as reading it."""
MOVES_MAX: Final = 3
"""How often one call follows MOVED. One move leads to the slot's node; while a slot changes its node, two nodes may
name each other for a moment."""


class StoreConnection:
    """A connection that connects at the first call, and again after a fault. Not for concurrent use by two tasks.

    In a cluster it follows MOVED. A node that answers MOVED has executed nothing, so a call that opens or reads is sent
    again to the node that MOVED names. A `continuing` call raises Unanswered instead, because its transaction ended
    with the socket; the next call goes to the node that MOVED names. After a fault the next call goes to the next node
    of the address: the last one may be away, or hang. Behind Sentinel every new connection asks for the primary first.
    """

    def __init__(self, access: RedisConnection, *, timeout_ms: int, follows: bool = True) -> None:
        """`timeout_ms`: for connecting, for each write, and (nine tenths of it at least) for each reply.

        `follows`: whether it follows MOVED. Else the caller gets MOVED as a reply.
        """
        self._access: Final = access
        self._seeds: list[Node] = list(access.nodes)
        """The next connection goes to the first of them, unless MOVED named another node."""
        self._timeout_s: Final = timeout_ms / 1000
        self._follows: Final = follows
        self._node: Node | None = None
        """Of the connection that is open, or was last."""
        self._moved: Node | None = None
        """The node that MOVED named; the next connection goes there."""
        self._by_moved = False
        """Whether MOVED named `_node`."""
        self._answered = False
        """Whether the connection has had a reply to anything but the login."""
        self._connection: AbstractConnection | None = None
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
        except (RedisError, OSError, TimeoutError, asyncio.IncompleteReadError, SecretUnreadable) as error:
            await self.close()
            raise await self._explained(error) from None
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
            if moved is None or not self._follows:
                break
            await self.close()
            if self._node is not None and not self._node.path:
                # a cluster that does not know its host name answers with an empty one: the host stays the same
                self._moved = Node(moved.host or self._node.host, moved.port)
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
                self._answered = True
        return replies

    async def _connect(self) -> AbstractConnection:
        access = self._access
        self._answered, self._by_moved = False, self._moved is not None
        if self._moved is not None:
            self._node, self._moved = self._moved, None
        elif access.sentinels is not None:
            self._node = None
            self._node = await primary_of(access.sentinels)
        else:
            self._node = self._seeds[0]
            self._seeds = [*self._seeds[1:], self._seeds[0]]
        connection = await opened(
            self._node, access.entry, timeout_s=self._timeout_s, database=access.database, more=access.more
        )
        if access.sentinels is not None:
            try:
                async with asyncio.timeout(self._timeout_s):
                    primary = await is_primary(connection)
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            if not primary:
                await connection.disconnect(nowait=True)
                raise Unanswered(f"the sentinels name {self._node}, which is not the primary yet")
        self._connection = connection
        return connection

    async def _explained(self, error: BaseException) -> Unanswered:
        """Return the error for the caller."""
        node, entry = self._node, self._access.entry
        found = trouble(error, entry, node)
        if isinstance(found, StoreRefused) or self._answered or node is None:
            return found
        if "refuses the connection" not in str(found):
            found = await mismatch(node, entry) or found
        if self._by_moved and not isinstance(found, StoreRefused):
            return Unanswered(f"{found} (the cluster named it, by MOVED: can its addresses be reached from here?)")
        return found

    async def fault(self, error: ResponseError) -> Unanswered | StoreBug:
        """Return the exception for an error reply. It has no more of the reply than its code and a command's name: the
        rest of the text may quote a subject.
        """
        code = code_of(error)
        if code in ANEW_CODES:
            await self.close()
        if code not in PASSING_CODES:
            return StoreBug(f"the server answered {code}")
        found = trouble(error, self._access.entry, self._node)
        return found if isinstance(found, StoreRefused) else Unanswered(f"the server answered {code}")

    async def close(self) -> None:
        """Close the socket, if it is open."""
        connection, self._connection = self._connection, None
        self._open = False
        if connection is not None:
            with suppress(RedisError, OSError, TimeoutError):
                await connection.disconnect(nowait=True)

"""The exchanges with Redis or Valkey that the store consists of; each is atomic on the server.

1. A read: `MULTI, HMGET meta token erased, <reads>, EXEC` in one write. A crash or a lost reply changes nothing.
   (Redis 7.0 takes nothing inside MULTI while it is out of memory, so reads wait then, too.)
2. A write, in two halves. First `WATCH meta, <question>, MULTI`; the caller judges the answer. Then `<writes>, EXEC`:
   if `meta` has moved in between, the server refuses (nil), and the caller begins again. The writes are sent only
   after MULTI was answered OK, and only on the connection that MULTI went over. A crash between the halves leaves
   nothing. A crash or a lost reply after EXEC was sent leaves all or nothing, and the token tells which.
3. Anything else: commands whose replies are returned; each is atomic by itself.

Why MULTI and not a script: MULTI costs the server half as much (1.7-2.2 µs a profile of 600 bytes against 2.7-3.8,
Valkey 9 and Redis 7, tests/benchmarks/bench_store.py), and all partitions share the server. The second round trip takes
0.1 ms of a checkpoint a second. No command inside MULTI can fail because of its data, so an error there is a bug; a
script that fails half-way would leave its first half as well.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from streams.errors import StoreBug, Unanswered
from streams.store.connection import Argument, StoreConnection, pack
from streams.store.keys import Keys
from streams.store.shared_reads import SharedReads
from streams.store.troubles import code_of, first_error

_MULTI: Final = pack([b"MULTI"])
_EXEC: Final = pack([b"EXEC"])
_DISCARD: Final = pack([b"DISCARD"])


class Exchanges:
    """The exchanges over one connection, for one partition. Every method raises Unanswered, and StoreBug."""

    def __init__(self, connection: StoreConnection, keys: Keys) -> None:
        self._connection: Final = connection
        self._watch: Final = pack([b"WATCH", keys.meta])
        self._read_stamp: Final = pack([b"HMGET", keys.meta, b"token", b"erased"])

    async def ask(self, *commands: Sequence[Argument]) -> list[Any]:
        """Send commands outside any transaction; return their replies."""
        return await self._checked(await self._connection.ask(pack(command) for command in commands))

    async def read(
        self, commands: Iterable[bytes], shared: SharedReads | None = None
    ) -> tuple[Sequence[bytes | None], list[Any]]:
        """Exchange 1: return [token, erased] of `meta`, and the packed commands' replies from the same instant.

        With `shared` it goes over that connection, and may raise Elsewhere.
        """
        asked = [_MULTI, self._read_stamp, *commands, _EXEC]
        if shared is None:
            replies = await self._checked(await self._connection.ask(asked))
        else:
            replies = await shared.ask(asked)
        stamp, *found = _inside(replies[-1])
        return stamp, found

    async def watch(self, question: Sequence[Argument]) -> Any:
        """Exchange 2, first half: watch `meta`, ask, open MULTI; return the answer. `commit` or `let_go` follows."""
        replies = await self._connection.ask([self._watch, pack(question), _MULTI], opening=True)
        try:
            _, reply, _ = await self._checked(replies)
        except BaseException:
            # closing the socket ends WATCH and MULTI, if they stand
            await self._connection.close()
            raise
        return reply

    async def commit(self, writes: Sequence[bytes]) -> bool:
        """Exchange 2, second half: send packed writes and EXEC. False: `meta` moved, and nothing was written."""
        replies = await self._connection.ask([*writes, _EXEC], continuing=True)
        committed = (await self._checked(replies))[-1]
        if committed is None:
            return False
        _inside(committed)
        return True

    async def let_go(self) -> None:
        """Exchange 2, given up: DISCARD ends MULTI and WATCH. If it is not answered, the socket is closed."""
        try:
            await self._checked(await self._connection.ask([_DISCARD], continuing=True))
        except (Unanswered, StoreBug):
            await self._connection.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def _checked(self, replies: list[Any]) -> list[Any]:
        """Return the replies; raise the first error among them."""
        error = first_error(replies)
        if error is not None:
            raise await self._connection.fault(error)
        return replies


def _inside(committed: Any) -> list[Any]:
    """Return the replies in EXEC's answer. An error among them is a bug: the other writes stand, this one does not."""
    error = first_error(committed)
    if error is not None:
        raise StoreBug(f"an error inside the atomic write: {code_of(error)}")
    return list(committed)

"""The reads of several partitions over one connection: what they ask at the same moment goes out as one write.

A fetch brings records of most partitions of a worker, and each owner asks for the profiles that it lacks. Over
connections of their own that is a round trip each: the worker, the kernel and the server wake for a read of one or two
profiles. Here whoever asks while a round trip is under way, or in the same turn of the loop, shares the next one. Each
partition's read is an atomic exchange of its own all the same (`exchanges`), with its own token.

Nothing rests on which server answers: a token names one content for ever. So a read whose token is not the expected one
is asked again over the partition's own connection, and only that answer is judged. In a cluster a partition that lives
on another node reads over its own connection from then on. Partitions that share a round trip share its time-out, too.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from redis.exceptions import MovedError

from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection
from streams.store.troubles import first_error

PARTS_MAX: Final = 16
"""Reads of a round trip. A read has 200 profiles at most while a backlog is applied: then so many are 2 MB."""


class Elsewhere(Exception):
    """Another node of the cluster has the partition, and this connection does not follow."""


class SharedReads:
    """One connection for the reads of all partitions of a worker. It opens at the first read, and after a fault."""

    def __init__(self, access: RedisConnection, *, timeout_ms: int = 5_000) -> None:
        """`timeout_ms`: see StoreConnection."""
        self._connection: Final = StoreConnection(access, timeout_ms=timeout_ms, follows=False)
        self._waiting: list[tuple[Sequence[bytes], asyncio.Future[list[Any]]]] = []
        self._serving: asyncio.Task[None] | None = None

    async def ask(self, commands: Sequence[bytes]) -> list[Any]:
        """Send packed commands with those of others; return their replies in order.

        Raises Elsewhere, Unanswered, StoreBug. A caller that is cancelled does no harm to the others.
        """
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append((commands, answer))
        if self._serving is None:
            # a task begins in the loop's next turn: by then everybody whom this turn wakes has asked
            self._serving = asyncio.ensure_future(self._serve())
        return await answer

    async def close(self) -> None:
        """Close the connection, once nobody asks any more: a round trip under way ends by its time-out."""
        await self._connection.close()

    async def _serve(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting[:PARTS_MAX], self._waiting[PARTS_MAX:]
                await self._exchange(asked)
        finally:
            self._serving = None

    async def _exchange(self, asked: Sequence[tuple[Sequence[bytes], asyncio.Future[list[Any]]]]) -> None:
        try:
            replies = await self._connection.ask([command for commands, _ in asked for command in commands])
        except Exception as error:  # whatever it is, those who wait must learn it
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        first = 0
        for commands, answer in asked:
            mine = replies[first : first + len(commands)]
            first += len(commands)
            failed = await self._error_among(mine)
            if answer.done():
                continue  # cancelled
            if failed is None:
                answer.set_result(mine)
            else:
                answer.set_exception(failed)

    async def _error_among(self, replies: Sequence[Any]) -> Exception | None:
        """Return the exception for the first error among replies; None: there is none."""
        error = first_error(replies)
        if error is None:
            return None
        return Elsewhere() if isinstance(error, MovedError) else await self._connection.fault(error)

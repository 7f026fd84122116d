"""Does Redis answer? A PING over a connection of its own, which nothing else waits for."""

from typing import Final

from redis.exceptions import ResponseError

from streams.errors import Unanswered
from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection, pack
from streams.store.troubles import code_of

_PING: Final = pack([b"PING"])
TIMEOUT_MS: Final = 5_000
"""For a connection, and for each answer. Then it asks again, over a new connection."""


class RedisPulse:
    """Asks whether Redis or Valkey answers. For one event loop, one question at a time."""

    def __init__(self, access: RedisConnection) -> None:
        self._connection: Final = StoreConnection(access, timeout_ms=TIMEOUT_MS)

    async def ask(self) -> None:
        """Return when the server has answered. Raises Unanswered: it is away, or it refuses."""
        try:
            (answer,) = await self._connection.ask([_PING])
        except Unanswered:
            # a server may close a connection: only a new one tells
            (answer,) = await self._connection.ask([_PING])
        if isinstance(answer, ResponseError) and code_of(answer) != "NOPERM":  # a user without PING has an answer, too
            raise Unanswered(f"the server answered {code_of(answer)}")

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

"""What the store uses."""

import asyncio

from streams.store.access import RedisConnection
from streams.store.connection import StoreConnection, pack


def used_bytes(url: str) -> int:
    """Return the memory in use of a Redis or Valkey; blocks."""
    return asyncio.run(_used(url))


async def _used(url: str) -> int:
    connection = StoreConnection(RedisConnection.at(url), timeout_ms=5_000)
    reply = (await connection.ask([pack([b"INFO", b"memory"])]))[0]
    await connection.close()
    return int(dict(line.partition(":")[::2] for line in reply.decode().splitlines())["used_memory"])

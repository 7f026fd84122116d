"""Every byte that a Redis or Valkey holds, for tests that look for a subject in it."""

from collections.abc import Awaitable
from typing import Any, cast

import redis.asyncio


async def everything_told(client: redis.asyncio.Redis, pattern: bytes = b"*") -> bytes:
    """Return the names and the values of all keys of a pattern, one after the other."""
    found: list[bytes] = []
    async for key in client.scan_iter(match=pattern, count=1_000):
        found += [key, *_flat(await _value(client, key))]
    return b"|".join(found)


async def _value(client: redis.asyncio.Redis, key: bytes) -> Any:
    kind = await client.type(key)
    if kind == b"string":
        return await client.get(key)
    if kind == b"hash":
        return await cast("Awaitable[Any]", client.hgetall(key))
    if kind == b"set":
        return await cast("Awaitable[Any]", client.smembers(key))
    assert kind == b"zset"
    return await client.zrange(key, 0, -1)


def _flat(value: Any) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, dict):
        return [each for pair in value.items() for each in pair]
    return [*value]

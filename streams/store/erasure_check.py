"""Are the erasure keys those that state in Redis wants? Asked before a worker starts, and by `segue doctor`."""

import asyncio
from collections.abc import Callable
from typing import Final

from streams.erasure_settings import ERASURE_KEY
from streams.errors import Incident
from streams.finding import Finding
from streams.store.erasure_keys import ErasureKeys, told_lacking
from streams.store.terms import PartitionStore

AT_ONCE: Final = 16
"""Partitions looked at at the same time."""


async def check_erasure_keys(
    store: Callable[[int], PartitionStore], partitions: int, keys: ErasureKeys
) -> list[Finding]:
    """Look at the `meta` of every partition; a key that is lacking is fatal. Raises Unanswered, StoreBug.

    A partition without `meta`, or with one that cannot be read, is told of by others.
    """
    lacking = keys.lacking(await fingerprints(store, partitions))
    if not lacking:
        return []
    return [Finding(ERASURE_KEY, *told_lacking(lacking))]


async def fingerprints(store: Callable[[int], PartitionStore], partitions: int) -> list[str]:
    """Return the fingerprints of the keys that named a profile of any partition, sorted."""
    few = asyncio.Semaphore(AT_ONCE)

    async def one(partition: int) -> tuple[str, ...]:
        async with few:
            opened = store(partition)
            try:
                meta = await opened.read_meta()
            except Incident:
                return ()
            finally:
                await opened.close()
        return () if meta is None else meta.erased_by

    found = await asyncio.gather(*map(one, range(partitions)))
    return sorted({each for some in found for each in some})

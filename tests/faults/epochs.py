"""Looks into Redis during a run: if the epoch of a partition goes down, a zombie's write took effect."""

import asyncio
from types import TracebackType

import redis.asyncio

from tests.faults.checker import Names
from tests.faults.promises import Violated

LOOK_EVERY_S = 0.005
"""A zombie's write stands until the owner's next one: for some hundred of these waits."""


class Epochs:
    """The highest epoch of each partition while the `with` lasts. Not for runs that put Redis back."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._client = redis.asyncio.Redis.from_url(names.redis_url)
        self._highest: dict[int, int] = {}
        self._broken = ""
        self._over = False

    async def __aenter__(self) -> "Epochs":
        self._task = asyncio.ensure_future(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # not cancelled: before Python 3.12 redis-py's client may swallow that, and would look for ever
        self._over = True
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.aclose()

    def check(self) -> None:
        """Raise Violated if an epoch went down."""
        if self._task.done():
            self._task.result()
        if self._broken:
            raise Violated(f"S0 {self._broken}")

    async def _look(self) -> None:
        metas = [key async for key in self._client.scan_iter(match=f"{self._names.prefix}:*:meta", count=1_000)]
        assert len(metas) == self._names.partitions, f"{len(metas)} partitions have a meta"
        while not self._over:
            async with self._client.pipeline(transaction=False) as pipe:
                for key in metas:
                    pipe.hget(key, "token")
                tokens = await pipe.execute()
            for partition, token in enumerate(tokens):
                self._see(partition, int(token.partition(b".")[0]))
            await asyncio.sleep(LOOK_EVERY_S)

    def _see(self, partition: int, epoch: int) -> None:
        highest = self._highest.get(partition, epoch)
        if epoch < highest and not self._broken:
            self._broken = f"a write of epoch {epoch} stood after one of epoch {highest}"
        self._highest[partition] = max(epoch, highest)

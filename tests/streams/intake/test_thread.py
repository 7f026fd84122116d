"""A fetch's answer that brings records wakes who waits for them at once (a stand-in takes the place of the fetcher)."""

import asyncio
from typing import Any

import pytest

from streams.intake.thread import _tell_at_once


class Fetcher:
    """Stands in for aiokafka's fetcher: an answer brings records or none."""

    def __init__(self, *, brings: bool) -> None:
        self.brings = brings
        self._fetch_waiters: set[asyncio.Future[None]] = set()

    def _notify(self, future: "asyncio.Future[None]") -> None:
        if not future.done():
            future.set_result(None)

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        return self.brings


@pytest.mark.parametrize("brings", [True, False])
async def test_an_answer_wakes_who_waits_if_it_brings_records(brings: bool) -> None:
    fetcher = Fetcher(brings=brings)
    _tell_at_once(fetcher)
    waiter = asyncio.get_running_loop().create_future()
    fetcher._fetch_waiters.add(waiter)  # noqa: SLF001
    assert await fetcher._proc_fetch_request(None, 0, None) is brings  # noqa: SLF001
    assert waiter.done() is brings
    waiter.cancel()

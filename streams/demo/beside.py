"""Works that run beside the one that is waited for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[Any]:
    """Run works beside what is awaited through the function given: the first of them that fails ends that too."""
    tasks = [asyncio.ensure_future(work) for work in works]

    async def until_done(work: Awaitable[Any]) -> Any:
        main = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait([main, *tasks], return_when=asyncio.FIRST_COMPLETED)
            while main not in done:
                for task in done:
                    await task  # raises what it failed with; one that is through (explaining) is not waited for again
                    tasks.remove(task)
                done, _ = await asyncio.wait([main, *tasks], return_when=asyncio.FIRST_COMPLETED)
            return await main
        finally:
            main.cancel()

    try:
        yield until_done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

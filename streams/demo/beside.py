"""Background works beside a main work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[Any]:
    """Run works in the background; yield a function that awaits a main work. A background failure ends it."""
    tasks = [asyncio.ensure_future(work) for work in works]

    async def until_done(work: Awaitable[Any]) -> Any:
        main = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait([main, *tasks], return_when=asyncio.FIRST_COMPLETED)
            while main not in done:
                for task in done:
                    await task  # raises the task's error; a task that has finished (explaining) is not awaited again
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

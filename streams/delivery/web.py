"""Serves /live, /ready and /status of a deliverer, like a worker's."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import orjson
from aiohttp import web

from streams.pages import Page


@asynccontextmanager
async def serving(pages: Mapping[str, Page], host: str, port: int) -> AsyncIterator[int]:
    """Answer GETs of these pages. Yields the port, a free one for 0. Raises OSError: the port is taken."""

    def handler(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            status, body = page()
            return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

        return answer

    app = web.Application()
    app.add_routes([web.get(path, handler(page)) for path, page in pages.items()])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()

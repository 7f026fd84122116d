"""Serves the pages of a process over HTTP: /live, /ready and /status of a worker or a deliverer."""

import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import orjson
from aiohttp import web

from streams.pages import Page

HOST, PORT = "SEGUE_WEB_HOST", "SEGUE_WEB_PORT"
_REMEDY: Final = "give 127.0.0.1 for this machine only, or 0.0.0.0 for every address of it"


class AddressRefused(Exception):
    """The pages cannot be served at this address. The message is one sentence that names the setting."""


@asynccontextmanager
async def serving(
    pages: Mapping[str, Page], host: str, port: int, settings: tuple[str, str] = (HOST, PORT)
) -> AsyncIterator[str]:
    """Answer GETs of these pages. Yields the address, like http://127.0.0.1:6066; port 0 takes a free port.

    `settings` are the names of the variables that `host` and `port` come from. Raises AddressRefused.
    """

    def handler(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            status, body = page()
            return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

        return answer

    answers = {path: handler(page) for path, page in pages.items()}
    async with answering(answers, host, port, settings) as where:
        yield where


@asynccontextmanager
async def answering(
    answers: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]],
    host: str,
    port: int,
    settings: tuple[str, str],
) -> AsyncIterator[str]:
    """Answer GETs of these paths, as `serving` does, with answers of any kind."""
    app = web.Application()
    app.add_routes([web.get(path, answer) for path, answer in answers.items()])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except (OSError, UnicodeError) as error:  # a name that is too long for DNS is a UnicodeError
            raise AddressRefused(_refusal(error, host, port, *settings)) from None
        yield address(host, int(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def address(host: str, port: int) -> str:
    """Return the URL of a host and port."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refusal(error: Exception, host: str, port: int, of_host: str, of_port: str) -> str:
    code = getattr(error, "errno", None)
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"{of_host}: the name {host!r} leads to no address; {_REMEDY}"
    if code == errno.EADDRINUSE:
        return (
            f"{of_port}: another process listens on port {port} of {host} already;"
            " stop it, or give another port (0 takes a free one)"
        )
    if code == errno.EADDRNOTAVAIL:
        return f"{of_host}: {host} is no address of this machine; {_REMEDY}"
    if code == errno.EACCES:
        return f"{of_port}: this user may not listen on port {port}; give a port above 1023"
    why = getattr(error, "strerror", None) or type(error).__name__
    return f"{of_host} or {of_port}: nothing can listen on port {port} of {host}: {why}"

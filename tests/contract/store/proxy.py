"""A TCP proxy before a real server. On demand it loses or delays a client's writes, or their replies."""

import asyncio
from contextlib import suppress
from typing import Self

WRITES = b"HSET"
"""Every write of the store sets fields of `meta`; no read does."""


class Proxy:
    """Forwards bytes. `next` has the faults of the next writes: `request lost`, `reply lost`, `late` (kept back).

    Names and meaning are those of `tests.models.store.Mishaps`. `writes` counts the writes that were sent to it.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._kept: list[tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.next: list[str] = []
        self.writes = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None
        self._server.close()
        for _, _, kept in self._kept:
            kept.close()
        # a new connection has its task soon
        await asyncio.sleep(0)
        while tasks := list(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """The URL on which it listens."""
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def deliver(self) -> None:
        """Send the writes that were kept back, and wait for the answers."""
        for data, from_server, to_server in self._kept:
            to_server.write(data)
            await to_server.drain()
            await from_server.read(65_536)
            to_server.close()
        self._kept.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self._to)
        silent = False

        async def back() -> None:
            with suppress(OSError):
                while data := await from_server.read(65_536):
                    if silent:
                        break
                    writer.write(data)
                    await writer.drain()
            writer.close()

        replies = asyncio.create_task(back())
        kept = False
        try:
            while data := await reader.read(1 << 20):
                mishap = ""
                if WRITES in data:
                    self.writes += 1
                    mishap = self.next.pop(0) if self.next else ""
                if mishap == "request lost":
                    return
                if mishap == "late":
                    kept = True
                    replies.cancel()
                    await asyncio.gather(replies, return_exceptions=True)
                    self._kept.append((data, from_server, to_server))
                    return
                silent = silent or mishap == "reply lost"
                to_server.write(data)
                await to_server.drain()
        finally:
            # this task may be cancelled while it waits here, so nothing may follow
            if not kept:
                to_server.close()
            replies.cancel()
            await asyncio.gather(replies, return_exceptions=True)

"""A TCP proxy that treats connections like a bad network: it delays, loses, holds back, and switches the server.

A *judge* decides the fate of every piece that passes, one piece at a time in each direction. A piece that is held is
delivered on demand, on its own connection to the server. The proxy copies all other bytes unread.
"""

import asyncio
import contextlib
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["request", "reply"]
Fate = Literal["pass", "lose", "hold", "mute", "repeat", "spoil"]
"""lose: the piece never arrives and the connection ends; hold: the client's side ends, the piece may be delivered
later; mute: the piece arrives, and no reply ever comes; repeat: the piece arrives twice, first over a connection of
its own; spoil: one bit of the piece is flipped."""
Judge = Callable[[Direction, bytes], "tuple[Fate, float]"]
"""Returns (the fate of the piece, after how many seconds)."""


def no_harm(direction: Direction, piece: bytes) -> tuple[Fate, float]:
    """Let everything pass."""
    return "pass", 0.0


@dataclass
class Held:
    """A piece that has left its sender and has not arrived."""

    piece: bytes
    writer: asyncio.StreamWriter

    async def deliver(self) -> bool:
        """Deliver it. False: the server has closed the connection."""
        try:
            self.writer.write(self.piece)
            await self.writer.drain()
            await asyncio.sleep(0.3)
        except OSError:
            return False
        finally:
            self.writer.close()
        return True


@dataclass
class Proxy:
    """One proxy. `frames`: cut the stream into Kafka's frames (a length of 4 bytes before each)."""

    target: tuple[str, int]
    judge: Judge = no_harm
    frames: bool = False
    port: int = 0
    calls: int = 0
    """Requests that passed."""
    fates: dict[str, int] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for one in self.held:
            one.writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End every open connection."""
        for writer in list(self._open):
            writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            server, to_server = await asyncio.open_connection(*self.target)
        except OSError:
            to_client.close()
            return
        self._open |= {to_client, to_server}
        muted = asyncio.Event()
        up = asyncio.ensure_future(self._copy("request", client, to_server, muted))
        down = asyncio.ensure_future(self._copy("reply", server, to_client, muted))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._open -= {to_client, to_server}
            to_client.close()
            if not any(one.writer is to_server for one in self.held):
                to_server.close()

    async def _copy(
        self, direction: Direction, source: asyncio.StreamReader, sink: asyncio.StreamWriter, muted: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while piece := await self._piece(source):
                if direction == "request":
                    self.calls += 1
                fate, delay_s = self.judge(direction, piece)
                if fate != "pass" or delay_s:
                    name = fate if fate != "pass" else "delay"
                    self.fates[name] = self.fates.get(name, 0) + 1
                if delay_s:
                    await asyncio.sleep(delay_s)
                if fate == "lose":
                    return
                if fate == "hold":
                    self.held.append(Held(piece, sink))
                    return
                if fate == "mute":
                    muted.set()
                if fate == "repeat":
                    await self._deliver_beside(piece)
                if fate == "spoil":
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                if direction == "reply" and muted.is_set():
                    continue
                sink.write(piece)
                await sink.drain()

    async def _deliver_beside(self, piece: bytes) -> None:
        reader, writer = await asyncio.open_connection(*self.target)
        writer.write(piece)
        await writer.drain()
        await self._piece(reader)
        writer.close()

    async def _piece(self, source: asyncio.StreamReader) -> bytes:
        if not self.frames:
            return await source.read(1 << 16)
        head = await source.readexactly(4)
        return head + await source.readexactly(struct.unpack(">i", head)[0])


PRODUCE, FETCH, END_TXN, WRITE_TXN_MARKERS = 0, 1, 26, 27


def api_key(piece: bytes) -> int:
    """Return the api key of a Kafka request; the constants below name them."""
    return int(struct.unpack(">h", piece[4:6])[0])


def client_id(piece: bytes) -> bytes:
    """Return the client id in a Kafka request."""
    length = int(struct.unpack(">h", piece[12:14])[0])
    return piece[14 : 14 + max(0, length)]


def transactional_id(piece: bytes) -> bytes:
    """Return the transactional id of a Produce (version 3 to 8) or an EndTxn (0 to 2): their first field."""
    begin = 14 + len(client_id(piece))
    length = int(struct.unpack(">h", piece[begin : begin + 2])[0])
    return piece[begin + 2 : begin + 2 + max(0, length)]

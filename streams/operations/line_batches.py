"""The lines of a file or a pipe, a batch at a time, for a program that must not block."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

LINES_AHEAD: Final = 2_000
"""Lines read before the caller has taken those before them."""
LINES_AT_ONCE: Final = 200
CHUNK_BYTES: Final = 1 << 16


async def line_batches(file: Path) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Yield (bytes read so far, lines) of a file, without the ends of lines; `-` is standard input.

    A pipe's lines come as soon as they are there. Raises OSError.

    A thread reads. Nothing waits for its end, so a silent pipe does not hold the program up.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[int, list[bytes]] | BaseException | None] = asyncio.Queue()
    room = threading.Semaphore(LINES_AHEAD // LINES_AT_ONCE)

    def put(item: tuple[int, list[bytes]] | BaseException | None) -> None:
        # a closed loop: nobody asks for lines any more, nor for their end
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            with _opened(file) as stream:
                for item in _batches(stream):
                    room.acquire()
                    if loop.is_closed():
                        return
                    put(item)
        except OSError as error:
            put(error)
        put(None)

    threading.Thread(target=read, daemon=True).start()
    while (item := await queue.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item
        room.release()


def _opened(file: Path) -> BinaryIO:
    # unbuffered: a buffer would keep a pipe's lines back until it is full
    return open(0, "rb", buffering=0, closefd=False) if str(file) == "-" else file.open("rb", buffering=0)


def _batches(stream: BinaryIO) -> Iterator[tuple[int, list[bytes]]]:
    """Cut a stream into batches of whole lines, each as soon as it is there."""
    read, rest = 0, b""
    while data := stream.read(CHUNK_BYTES):
        read += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for first in range(0, len(lines), LINES_AT_ONCE):
            yield read, lines[first : first + LINES_AT_ONCE]
    if rest:
        yield read, [rest]

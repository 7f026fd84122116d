"""Brokers' answers, taken in the moment in which they come.

With aiokafka an answer wakes a task that reads, which wakes the task that waits for the answer. Each of the two stands
in the event loop behind everything that is ready to run: a chunk of events of each partition, 5 ms each at most. Here
the socket's own callback hands the answer over (`Answers`), and what is run by `at_once` goes on right there.
"""

import asyncio
import weakref
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from aiokafka.conn import AIOKafkaConnection

T = TypeVar("T")
LENGTH_BYTES: Final = 4
"""An answer begins with the length of its rest."""


class Answer(asyncio.Future[Any]):
    """The answer to one request. A task may await it, like any future."""

    goes_on: "_AtOnce | None" = None
    """What goes on as soon as the broker's answer stands, while it waits for it."""

    def late(self) -> None:
        """Fail with TimeoutError, if there is no answer yet."""
        if not self.done():
            self.set_exception(TimeoutError())


class Answers:
    """Cuts what a connection receives into answers, and hands each to the connection at once."""

    def __init__(self, connection: AIOKafkaConnection, reader: asyncio.StreamReader) -> None:
        """`reader`: what the connection's task reads; from now on it gets no bytes."""
        # weak: a connection that nobody holds any more closes itself
        self._connection = weakref.ref(connection)
        self._reader = reader
        self._received = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes in. Stands in for `feed_data` of a StreamReader: the task that reads it only learns of the end."""
        received = self._received
        received += data
        while len(received) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(received[:LENGTH_BYTES], "big", signed=True)
            connection = self._connection()
            if len(received) < end or connection is None:
                return
            with memoryview(received) as view:
                answer = bytes(view[LENGTH_BYTES:end])
            del received[:end]
            self._hand_over(connection, answer)

    def _hand_over(self, connection: AIOKafkaConnection, answer: bytes) -> None:
        try:
            _, _, waiting = connection._requests[0]  # noqa: SLF001
            connection._handle_frame(answer)  # noqa: SLF001
        except Exception as error:
            # the task that reads ends of it, tells it, and closes the connection
            self._reader.set_exception(error)
            self._received.clear()
            return
        if isinstance(waiting, Answer) and waiting.goes_on is not None:
            waiting.goes_on.go_on(waiting)


class _AtOnce:
    """A coroutine under way; see `at_once`."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._waits_for: asyncio.Future[Any] | None = None
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result.add_done_callback(self._end)
        self._step()

    def _step(self) -> None:
        if self.result.done():
            return  # cancelled a moment ago
        try:
            found = self._coroutine.send(None)
            if not asyncio.isfuture(found):
                self._coroutine.close()
                raise RuntimeError(f"what runs at once waits for futures only, not for {type(found).__name__}")
        except StopIteration as returned:
            self.result.set_result(returned.value)
        except BaseException as error:
            self.result.set_exception(error)
        else:
            self._wait(found)

    def _wait(self, waits_for: asyncio.Future[Any]) -> None:
        waits_for._asyncio_future_blocking = False  # noqa: SLF001 - as asyncio's tasks do: it was awaited, not yielded
        self._waits_for = waits_for
        waits_for.add_done_callback(self.go_on)
        if isinstance(waits_for, Answer):
            waits_for.goes_on = self

    def go_on(self, waited: asyncio.Future[Any]) -> None:
        """Go on if it waits for this future. An answer tells twice: at once, and as every future does."""
        if waited is self._waits_for:
            self._wait_no_more()
            self._step()

    def _wait_no_more(self) -> asyncio.Future[Any] | None:
        waited, self._waits_for = self._waits_for, None
        if isinstance(waited, Answer):
            waited.goes_on = None  # else the two would hold each other
        return waited

    def _end(self, result: asyncio.Future[Any]) -> None:
        if result.cancelled():
            waited = self._wait_no_more()
            self._coroutine.close()
            if waited is not None:
                waited.cancel()  # nobody takes its result, or what it gathers


def at_once(coroutine: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
    """Run a coroutine that goes on in the very moment in which an Answer comes. Returns the future of its result.

    It is no task: in it there is no `asyncio.timeout` and no `sleep(0)` (RuntimeError), nor anything that takes long.
    Cancelling the future ends it where it waits, in the loop's next turn, and cancels what it waits for.
    """
    return _AtOnce(coroutine).result

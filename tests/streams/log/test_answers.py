"""Answers of brokers are handed over as they come, and what waits for them goes on at once."""

import asyncio
import gc
import weakref
from collections import deque

import pytest

from streams.log.answers import Answer, Answers, at_once


class Connection:
    """What `Answers` asks of a connection of aiokafka: the first request's future gets the answer."""

    def __init__(self) -> None:
        self._requests: deque[tuple[int, object, asyncio.Future[bytes]]] = deque()
        self.reader = asyncio.StreamReader()

    def ask(self) -> Answer:
        answer = Answer()
        self._requests.append((len(self._requests), None, answer))
        return answer

    @property
    def waiting(self) -> list[asyncio.Future[bytes]]:
        return [waiting for _, _, waiting in self._requests]

    def answered(self) -> None:
        self._requests.clear()

    def _handle_frame(self, frame: bytes) -> None:
        self._requests.popleft()[2].set_result(frame)


def framed(answer: bytes) -> bytes:
    return len(answer).to_bytes(4, "big") + answer


@pytest.mark.parametrize("size", [1, 3, 4, 5, 1_000])
async def test_answers_are_the_same_however_the_bytes_come(size: int) -> None:
    connection = Connection()
    waiting = [connection.ask() for _ in range(3)]
    answers = Answers(connection, connection.reader)
    data = b"".join(map(framed, (b"one", b"", b"three" * 20)))
    for begin in range(0, len(data), size):
        answers.feed(data[begin : begin + size])
    assert [await each for each in waiting] == [b"one", b"", b"three" * 20]


async def test_bytes_that_nobody_asked_for_end_the_task_that_reads() -> None:
    connection = Connection()
    Answers(connection, connection.reader).feed(framed(b"one") + framed(b"two"))
    with pytest.raises(IndexError):
        await connection.reader.readexactly(4)


async def test_what_waits_goes_on_before_the_loop_turns() -> None:
    connection = Connection()
    answers = Answers(connection, connection.reader)
    got: list[bytes] = []

    async def ask_twice() -> str:
        got.append(await connection.ask())
        got.append(await connection.ask())
        return "both"

    result = at_once(ask_twice())
    answers.feed(framed(b"one"))
    answers.feed(framed(b"two"))
    assert got == [b"one", b"two"]
    assert await result == "both"


async def test_other_futures_and_errors_pass_through() -> None:
    late = Answer()

    async def wait() -> None:
        await asyncio.sleep(0.001)
        await late

    result = at_once(wait())
    await asyncio.sleep(0.01)
    late.late()
    late.late()
    with pytest.raises(TimeoutError):
        await result


async def test_nothing_goes_on_after_it_was_cancelled() -> None:
    connection = Connection()
    answers = Answers(connection, connection.reader)
    went_on: list[bytes] = []
    ended: list[bool] = []

    async def ask() -> None:
        try:
            went_on.append(await connection.ask())
        finally:
            ended.append(True)

    result = at_once(ask())
    result.cancel()
    answers.feed(framed(b"one"))
    assert went_on == []
    await asyncio.sleep(0)
    assert ended == [True]


async def test_who_is_cancelled_cancels_what_it_waits_for_and_what_that_gathers() -> None:
    connection = Connection()
    answers = Answers(connection, connection.reader)
    went_on: list[bytes] = []

    async def ask() -> None:
        went_on.append(await connection.ask())
        went_on.append(await connection.ask())

    async def ask_both() -> None:
        await asyncio.gather(at_once(ask()), at_once(ask()))

    result = at_once(ask_both())
    await asyncio.sleep(0)
    result.cancel()
    for _ in range(3):
        await asyncio.sleep(0)
    assert all(waiting.cancelled() for waiting in connection.waiting)
    connection.answered()
    connection.ask()
    answers.feed(framed(b"one"))
    assert went_on == []


async def test_what_cannot_run_at_once_says_so() -> None:
    async def give_way() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="futures only, not for NoneType"):
        await at_once(give_way())


async def test_what_ended_is_free_without_the_collector() -> None:
    connection = Connection()
    answers = Answers(connection, connection.reader)

    async def ask() -> bytes:
        answer: bytes = await connection.ask()
        return answer

    gc.collect()
    gc.disable()
    try:
        result = at_once(ask())
        asked = weakref.ref(connection.waiting[0])
        answers.feed(framed(b"one"))
        assert await result == b"one"
        del result
        await asyncio.sleep(0)
        assert asked() is None
    finally:
        gc.enable()

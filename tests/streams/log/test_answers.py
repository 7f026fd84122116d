"""Answers of brokers are handed over as they come, and what waits for them goes on at once."""

import asyncio
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

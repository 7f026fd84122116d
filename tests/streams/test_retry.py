"""The loop that asks again: what it retries, who is told, how it ends."""

import asyncio
from dataclasses import dataclass, field

import pytest

from streams.errors import NotReachable, Unanswered
from streams.retry import GivenUp, Patience, backoff_ms, until_answered


@dataclass(slots=True)
class Steps:
    """A clock that only its own waits move on; it notes them."""

    ms: float = 0
    waits: list[float] = field(default_factory=list)
    ends: asyncio.Event | None = None
    """This event is set in the third wait."""

    def wall_ms(self) -> int:
        return int(self.ms)

    def now_ms(self) -> float:
        return self.ms

    async def sleep(self, length_ms: float) -> None:
        self.waits.append(length_ms)
        self.ms += length_ms
        if self.ends is not None and len(self.waits) == 3:
            self.ends.set()

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        await self.sleep(length_ms)


class Server:
    """Fails with each of the given faults in turn, then answers."""

    def __init__(self, *faults: BaseException) -> None:
        self.faults = list(faults)
        self.asked = 0

    async def ask(self) -> str:
        self.asked += 1
        if self.faults:
            raise self.faults.pop(0)
        return "answer"


def away(times: int) -> Server:
    return Server(*(NotReachable(str(n)) for n in range(1, times + 1)))


async def test_an_answer_needs_no_wait() -> None:
    clock = Steps()
    assert await until_answered(Server().ask, NotReachable, Patience(clock)) == "answer"
    assert clock.waits == []


async def test_waits_double_up_to_the_most() -> None:
    clock = Steps()
    patience = Patience(clock, first_ms=100, most_ms=500)
    assert await until_answered(away(5).ask, NotReachable, patience) == "answer"
    assert clock.waits == [100, 200, 400, 500, 500]


async def test_what_is_waited_for_is_told_before_each_wait() -> None:
    told = list[tuple[int, str]]()
    patience = Patience(Steps(), tell=lambda attempt, fault: told.append((attempt, str(fault))))
    await until_answered(away(2).ask, NotReachable, patience)
    assert told == [(1, "1"), (2, "2")]


async def test_only_passing_faults_are_retried() -> None:
    server = Server(NotReachable("a"), Unanswered("b"), ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await until_answered(server.ask, (NotReachable, Unanswered), Patience(Steps()))
    assert server.asked == 3


async def test_a_cancelled_attempt_is_not_retried() -> None:
    server = Server(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await until_answered(server.ask, NotReachable, Patience(Steps()))
    assert server.asked == 1


async def test_an_event_that_is_set_ends_a_wait_and_the_loop() -> None:
    ended, server = asyncio.Event(), away(99)
    clock = Steps(ends=ended)
    with pytest.raises(GivenUp) as given_up:
        await until_answered(server.ask, NotReachable, Patience(clock, ended=ended))
    assert server.asked == 3
    assert str(given_up.value) == "NotReachable: 3"
    assert given_up.value.fault is given_up.value.__cause__


async def test_one_attempt_is_made_even_if_the_event_is_set() -> None:
    ended = asyncio.Event()
    ended.set()
    clock = Steps()
    assert await until_answered(Server().ask, NotReachable, Patience(clock, ended=ended)) == "answer"
    server = away(2)
    with pytest.raises(GivenUp):
        await until_answered(server.ask, NotReachable, Patience(clock, ended=ended))
    assert (server.asked, clock.waits) == (1, [])


async def test_a_deadline_ends_the_loop_after_the_first_failure_beyond_it() -> None:
    clock, server = Steps(), away(99)
    with pytest.raises(GivenUp):
        await until_answered(server.ask, NotReachable, Patience(clock, until_ms=300))
    assert clock.waits == [50, 100, 200]
    assert server.asked == 4


async def test_who_is_told_may_end_the_loop() -> None:
    def tell(attempt: int, fault: Exception) -> None:
        raise LookupError(attempt)

    with pytest.raises(LookupError):
        await until_answered(away(1).ask, NotReachable, Patience(Steps(), tell=tell))


async def test_a_wait_of_ones_own_ends_the_loop_by_raising() -> None:
    seen = list[int]()

    async def wait(attempt: int, fault: Exception) -> None:
        seen.append(attempt)
        if attempt == 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await until_answered(away(9).ask, NotReachable, wait)
    assert seen == [1, 2]


def test_back_off_doubles_up_to_its_limit() -> None:
    assert [backoff_ms(n) for n in (1, 2, 3, 4)] == [50, 100, 200, 400]
    assert backoff_ms(1_000) == 5_000

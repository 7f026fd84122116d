"""The watch of servers: what it notes of answers, refusals and bugs."""

import logging

import pytest

from streams.clock import SystemClock
from streams.dependencies import Dependencies, DependencyWatch
from streams.errors import NotReachable


class Server:
    """Answers a question, or fails it."""

    def __init__(self) -> None:
        self.fault: Exception | None = None

    async def ask(self) -> None:
        if self.fault is not None:
            raise self.fault


async def test_one_line_is_logged_when_a_server_goes_and_one_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streams.dependencies")
    server, known = Server(), Dependencies()
    watch = DependencyWatch(known, {}, SystemClock())
    await watch.look("kafka", server.ask)
    assert known.up("kafka")
    assert not caplog.records
    for why in ("connection refused", "still refused"):
        server.fault = NotReachable(why)
        await watch.look("kafka", server.ask)
        assert known.away["kafka"].why == why
    since_ms = known.away["kafka"].since_ms
    (reason,) = known.reasons()
    assert (reason.code, reason.dependency, reason.since_ms) == ("dependency_away", "kafka", since_ms)
    server.fault = None
    await watch.look("kafka", server.ask)
    assert known.up("kafka")
    gone, back = caplog.records
    assert (gone.action, gone.dependency) == ("dependency_away", "kafka")  # type: ignore[attr-defined]
    assert (back.action, back.dependency) == ("dependency_back", "kafka")  # type: ignore[attr-defined]
    assert back.seconds >= 0  # type: ignore[attr-defined]


async def test_a_bug_in_a_question_shows_and_ends_nothing() -> None:
    server, known = Server(), Dependencies()
    server.fault = KeyError("hcp:1")
    await DependencyWatch(known, {}, SystemClock()).look("redis", server.ask)
    assert known.away["redis"].why == "a bug (KeyError), see the log"

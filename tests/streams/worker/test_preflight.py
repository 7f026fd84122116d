"""The checks before a worker starts: a finding decides the exit status."""

import asyncio
import logging

import pytest

from streams.errors import NotReachable
from streams.exits import Exit
from streams.finding import Finding
from streams.worker.preflight import PATIENCE_MS, Check, preflight
from tests.streams.world import START_MS, World


def answering(*findings: Finding) -> Check:
    async def check() -> list[Finding]:
        return list(findings)

    return check


async def away() -> list[Finding]:
    raise NotReachable("the broker")


WRONG = Finding("topic events", "it is missing", "run `segue topics`")
ADVICE = Finding("the broker", "one replica", "use three", fatal=False)


async def test_advice_is_told_and_lets_the_worker_start(caplog: pytest.LogCaptureFixture) -> None:
    assert await preflight([answering(ADVICE)], World().clock, asyncio.Event()) is Exit.DONE
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [(logging.WARNING, str(ADVICE))]


async def test_a_fatal_finding_refuses_the_start_and_later_checks_are_not_asked() -> None:
    assert await preflight([answering(ADVICE, WRONG), away], World().clock, asyncio.Event()) is Exit.WRONG_INPUT


async def test_a_server_that_stays_away_is_waited_for_a_while() -> None:
    world = World()
    began_ms = world.clock.ms
    asked = asyncio.ensure_future(preflight([away], world.clock, asyncio.Event()))
    await world.until(asked.done)
    assert asked.result() is Exit.NOT_REACHABLE
    assert PATIENCE_MS < world.clock.ms - began_ms < PATIENCE_MS + 5_000


async def test_a_worker_that_is_stopped_meanwhile_waits_no_longer() -> None:
    world, ended = World(), asyncio.Event()
    asked = asyncio.ensure_future(preflight([away], world.clock, ended))
    await world.pass_time(1_000)
    ended.set()
    await asked
    assert world.clock.ms < START_MS + PATIENCE_MS

"""The runner itself: it breaks off a run that never ends."""

import asyncio
from typing import cast

import pytest

from tests.faults import runner
from tests.faults.fault import Context, Fault, Report, Size
from tests.faults.runner import Runs
from tests.faults.stage import Servers


async def _never_ends(context: Context) -> Report:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        # as a client that swallows it
        await asyncio.sleep(60)
    raise AssertionError


def test_a_run_that_has_come_to_a_stand_is_broken_off_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(runner.LIMIT_S, "once", 0.2)
    runs = Runs(cast("Servers", None), "once", 1)
    try:
        result = runs.submit(Fault("0", "never ends", _never_ends, Size(1), Size(1)), 0).result(timeout=30)
    finally:
        runs.close()
    assert "not done after 0 s" in result.error
    assert "in _never_ends" in result.error
    assert not result.violated

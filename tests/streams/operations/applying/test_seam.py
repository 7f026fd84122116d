"""Where checks and steps hang in an apply: the order, and what a refusal leaves behind."""

from collections.abc import Sequence
from typing import cast

import pytest

from streams.log.client import KafkaLog
from streams.operations import apply
from streams.operations.applying import checks, steps
from streams.operations.applying.options import Options
from streams.operations.applying.situation import Situation
from streams.operations.applying.step import StepDone
from streams.operations.applying.warning import ApplyWarning
from streams.operations.errors import WrongInput
from streams.operations.servers import Servers
from streams.settings import Deployment, Settings
from tests.streams.operations.test_apply import Log
from tests.streams.world import catalogue


class Refused(WrongInput):
    """What a check of these tests refuses with."""


async def found() -> Situation:
    servers = Servers(Deployment(partitions=1), Settings(), cast("KafkaLog", Log()))
    return await apply.look(servers, catalogue("known|enter: {everyone: true}"), Options())


async def test_checks_are_asked_in_order_until_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def warns(situation: Situation) -> Sequence[ApplyWarning]:
        asked.append("warns")
        return [ApplyWarning("odd", "this is odd")]

    async def refuses(situation: Situation) -> Sequence[ApplyWarning]:
        asked.append("refuses")
        raise Refused("not so")

    rows = [checks.Row("warns", warns), checks.Row("refuses", refuses), checks.Row("never asked", warns)]
    monkeypatch.setattr(checks, "CHECKS", rows[:1])
    assert await checks.run_checks(await found()) == (ApplyWarning("odd", "this is odd"),)
    monkeypatch.setattr(checks, "CHECKS", rows)
    with pytest.raises(Refused):
        await checks.run_checks(await found())
    assert asked == ["warns", "warns", "refuses"]


async def test_steps_are_taken_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async def first(situation: Situation) -> StepDone:
        return StepDone("first", ("done",))

    async def second(situation: Situation) -> StepDone:
        return StepDone("second", as_json={"records": 2})

    monkeypatch.setattr(steps, "STEPS", (first, second))
    done = await steps.run_steps(await found())
    assert [(each.name, each.said, dict(each.as_json)) for each in done] == [
        ("first", ("done",), {}),
        ("second", (), {"records": 2}),
    ]


async def test_nobody_named_means_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert (await found()).applied.by == "grace"

"""Platforms delete whom Segue forgot: real Kafka, real HTTP, failures, and repeats."""

import json
import logging
from collections.abc import Sequence
from random import Random

import pytest

from rules.engine.activations.change import ActivationChange
from streams.delivery.sender import Stopped
from streams.embedded import KafkaServer
from tests.streams.delivery.platform import failing, judge, running
from tests.streams.delivery.test_deliverer import QUICK, delivering, until
from tests.streams.delivery.world import Channel, changes, channel, erasures, told

pytestmark = pytest.mark.servers
DELETE = ("braze", "customerio")


@pytest.mark.parametrize("shape", DELETE)
async def test_an_erased_person_is_deleted_and_not_made_anew(
    kafka: KafkaServer, shape: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of the persons are known there when they are erased; the platform fails and repeats on the way."""
    made = changes(21, 400, 150)
    ends = erasures(made, 2)
    erased = {each.subject for each in ends}
    assert len(erased) > 30
    half = len(made) // 2
    async with channel(kafka.bootstrap) as of, running(shape, plan=failing(4, 0.3, QUICK)) as platform:
        await of.publish(made[:half])
        with caplog.at_level(logging.INFO, "streams.delivery"):
            async with delivering(platform, of) as run:
                await until(lambda: run.status.delivered == half)
                assert erased & platform.people
                platform.plan = lambda _: "503"
                await of.publish([*made[half:], *ends])
                await until(lambda: run.status.in_hand == len(made) - half + len(ends) - run.status.superseded)
                platform.plan = failing(5, 0.3, QUICK)
                await until(lambda: run.status.in_hand == 0 and run.status.erased > 0)
                await until(lambda: run.status.lag_changes == 0)
        status = run.status
        assert platform.broken == []
        assert platform.people == {each.subject for each in made} - erased
        deleted = [profile for request in platform.deletions for profile in request]
        assert set(deleted) == erased
        assert status.superseded > 0, "nothing waited when an erasure came"
        assert status.delivered + status.erased + status.superseded == len(made) + len(ends)
        assert status.refused == 0
        assert f"{status.erased:,} erased" in status.line()
        lines = [record for record in caplog.records if getattr(record, "action", "") == "erasures_told"]
        assert sum(vars(record)["count"] for record in lines) == status.erased
        assert "hcp:" not in caplog.text
        receipts = await of.receipts()
        assert await answered(of, ends) == {"accepted"}
        assert {(each.channel, each.platform, each.outcome, each.code) for each in receipts} == {
            ("email", shape, "accepted", "")
        }
        assert {each.status for each in receipts} <= {200, 201}
        assert all(each.request_id is not None and each.request_id.startswith("req-") for each in receipts)
        assert {each.host for each in receipts} == {platform.url.removeprefix("http://")}
        most = max(map(len, platform.deletions))
        assert 1 < max(each.persons for each in receipts) <= most
        # Braze says how many of them it knew: none, where an answer was lost and the deletion came again
        assert all((each.deleted is None) == (shape != "braze") for each in receipts)
        assert all(each.deleted is None or each.deleted <= each.persons for each in receipts)


def erasure_of(change: ActivationChange) -> str:
    """Return the erasure that a change tells of."""
    [erasure] = json.loads(change.value)["reason"]["events"]
    return str(erasure)


async def answered(of: Channel, ends: Sequence[ActivationChange]) -> set[str]:
    """See that each change of an erasure has a receipt of its own erasure; return the outcomes."""
    erasure_at = {}
    for record in await of.records(of.topic):
        change = json.loads(record.value)
        if change["reason"]["kind"] == "erased":
            # an aborted transaction has written it before
            [erasure_at[record.partition, record.offset]] = change["reason"]["events"]
    receipts = await of.receipts()
    told = {(each.partition, offset): each.erasure for each in receipts for offset in each.offsets}
    assert told.items() <= erasure_at.items()
    committed = {erasure_of(each) for each in ends}
    assert {each.erasure for each in receipts} == committed
    assert len(told) == len(ends)
    return {each.outcome for each in receipts}


async def test_braze_deletes_fifty_in_a_request_where_a_plan_takes_more_changes(kafka: KafkaServer) -> None:
    made = changes(22, 600, 3_000)
    ends = erasures(made, 1)
    async with channel(kafka.bootstrap) as of, running("braze", changes_max=150, delay_s=0.05) as platform:
        await of.publish(made)
        async with delivering(platform, of, changes_max=75, concurrency=1) as run:
            await until(lambda: run.status.delivered == len(made))
            await of.publish(ends, per_transaction=1_000)
            await until(lambda: run.status.in_hand == 0 and run.status.lag_changes == 0 and run.status.erased > 100)
        assert platform.broken == []
        assert platform.people == {each.subject for each in made} - {each.subject for each in ends}
        assert max(map(len, platform.deletions)) == 50


@pytest.mark.parametrize("shape", DELETE)
async def test_a_refused_deletion_is_a_dead_letter_of_its_own_person(kafka: KafkaServer, shape: str) -> None:
    made = changes(23, 200, 400)
    ends = erasures(made, 1)
    bad = Random(1).choice(ends).subject
    async with channel(kafka.bootstrap) as of, running(shape, refuses_to_delete=lambda each: each == bad) as platform:
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
            await of.publish(ends)
            await until(lambda: run.status.lag_changes == 0 and run.status.refused > 0)
        assert platform.people & {each.subject for each in ends} == {bad}
        assert {(key or b"").decode() for key, _, _ in await of.dead_letters()} == {bad}
        assert await answered(of, ends) == {"accepted", "refused"}
        refused = [each for each in await of.receipts() if each.outcome == "refused"]
        theirs = {erasure_of(each) for each in ends if each.subject == bad}
        assert {each.erasure for each in refused} == theirs
        assert {each.code for each in refused} == {"item_refused"}
        assert all(each.status in (200, 201, 207, 400) for each in refused)
        assert run.status.erasures_refused == run.status.refused > 0
        assert "of the refused are erasures" in run.status.line()


async def test_a_key_that_may_not_delete_is_named_with_the_path(kafka: KafkaServer) -> None:
    made = changes(24, 20, 10)
    async with channel(kafka.bootstrap) as of, running("braze") as platform:
        await of.publish(made)
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered == len(made))
        platform.says = 401
        await of.publish(erasures(made, 1))
        with pytest.raises(Stopped, match=r"/users/delete: it refuses the credentials \(HTTP 401"):
            async with delivering(platform, of) as run:
                await run.task
        assert await of.dead_letters() == []
        assert await of.receipts() == []


async def test_an_endpoint_of_ones_own_hears_every_change_and_the_reason(kafka: KafkaServer) -> None:
    made = changes(25, 200, 60)
    ends = erasures(made, 2)
    async with channel(kafka.bootstrap) as of, running("standard", plan=failing(6, 0.2, QUICK)) as platform:
        await of.publish([*made, *ends])
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered + run.status.erased == len(made) + len(ends))
        judge(platform, told([*made, *ends]))
        assert (run.status.erased, run.status.superseded) == (len(ends), 0)
        assert await answered(of, ends) == {"accepted"}
        of_end = {each.id for each in ends}
        assert {each.id for each in platform.taken if '"kind": "erased"' in each.payload} == of_end

"""Platforms delete whom Segue forgot: real Kafka, real HTTP, failures, and repeats."""

import logging
from random import Random

import pytest

from streams.delivery.sender import Stopped
from streams.embedded import KafkaServer
from tests.streams.delivery.platform import failing, judge, running
from tests.streams.delivery.test_deliverer import QUICK, delivering, until
from tests.streams.delivery.world import changes, channel, erasures, told

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


async def test_an_endpoint_of_ones_own_hears_every_change_and_the_reason(kafka: KafkaServer) -> None:
    made = changes(25, 200, 60)
    ends = erasures(made, 2)
    async with channel(kafka.bootstrap) as of, running("standard", plan=failing(6, 0.2, QUICK)) as platform:
        await of.publish([*made, *ends])
        async with delivering(platform, of) as run:
            await until(lambda: run.status.delivered + run.status.erased == len(made) + len(ends))
        judge(platform, told([*made, *ends]))
        assert (run.status.erased, run.status.superseded) == (len(ends), 0)
        of_end = {each.id for each in ends}
        assert {each.id for each in platform.taken if '"kind": "erased"' in each.payload} == of_end

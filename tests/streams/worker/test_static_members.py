"""Workers with names (SEGUE_GROUP_INSTANCE_ID): one comes back after kill -9, one leaves, one has a double."""

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.servers import unique
from tests.streams.live import Live, WorkerProcess, live, wait_for
from tests.streams.world import catalogue

pytestmark = pytest.mark.servers

RULES = catalogue(
    "visitors|enter: {event: portal.login, count: {at_least: 2}, within: 2s}", "known|enter: {everyone: true}"
)


@pytest.fixture
async def running(kafka: KafkaServer, valkey: ValkeyServer) -> AsyncIterator[Live]:
    """Return a deployment of four partitions; its group waits 30 s for a silent worker."""
    async with live(unique("static"), kafka.bootstrap, valkey.redis_url, session_timeout_ms=30_000) as found:
        await found.apply(RULES)
        yield found


def held(worker: WorkerProcess) -> set[int]:
    """Return the partitions that a worker runs; none before it is ready."""
    found = worker.status()
    return {each["partition"] for each in found["partitions"]} if found and found["ready"] else set()


def rebalances(worker: WorkerProcess) -> int:
    found = worker.status()
    assert found is not None
    return int(found["rebalances"])


async def traffic(running: Live, events: int) -> None:
    people = itertools.cycle(f"hcp:{n}" for n in range(100))
    for n in range(events):
        await running.send(next(people))
        if n % 20 == 0:
            await asyncio.sleep(0.01)
    await running.producer.flush()


async def settled(running: Live) -> bool:
    return await running.out() == await running.expected(RULES)


async def test_a_killed_worker_that_comes_back_under_its_name_moves_no_other_and_loses_nothing(running: Live) -> None:
    stays = running.start_worker(group_instance_id="segue-0")
    goes = running.start_worker(group_instance_id="segue-1")
    await wait_for(lambda: len(held(stays)) == len(held(goes)) == 2)
    before, its = rebalances(stays), held(goes)
    sending = asyncio.ensure_future(traffic(running, 1_500))
    await asyncio.sleep(0.2)
    goes.kill()
    back = running.start_worker(group_instance_id="segue-1")
    await wait_for(lambda: held(back) == its, limit_s=28)
    await sending
    await wait_for(lambda: settled(running))
    assert rebalances(stays) == before


async def test_a_worker_that_stops_leaves_its_partitions_to_the_others_before_its_session_ends(running: Live) -> None:
    stays = running.start_worker(group_instance_id="segue-0")
    goes = running.start_worker(group_instance_id="segue-1")
    await wait_for(lambda: len(held(stays)) == len(held(goes)) == 2)
    assert await asyncio.to_thread(goes.stop) == 0
    await wait_for(lambda: len(held(stays)) == 4, limit_s=20)
    await traffic(running, 100)
    await wait_for(lambda: settled(running))


async def test_a_second_worker_under_the_same_name_ends_the_first_in_one_sentence(
    running: Live, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    with said.open("wb") as stderr:
        command = (sys.executable, "-W", "ignore", "-m", "streams.cli", "worker")
        named = {**running.environment, "SEGUE_GROUP_INSTANCE_ID": "segue-0", "SEGUE_WEB_PORT": "0"}
        first = await asyncio.create_subprocess_exec(*command, env=named, stderr=stderr)
    try:
        await wait_for(lambda: b"given 4 partitions" in said.read_bytes())
        second = running.start_worker(group_instance_id="segue-0")
        async with asyncio.timeout(30):
            assert await first.wait() == 1
    finally:
        if first.returncode is None:
            first.kill()
            await first.wait()
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    errors = [line for line in lines if line["level"] == "error" and line["logger"].startswith("streams.")]
    assert [line["message"] for line in errors] == [
        "the worker ends: another worker has joined the group as 'segue-0': give each worker its own "
        "SEGUE_GROUP_INSTANCE_ID"
    ]
    await wait_for(lambda: len(held(second)) == 4)
    await traffic(running, 200)
    await wait_for(lambda: settled(running))

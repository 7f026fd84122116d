"""Workers on real Kafka and Valkey: shared partitions, kill -9, a clean stop. The records alone decide the output."""

import asyncio
import itertools
import socket

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.servers import running_kafka, running_valkey, unique
from tests.streams.live import Live, live, wait_for
from tests.streams.world import catalogue

pytestmark = pytest.mark.servers

VISITORS = "visitors|enter: {event: portal.login, count: {at_least: 2}, within: 2s}"
KNOWN = "known|enter: {everyone: true}"


async def settled(running: Live, *catalogues: object) -> bool:
    """Tell whether all expected changes have been published."""
    return await running.out() == await running.expected(*catalogues)  # type: ignore[arg-type]


async def test_two_workers_one_killed_and_nothing_is_lost_or_repeated(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    rules = catalogue(VISITORS, KNOWN)
    async with live(unique("kill"), kafka.bootstrap, valkey.redis_url) as running:
        await running.apply(rules)
        first, second = running.start_worker(), running.start_worker()

        def shares() -> bool:
            found = [worker.status() for worker in (first, second)]
            return all(one is not None and one["ready"] and len(one["partitions"]) == 2 for one in found)

        await wait_for(shares)
        people = itertools.cycle(f"hcp:{n}" for n in range(200))
        for n in range(4_000):
            await running.send(next(people))
            if n == 2_000:
                first.kill()
            if n % 20 == 0:
                await asyncio.sleep(0.01)
        await running.producer.flush()

        def replaced() -> bool:
            found = second.status()
            return found is not None and found["ready"] and len(found["partitions"]) == 4

        await wait_for(replaced)
        await wait_for(lambda: settled(running, rules))
        assert sum(map(len, (await running.out()).values())) >= 400
        assert second.stop() == 0


async def test_a_clean_stop_leaves_everything_written_and_the_next_begins_there(
    kafka: KafkaServer, valkey: ValkeyServer
) -> None:
    rules = catalogue(KNOWN)
    async with live(unique("stop"), kafka.bootstrap, valkey.redis_url) as running:
        await running.apply(rules)
        first = running.start_worker()
        for n in range(100):
            await running.send(f"hcp:{n}")
        await running.producer.flush()
        await wait_for(lambda: settled(running, rules))
        assert first.stop() == 0
        second = running.start_worker()
        await wait_for(lambda: (second.status() or {}).get("ready"))
        found = second.status()
        assert found is not None
        assert found["replays"] == 0
        assert found["events"] == 0
        await running.send("hcp:new")
        await wait_for(lambda: settled(running, rules))
        assert second.stop() == 0


async def test_a_taken_web_port_is_a_wrong_setting(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    async with live(unique("port"), kafka.bootstrap, valkey.redis_url) as running:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            worker = running.start_worker(web_port=taken.getsockname()[1])
            assert await asyncio.to_thread(worker.process.wait, 60) == 1


@pytest.mark.slow
async def test_servers_that_die_and_come_back_change_nothing() -> None:
    rules = catalogue(VISITORS, KNOWN)
    with running_kafka() as kafka, running_valkey(appendonly=True) as valkey:
        async with live(unique("away"), kafka.bootstrap, valkey.redis_url) as running:
            await running.apply(rules)
            worker = running.start_worker()
            await wait_for(lambda: (worker.status() or {}).get("ready"))
            people = itertools.cycle(f"hcp:{n}" for n in range(100))

            async def traffic() -> None:
                for _ in range(1_000):
                    await running.send(next(people))
                await running.producer.flush()

            await traffic()
            valkey.kill()
            await traffic()
            await wait_for(lambda: not (worker.status() or {"ready": True})["ready"])
            valkey.restart()
            await wait_for(lambda: settled(running, rules))
            for server in (kafka, valkey):
                server.kill()
                await asyncio.sleep(1)
                server.restart()
                await traffic()
                await wait_for(lambda: settled(running, rules))
            await wait_for(lambda: (worker.status() or {}).get("ready"))
            found = worker.status()
            assert found is not None
            assert found["incidents"] == 0
            assert worker.stop() == 0

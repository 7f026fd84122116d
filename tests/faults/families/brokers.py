"""Faults 6, 11b, 21, 23: a broker that is away, EndTxns that go astray, refused batches, a long read-back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.embedded import KafkaServer
from tests.faults.fault import Context, Report
from tests.faults.proxy import Direction, Fate, Proxy, api_key
from tests.faults.reading import read_all
from tests.faults.stage import Run, deployment, store
from tests.faults.traffic import Mix

MIX: Final = Mix(people=120, per_second=120)
END_TXN: Final = 26


async def broker_away(context: Context) -> Report:
    """Fault 6: the broker is killed and comes back, at once or after a while."""
    kafka = context.servers.kafka
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        for n in range(context.size.times):
            await run.start_traffic()
            await asyncio.sleep(run.rng.uniform(2, 4))
            away_s = 0.0 if n % 2 == 0 else float(context.size.events)
            context.say(f"broker away for {away_s:.0f} s")
            stopping = asyncio.ensure_future(run.stop_traffic())
            await asyncio.to_thread(kafka.kill)
            await asyncio.sleep(away_s)
            await asyncio.to_thread(kafka.restart)
            await stopping
            await run.start_traffic()
            await asyncio.sleep(3)
            await run.stop_traffic()
            await run.settle()
        run.notes["restarts"] = context.size.times
        return Report(await run.finish(), run.notes)


@asynccontextmanager
async def proxied(context: Context) -> AsyncIterator[tuple[KafkaServer, Proxy]]:
    """Have a Kafka of its own whose clients all come through a proxy that knows its frames."""
    async with Proxy(("127.0.0.1", 1), frames=True) as proxy:
        advertised = {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{proxy.port}"}
        kafka = KafkaServer(settings=advertised, remove=context.servers.folder)
        try:
            await asyncio.to_thread(kafka.start, context.servers.folder / f"kafka-{proxy.port}")
            proxy.target = ("127.0.0.1", kafka.port)
            yield kafka, proxy
        finally:
            await asyncio.to_thread(kafka.kill)


async def end_goes_astray(context: Context) -> Report:
    """Faults 11b and 21: EndTxn applied with its reply lost, never delivered, or held and delivered later.

    Every third time its sender is killed too.
    """
    async with proxied(context) as (kafka, proxy):
        valkey = context.stack.enter_context(store(context.servers.folder))
        settings: dict[str, object] = {"request_timeout_ms": 2_000}
        async with deployment(context.servers, valkey, context.seed, kafka=kafka, mix=MIX, settings=settings) as run:
            fate: Fate = "pass"

            def judge(direction: Direction, piece: bytes) -> tuple[Fate, float]:
                nonlocal fate
                if fate != "pass" and direction == "request" and api_key(piece) == END_TXN:
                    befalls, fate = fate, "pass"
                    return befalls, 0.0
                return "pass", 0.0

            proxy.judge = judge
            run.worker(mutation=context.mutation)
            run.worker(mutation=context.mutation)
            await run.ready(*run.alive)
            await run.start_traffic()
            fates: tuple[Fate, ...] = ("mute", "lose", "hold")
            for n in range(context.size.times):
                before = sum(proxy.fates.values())
                fate = fates[n % 3]
                context.say(f"EndTxn {n + 1} of {context.size.times}: {fate}")

                async def befell(before: int = before) -> bool:
                    return sum(proxy.fates.values()) > before

                await run.until(befell, "an EndTxn", every_s=0.02)
                if run.rng.random() < 0.34:
                    run.rng.choice(run.alive).kill()
                    run.worker(mutation=context.mutation)
                if proxy.held:
                    await asyncio.sleep(run.rng.choice([0.0, 0.3, 3.0]))
                    await proxy.held.pop().deliver()
                await asyncio.sleep(run.rng.uniform(0.5, 2))
            await run.stop_traffic()
            run.notes |= proxy.fates
            return Report(await run.finish(), run.notes)


async def batch_refused(context: Context) -> Report:
    """Fault 11b: the output topic takes no batch for a while: nothing of the transaction may be committed."""
    kafka = context.servers.kafka
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        for _ in range(context.size.times):
            await asyncio.sleep(run.rng.uniform(1, 2))
            # the membership topic refuses every batch, the topic of progress takes them
            await _configure(kafka, run.names.membership, "100")
            await asyncio.sleep(run.rng.uniform(2, 4))
            await _configure(kafka, run.names.membership, "1048588")
            await run.until(lambda: _ready(run), "the worker to go on")
        await run.stop_traffic()
        run.notes["refusals"] = context.size.times
        return Report(await run.finish(), run.notes)


async def _ready(run: Run) -> bool:
    statuses = [await worker.ask() for worker in run.alive]
    return all(one is not None and one["ready"] for one in statuses)


async def _configure(kafka: KafkaServer, topic: str, size: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC,
                    topic,
                    configs={"max.message.bytes": size, "cleanup.policy": "delete"},
                )
            ]
        )
    finally:
        await admin.close()


async def long_progress(context: Context) -> Report:
    """Fault 23: a claim where `segue.progress` holds many records; reports the seconds until the worker is ready."""
    kafka = context.servers.kafka
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, partitions=1, mix=MIX) as run:
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.send(200)
        await run.settle()
        assert await worker.stop() == 0
        topic = run.environment["SEGUE_PROGRESS_TOPIC"]
        last: Any = next(iter((await read_all(kafka.bootstrap, [topic], 1)).values()))[-1]
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20, max_batch_size=900_000)
        await producer.start()
        for _ in range(0, context.size.events, 1_000):
            waiting = [await producer.send(topic, last.value, key=last.key, partition=0) for _ in range(1_000)]
            await asyncio.gather(*waiting)
        await producer.stop()
        began_s = time.monotonic()
        await run.ready(run.worker())
        run.notes |= {"progress records": context.size.events, "ready after s": round(time.monotonic() - began_s, 1)}
        await run.send(200)
        with contextlib.suppress(KeyError):
            run.notes.pop("rings")
        return Report(await run.finish(), run.notes)

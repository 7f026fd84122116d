"""Faults 6, 11b, 21, 23: a broker that is away, EndTxns that go astray, refused batches, a long read-back."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.embedded import KafkaServer
from tests.faults.families.doors import door, proxied
from tests.faults.fault import Context, Report
from tests.faults.proxy import END_TXN, PRODUCE, Direction, Fate, api_key, transactional_id
from tests.faults.reading import Observer, read_all
from tests.faults.stage import Run, WorkerProcess, deployment, own_kafka, store
from tests.faults.traffic import Mix

MIX: Final = Mix(people=120, per_second=120)
LARGEST: Final = "8388608"
"""As `segue topics` sets it: a worker that starts looks."""
AT_ONCE: Final = 200
"""Batches in flight together."""


async def broker_away(context: Context) -> Report:
    """Fault 6: the broker is killed and comes back, at once or later; then a worker is stopped while it is away."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    kafka = await context.stack.enter_async_context(own_kafka(context.servers))
    async with deployment(context.servers, valkey, context.seed, kafka=kafka, mix=MIX) as run:
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        for n in range(context.size.times):
            await run.start_traffic()
            await asyncio.sleep(run.rng.uniform(2, 4))
            away_s = 0.0 if n % 2 == 0 else context.size.seconds
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
        run.notes |= {"restarts": context.size.times, "away s": context.size.seconds}
        await run.start_traffic()
        await asyncio.sleep(1)
        stopping = asyncio.ensure_future(run.stop_traffic())
        await asyncio.to_thread(kafka.kill)
        await _stop_without(run, context.alone)
        await asyncio.to_thread(kafka.restart)
        await stopping
        return Report(await run.finish(), run.notes)


async def _stop_without(run: Run, alone: bool) -> None:
    """Stop a worker that reaches no server: it still ends in order and in time."""
    one = run.alive[0]
    began_s = time.monotonic()
    assert await one.stop() == 0, one.said()
    took_s = time.monotonic() - began_s
    assert took_s < (10.5 if alone else 30), f"it took {took_s:.1f} s to stop\n{one.said()}"
    assert "Traceback" not in one.log.read_text(), one.said()
    run.notes["stopped without a broker in s"] = round(took_s, 1)


@dataclass(frozen=True)
class Trouble:
    """A fault of one request of a transaction."""

    fate: Fate
    api: int = END_TXN
    kill: bool = False
    """Whether a worker is killed right afterwards."""


ASTRAY: Final = {
    "reply lost, killed": Trouble("mute", kill=True),
    "never delivered, killed": Trouble("lose", kill=True),
    "held": Trouble("hold"),
}
"""Fault 21."""
WRONG: Final = {
    "EndTxn late": Trouble("hold"),
    "EndTxn twice": Trouble("repeat"),
    "reply lost": Trouble("mute"),
    "batch spoilt": Trouble("spoil", PRODUCE),
    "batch too large": Trouble("pass"),
}
"""Fault 11b. A batch too large for its topic needs no proxy: the topic's limit is lowered."""


async def end_goes_astray(context: Context) -> Report:
    """Fault 21: EndTxn applied with its reply lost, or never delivered, and a worker killed; or held, then late.

    Late is also when the workers have published again since.
    """
    return await troubled(context, ASTRAY)


async def transaction_goes_wrong(context: Context) -> Report:
    """Fault 11b: an EndTxn late, repeated or without its reply; a batch refused or too large."""
    return await troubled(context, WRONG)


async def troubled(context: Context, troubles: Mapping[str, Trouble], mix: Mix = MIX) -> Report:
    """Let troubles befall the transactions of two workers, one after the other."""
    kafka, proxy = await context.stack.enter_async_context(proxied(context))
    valkey = context.stack.enter_context(store(context.servers.folder))
    settings: dict[str, object] = {"request_timeout_ms": 2_000}
    async with deployment(
        context.servers, valkey, context.seed, kafka=kafka, bootstrap=door(proxy), mix=mix, settings=settings
    ) as run:
        judge = _Judge(EFFECT if mix.links else b"")
        proxy.judge = judge
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.start_traffic()
        names = list(troubles)
        for n in range(context.size.times):
            name = names[(context.seed + n) % len(names)]
            context.say(f"{n + 1} of {context.size.times}: {name}")
            run.notes[name] = run.notes.get(name, 0) + 1
            trouble = troubles[name]
            if trouble.fate == "pass":
                await _refuse_batches(run, kafka)
                continue
            judge.armed = trouble
            await run.until(judge.done, "it to happen", every_s=0.02)
            if trouble.kill:
                await asyncio.sleep(run.rng.choice([0.0, 0.1]))
                run.rng.choice(run.alive).kill()
                run.worker(mutation=context.mutation)
            if trouble.fate == "hold":
                await _some_time(run)
                await proxy.held.pop().deliver()
            await asyncio.sleep(run.rng.uniform(0.5, 2))
        await run.stop_traffic()
        counted = await run.finish()
        if mix.links:
            run.notes |= {"effects": counted.effects, "entered for a link": counted.merged}
            run.require("links", "effects", "entered for a link")
        return Report(counted, run.notes)


EFFECT: Final = b'"type":"segue.fact'
"""In the batch of a transaction that holds an effect of a link, or of a fact of an alias."""


class _Judge:
    """Lets everything pass but the next request that a fault is meant for.

    `held`: what a transaction must hold to be meant; empty: any is.
    """

    def __init__(self, held: bytes) -> None:
        self.armed: Trouble | None = None
        self._held: Final = held
        self._holding: set[bytes] = set()
        """The ids of the open transactions that hold it."""

    def __call__(self, direction: Direction, piece: bytes) -> tuple[Fate, float]:
        if direction != "request" or (api := api_key(piece)) not in (PRODUCE, END_TXN):
            return "pass", 0.0
        meant = not self._held
        if self._held:
            name = transactional_id(piece)
            meant = self._held in piece if api == PRODUCE else name in self._holding
            if meant and api == PRODUCE:
                self._holding.add(name)
            elif api == END_TXN:
                self._holding.discard(name)
        if self.armed is None or not meant or api != self.armed.api:
            return "pass", 0.0
        befalls, self.armed = self.armed.fate, None
        return befalls, 0.0

    async def done(self) -> bool:
        """Whether the fault has happened."""
        return self.armed is None


async def _some_time(run: Run) -> None:
    """Wait not at all, for a moment, or until new changes are published."""
    wait_s = run.rng.choice([0.0, 0.3, None])
    if wait_s is not None:
        await asyncio.sleep(wait_s)
        return
    before = await _changes(run)

    async def more() -> bool:
        return await _changes(run) > before

    await run.until(more, "the workers to publish again")


async def _changes(run: Run) -> int:
    return sum(len(found) for tp, found in run.observer.found.items() if tp.topic == run.names.membership)


async def _refuse_batches(run: Run, kafka: KafkaServer) -> None:
    # the membership topic refuses every batch, the topic of progress takes them
    await _configure(kafka, run.names.membership, "100")
    await asyncio.sleep(run.rng.uniform(2, 4))
    await _configure(kafka, run.names.membership, LARGEST)
    await run.until(lambda: _ready(run), "the worker to go on")


async def batch_refused(context: Context) -> Report:
    """Fault 11b alone: the output topic takes no batch for a while; no part of the transaction may be committed."""
    kafka = context.servers.kafka
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        for _ in range(context.size.times):
            await asyncio.sleep(run.rng.uniform(1, 2))
            await _refuse_batches(run, kafka)
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
    """Fault 23: a claim with many records in `segue.progress`; reports the seconds until the worker is ready.

    They are copies of the last one, and nobody reads them all: what comes out after them is held to `segue verify`.
    """
    kafka = context.servers.kafka
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, partitions=1, mix=MIX) as run:
        await run.ready(run.worker(mutation=context.mutation))
        await run.send(200)
        counted = await run.finish()
        await run.observer.__aexit__(None, None, None)
        run.observer = Observer(run.names.bootstrap, run.names.topics, run.names.partitions)
        topic = run.names.progress
        last: Any = next(iter((await read_all(kafka.bootstrap, [topic], 1)).values()))[-1]
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap)
        await producer.start()
        try:
            await _fill(context, producer, topic, last)
        finally:
            await producer.stop()
        began_s = time.monotonic()
        worker = run.worker()
        await run.ready(worker)
        run.notes |= {"progress records": context.size.events, "ready after s": round(time.monotonic() - began_s, 1)}
        await run.send(200)
        await run.until(lambda: _caught_up(worker), "the worker to publish")
        assert await worker.stop() == 0
        await run.segue("verify")
        return Report(counted, run.notes)


async def _fill(context: Context, producer: Any, topic: str, last: Any) -> None:
    """Append copies of a record, in whole batches."""
    left, going = context.size.events, set()
    while left > 0:
        batch = producer.create_batch()
        while left > 0 and batch.append(key=last.key, value=last.value, timestamp=last.timestamp) is not None:
            left -= 1
        batch.close()
        going.add(await producer.send_batch(batch, topic, partition=0))
        if len(going) >= AT_ONCE:
            _, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
            context.say(f"{left:,} to append")
    await asyncio.gather(*going)


async def _caught_up(worker: WorkerProcess) -> bool:
    status = await worker.ask()
    return status is not None and all(one["published_offset"] == one["end_offset"] for one in status["partitions"])

"""Fault 18: a partition handed over in order while the markers of `segue.progress` are still on their way.

There are two brokers. The first leads everything but `segue.progress`, coordinates transactions and groups, and is the
controller. The second leads only `segue.progress`. A proxy sees what the first sends to the second. It holds back the
markers (WriteTxnMarkers) while clients read and write there as usual, or it pauses the second broker before the markers
arrive. EndTxn is answered all the same, and the ring's next producer writes the tombstone. So the next owner finds no
claim to fence, and must wait for the high watermark of progress.
"""

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from streams.embedded import KafkaServer
from streams.embedded.kafka import formatted
from streams.embedded.server import LOOPBACK, free_port
from streams.settings import Deployment
from streams.wire.topics import activation_topics, topics
from tests.faults.catalogues import CHANNELS
from tests.faults.fault import Context, Report
from tests.faults.proxy import WRITE_TXN_MARKERS, Direction, Fate, Proxy, api_key
from tests.faults.stage import Run, deployment, store
from tests.faults.traffic import Mix, Traffic

MIX: Final = Mix(people=120, per_second=120)
HELD_S: Final = (3.0, 6.0)
"""How long the markers take."""


@dataclass
class Brokers:
    """Both brokers, and the proxy before the second."""

    first: KafkaServer
    second: KafkaServer
    proxy: Proxy
    stands_still: bool = False
    """Whether the second broker is paused when the next markers come; otherwise only they wait."""
    armed: bool = False
    held: int = 0
    """How many markers have come since."""
    arrive_s: float = 0.0
    """When they may arrive, or the second broker resumes (steady clock)."""

    def judge(self, direction: Direction, piece: bytes) -> tuple[Fate, float]:
        if direction != "request" or api_key(piece) != WRITE_TXN_MARKERS or not self.armed:
            return "pass", 0.0
        self.held += 1
        if not self.stands_still:
            return "pass", max(0.0, self.arrive_s - time.monotonic())
        if self.held == 1:
            self.second.pause()
            asyncio.get_running_loop().call_later(self.arrive_s - time.monotonic(), self.second.resume)
        return "pass", 0.0


@asynccontextmanager
async def two_brokers(context: Context) -> AsyncIterator[Brokers]:
    """Start them."""
    folder = context.servers.folder / f"cluster-{secrets.token_hex(4)}"
    async with Proxy((LOOPBACK, 1), frames=True) as proxy:
        own, inner, controller, own2, inner2 = (free_port() for _ in range(5))
        both = {
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "INNER",
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        }
        first = KafkaServer(
            settings={
                **both,
                "listeners": f"{_at('PLAINTEXT', own)},{_at('INNER', inner)},{_at('CONTROLLER', controller)}",
                "advertised.listeners": f"{_at('PLAINTEXT', own)},{_at('INNER', inner)}",
            },
            remove=context.servers.folder,
        )
        second = KafkaServer(
            settings={
                **both,
                "process.roles": "broker",
                "node.id": "2",
                "listeners": f"{_at('PLAINTEXT', own2)},{_at('INNER', inner2)}",
                "advertised.listeners": f"{_at('PLAINTEXT', own2)},{_at('INNER', proxy.port)}",
            },
            remove=context.servers.folder,
        )
        brokers = Brokers(first, second, proxy)
        proxy.target, proxy.judge = (LOOPBACK, inner2), brokers.judge
        try:
            await asyncio.to_thread(first.start, folder / "first", own)
            await _settle_in(first)
            _format(folder / "second" / "data")
            await asyncio.to_thread(second.start, folder / "second", own2)
            yield brokers
        finally:
            await asyncio.to_thread(second.kill)
            await asyncio.to_thread(first.kill)


def _at(name: str, port: int) -> str:
    return f"{name}://{LOOPBACK}:{port}"


def _format(data: Path) -> None:
    """Make the folder of a broker with another number."""
    data.parent.mkdir(parents=True)
    shutil.copytree(formatted(), data)
    lines = (data / "meta.properties").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("node.id", "directory.id"))]
    (data / "meta.properties").write_text("\n".join([*kept, "node.id=2"]) + "\n")


async def _settle_in(first: KafkaServer) -> None:
    """Let the brokers make their own topics while there is only one broker."""
    producer = AIOKafkaProducer(bootstrap_servers=first.bootstrap, transactional_id="first")
    await producer.start()
    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=first.bootstrap)
    await admin.start()
    try:
        for _ in range(300):
            # this makes the topic of groups, which takes a moment
            with contextlib.suppress(KafkaError):
                await admin.find_coordinator("first")
                break
            await asyncio.sleep(0.1)
    finally:
        await admin.close()


async def _place(run: Run) -> None:
    """Make the topics: `segue.progress` on the second broker, all others on the first."""
    admin = AIOKafkaAdminClient(bootstrap_servers=run.names.bootstrap)
    await admin.start()
    try:
        names = {name.removeprefix("SEGUE_").lower(): value for name, value in run.environment.items()}
        fixed: dict[str, Any] = {name: value for name, value in names.items() if name in Deployment.model_fields}
        of = Deployment(**fixed)
        new = [
            NewTopic(
                each.name,
                -1,
                -1,
                {n: [2 if each.role == "progress" else 1] for n in range(each.partitions)},
                dict(each.configs),
            )
            for each in (*topics(of), *activation_topics(of, CHANNELS))
        ]
        answer = await admin.create_topics(new)
        assert not any(code for _, code, *_ in answer.topic_errors), answer
    finally:
        await admin.close()


async def handed_over_while_markers_wait(context: Context) -> Report:
    """Fault 18. In turn, the second broker is paused, or only the markers wait."""
    brokers = await context.stack.enter_async_context(two_brokers(context))
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(
        context.servers, valkey, context.seed, kafka=brokers.first, mix=MIX, before=_place, settings={"ring_size": 3}
    ) as run:
        leaving = run.worker(mutation=context.mutation)
        staying = run.worker(mutation=context.mutation)
        await run.ready(leaving, staying)
        for n in range(context.size.times):
            await run.send(240)
            await run.settle()
            brokers.stands_still = (context.seed + n) % 2 == 1
            what = "the leader stands still" if brokers.stands_still else "markers wait"
            context.say(f"{n + 1} of {context.size.times}: {what}")
            await _send(run, 12, brokers)

            async def held() -> bool:
                return brokers.held > 0

            await run.until(held, "markers on their way", every_s=0.02)
            began_s = time.monotonic()
            status = await leaving.stop()
            assert status == 0, leaving.said()
            in_order = "the ring of producers is over" not in leaving.said()
            name = "handed over in order" if in_order else "left in doubt"
            run.notes[name] = run.notes.get(name, 0) + 1
            leaving, staying = staying, run.worker(mutation=context.mutation)
            brokers.armed = False
            await run.ready(leaving, staying)
            longest_s = round(time.monotonic() - began_s, 1)
            run.notes["taken over within s"] = max(run.notes.get("taken over within s", 0), longest_s)
        return Report(await run.finish(), run.notes)


async def _send(run: Run, count: int, brokers: Brokers) -> None:
    """Send some events; the progress of the last ones waits for its markers."""
    traffic = Traffic(run.names.bootstrap, run.names.events, run.rng, MIX)

    def on_sent(sent: int) -> None:
        if sent == count:
            brokers.held, brokers.armed = 0, True
            brokers.arrive_s = time.monotonic() + run.rng.uniform(*HELD_S)

    traffic.on_sent = on_sent
    await traffic.run(count)

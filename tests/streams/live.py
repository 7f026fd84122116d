"""A live deployment on real servers: topics, meta, a catalogue, workers as processes, and the output."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.stored import catalogue_json
from rules.engine.change import AnyChange
from rules.engine.outcome import whole
from rules.engine.partition import Partition
from rules.engine.record import Record
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.intake.decoding import decoder_of
from streams.log.admin import connected
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.operations.provision import create_or_verify
from streams.settings import Deployment, Settings
from streams.store.access import RedisConnection
from streams.store.redis import RedisStore
from streams.wire.maker import RecordMaker
from tests.tied import tied

ROOT = Path(__file__).parents[2]


@dataclass
class WorkerProcess:
    """A worker in a process of its own."""

    process: "subprocess.Popen[bytes]"
    port: int

    def status(self) -> dict[str, Any] | None:
        """Return what /status says; None: nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return None

    async def ready(self) -> tuple[int, Any]:
        """Return the status and the JSON of /ready; (0, None): nobody answers."""

        def ask() -> tuple[int, Any]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=2) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
            except OSError:
                return 0, None

        return await asyncio.to_thread(ask)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@dataclass
class Live:
    """One deployment, with names of its own."""

    deployment: Deployment
    settings: Settings
    producer: AIOKafkaProducer
    sent: int = 0
    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        values = {**self.deployment.model_dump(), **self.settings.model_dump()}
        return {f"SEGUE_{name.upper()}": str(value) for name, value in values.items() if value is not None}

    def start_worker(self, log: Path | None = None, **settings: object) -> WorkerProcess:
        """Start a worker on a free port. `log`: the file that its standard error goes to."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        more = {f"SEGUE_{name.upper()}": str(value) for name, value in settings.items()}
        with nullcontext() if log is None else log.open("ab") as file:
            process = subprocess.Popen(
                tied([sys.executable, "-W", "ignore", "-m", "streams.cli", "worker"]),
                cwd=ROOT,
                env={**os.environ, **self.environment, "SEGUE_WEB_PORT": str(port), "SEGUE_METRICS_PORT": "0", **more},
                stderr=file,
            )
        worker = WorkerProcess(process, port)
        self.workers.append(worker)
        return worker

    async def apply(self, catalogue: Catalogue) -> None:
        """Store a catalogue and write its cut into every partition, which is all that a worker sees of an apply."""
        await self.producer.send_and_wait(
            self.deployment.catalogues_topic, catalogue_json(catalogue), key=catalogue.hash.encode(), partition=0
        )
        wire = RecordMaker(self.deployment)
        for partition in range(self.deployment.partitions):
            cut = wire.catalogue(partition, catalogue.hash)
            await self.producer.send_and_wait(cut.topic, cut.value, partition=partition, headers=list(cut.headers))

    async def send(self, subject: str, type_: str = "portal.login", data: Mapping[str, str] | None = None) -> None:
        """Send an event, now."""
        self.sent += 1
        event = {
            "specversion": "1.0",
            "id": f"e{self.sent}",
            "source": "/test",
            "type": type_,
            "subject": subject,
            "time": format_instant(SystemClock().wall_ms()),
            "data": dict(data or {}),
        }
        key = subject.encode()
        await self.producer.send(
            self.deployment.events_topic,
            json.dumps(event).encode(),
            key=key,
            partition=partition_of(key, self.deployment.partitions),
        )

    async def read(self, topic: str) -> dict[int, list[Any]]:
        """Return every committed record of a topic, by partition."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, n) for n in range(self.deployment.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: dict[int, list[Any]] = {n: [] for n in range(self.deployment.partitions)}
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.partition] += records
            return found
        finally:
            await consumer.stop()

    async def out(self) -> dict[int, list[bytes]]:
        """Return the published changes, by partition."""
        found = await self.read(self.deployment.membership_topic)
        return {partition: [record.value for record in records] for partition, records in found.items()}

    async def expected(self, *catalogues: Catalogue) -> dict[int, list[bytes]]:
        """Return the changes that the engine alone makes of the input as it stands, by partition."""
        result = {}
        for partition, records in (await self.read(self.deployment.events_topic)).items():
            engine = Partition(
                self.deployment.generation, decoder_of(partition, self.deployment.partitions), clock_ms=-1
            )
            for catalogue in catalogues:
                engine.give_catalogue(catalogue.hash, catalogue)
            changes: list[AnyChange] = []
            for r in records:
                changes += whole(engine.feed(Record(r.offset, r.timestamp, r.key, r.value, r.headers))).changes
            result[partition] = [change.value for change in changes]
        return result


async def wait_for(done: Any, limit_s: float = 60) -> None:
    """Ask again until `done()` (perhaps awaitable) is true."""
    end = asyncio.get_running_loop().time() + limit_s
    while True:
        answer = done()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return
        assert asyncio.get_running_loop().time() < end, "it took too long"
        await asyncio.sleep(0.1)


async def provide(deployment: Deployment, kafka: str, redis: str) -> None:
    """Make topics and state, as `segue topics` does."""
    log = KafkaLog(KafkaConnection(kafka))
    try:
        async with connected(KafkaConnection(kafka)) as cluster:
            done = await create_or_verify(
                cluster,
                log,
                lambda partition: RedisStore(
                    RedisConnection.at(redis), deployment.redis_prefix, partition, deployment.partitions
                ),
                deployment,
            )
        assert not done.fatal, done.findings
    finally:
        await log.close()


@asynccontextmanager
async def live(name: str, kafka: str, redis: str, *, partitions: int = 4, **settings: Any) -> AsyncIterator[Live]:
    """Make a deployment of its own; its workers are killed at the end."""
    topics = {
        f"{topic}_topic": f"{name}.{topic}"
        for topic in (
            "events",
            "dead_letter",
            "membership",
            "current",
            "progress",
            "owners",
            "catalogues",
            "fills",
            "erasures",
        )
    }
    names = {**topics, "activation_topic_prefix": f"{name}.activation", "redis_prefix": name}
    deployment = Deployment(**{"partitions": partitions, **names})  # type: ignore[arg-type]
    base: dict[str, Any] = {
        "group": name,
        "web_port": 0,
        "session_timeout_ms": 6_000,
        "kafka_bootstrap_servers": kafka,
        "redis_url": redis,
    }
    await provide(deployment, kafka, redis)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=5)
    await producer.start()
    running = Live(deployment, Settings(**{**base, **settings}), producer)
    try:
        yield running
    finally:
        for worker in running.workers:
            worker.kill()
        await producer.stop()

"""Measure a suppression under load: from the send of the event to `deactivated` on the channel's topic.

    python -m tests.benchmarks.bench_suppression [--rate 5000] [--workers 1] [--warm 15] [--seconds 30]

Starts the embedded Kafka and Valkey and workers on the example catalogue; a process of its own sends the synthetic
events of the example at `--rate`. Before, this process makes profiles of its own active on `activation.email`. Under
the load they enrol in the treatment-initiation programme, one after the other; it suppresses every promotional journey.
The benchmark times, from just before the send, how long the membership change (`entered` the programme) and the
activation change (`deactivated`, `suppressed_by`) take to `read_committed` consumers. Everything runs on the same
cores. At the end it checks how many records the workers were behind. The last line is JSON.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.embedded.server import free_port
from streams.example.synthetic import events, npi, subjects
from tests.benchmarks import cpu
from tests.benchmarks.contest.figures import quantile
from tests.benchmarks.deployment import SEGUE, environment_of
from tests.benchmarks.ending import end_in_order
from tests.servers import running_kafka, running_valkey
from tests.tied import tied

ROOT: Final = Path(__file__).parents[2]
CATALOGUE: Final = ROOT / "streams" / "example" / "catalogue"
LOAD: Final = "SEGUE_BENCH_LOAD"
"""The variable of the process that sends the load: what to send, as JSON."""
TICK_S: Final = 0.02
OWN_FIRST: Final = 60_000_000
"""Numbers of this process's own profiles; those of the load begin elsewhere."""


# -- the load


async def send_load(bootstrap: str, topic: str, partitions: int, rate: float, profiles: int, seed: int) -> None:
    """Send synthetic events at a rate until killed."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    source = events(subjects(profiles, seed), SystemClock().wall_ms, seed)
    places: dict[str, tuple[bytes, int]] = {}
    began_s, sent = time.perf_counter(), 0
    while True:
        builders: dict[int, Any] = {}
        while sent < (time.perf_counter() - began_s) * rate:
            event = next(source)
            sent += 1
            subject = event["subject"]
            if subject not in places:
                key = subject.encode()
                places[subject] = key, partition_of(key, partitions)
            key, place = places[subject]
            builder = builders.get(place)
            if builder is None:
                builder = builders[place] = producer.create_batch()
            if builder.append(key=key, value=orjson.dumps(event), timestamp=None) is None:
                await producer.send_batch(builder, topic, partition=place)
                builders[place] = producer.create_batch()
                builders[place].append(key=key, value=orjson.dumps(event), timestamp=None)
        for place, builder in builders.items():
            await producer.send_batch(builder, topic, partition=place)
        await asyncio.sleep(TICK_S)


# -- the deployment


@dataclass
class Bench:
    """One deployment, with names of its own, and its workers."""

    bootstrap: str
    name: str
    partitions: int
    environment: dict[str, str]
    workers: "dict[int, subprocess.Popen[bytes]]" = field(default_factory=dict)
    """By the port where each is asked."""

    def segue(self, *arguments: str) -> None:
        """Run a command of the product."""
        subprocess.run(self._command(*arguments), cwd=ROOT, env=self.environment, check=True, capture_output=True)

    def _command(self, *arguments: str) -> list[str]:
        return [*SEGUE, *arguments]

    def start(self) -> None:
        """Start a worker; what it logs is thrown away."""
        port = free_port()
        environment = {**self.environment, "SEGUE_WEB_PORT": str(port)}
        self.workers[port] = subprocess.Popen(
            tied(self._command("worker")), cwd=ROOT, env=environment, stderr=subprocess.DEVNULL
        )

    def status(self) -> dict[str, Any]:
        """What the workers say on /status, added up."""
        found = []
        for port in self.workers:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=5) as answer:
                found.append(json.load(answer))
        added = {name: sum(one[name] for one in found) for name in ("events", "changes", "incidents", "rings")}
        held = [len(one["partitions"]) for one in found]
        return {**added, "held": held, "partitions": [each for one in found for each in one["partitions"]]}

    def cpu_s(self) -> float:
        """CPU time of the workers."""
        return sum(cpu.of_process(worker.pid) for worker in self.workers.values())

    def topic(self, name: str) -> str:
        """A topic of this deployment."""
        return f"{self.name}.{name}"


@contextmanager
def deployed(kafka: str, redis: str, partitions: int, workers: int) -> Iterator[Bench]:
    """Make a deployment with the example catalogue in force, and its workers."""
    name = f"bench{secrets.token_hex(4)}"
    environment = environment_of(name, partitions, kafka, redis)
    bench = Bench(kafka, name, partitions, environment)
    bench.segue("topics")
    bench.segue("apply", str(CATALOGUE))
    try:
        for _ in range(workers):
            bench.start()
        yield bench
    finally:
        for worker in bench.workers.values():
            worker.kill()
            worker.wait()


# -- what is timed


@dataclass
class Heard:
    """What the two readers got."""

    own: frozenset[str]
    """The profiles that are timed."""
    active: set[str] = field(default_factory=set)
    """The profiles that are active in the timed activation."""
    sent_s: dict[str, float] = field(default_factory=dict)
    """By event: when it was sent."""
    entered_ms: dict[str, float] = field(default_factory=dict)
    deactivated_ms: dict[str, float] = field(default_factory=dict)

    def take(self, change: Mapping[str, Any], now_s: float) -> None:
        """Take a change in."""
        events_ = change["reason"]["events"]
        sent_s = self.sent_s.get(events_[0]) if events_ else None
        if change.get("activation") == "access-resources-email" and change["change"] == "activated":
            self.active |= {change["profile"]} & self.own
        elif sent_s is None:
            return
        elif change["reason"]["kind"] == "suppressed_by":
            self.deactivated_ms.setdefault(events_[0], (now_s - sent_s) * 1000)
        elif change.get("segment") == "treatment-initiation-programme":
            self.entered_ms.setdefault(events_[0], (now_s - sent_s) * 1000)


@asynccontextmanager
async def listening(bench: Bench, heard: Heard, topic: str) -> AsyncIterator[None]:
    """Read a topic from its end on, as a platform would."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bench.bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    partitions = [TopicPartition(topic, n) for n in range(bench.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for tp in partitions:
        await consumer.position(tp)

    async def read() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now_s = time.perf_counter()
                for record in records:
                    # most changes are the load's: parse only changes of this process's profiles
                    if b"treatment-initiation-programme" in record.value or b"access-resources-email" in record.value:
                        heard.take(json.loads(record.value), now_s)

    reading = asyncio.ensure_future(read())
    try:
        yield
        assert not reading.done(), reading.exception()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()


class Own:
    """The profiles whose suppression is timed."""

    def __init__(self, bench: Bench, count: int) -> None:
        self._bench = bench
        self._sent = 0
        self.subjects = [f"hcp:{npi(OWN_FIRST + n)}" for n in range(count)]
        self.producer = AIOKafkaProducer(bootstrap_servers=bench.bootstrap, acks="all")

    @property
    def next(self) -> str:
        """The next event, as changes name it."""
        return f"/bench own-{self._sent + 1}"

    async def send(self, subject: str, type_: str, data: Mapping[str, Any] | None = None) -> None:
        """Send an event, now."""
        self._sent += 1
        value = {
            "specversion": "1.0",
            "id": f"own-{self._sent}",
            "source": "/bench",
            "type": type_,
            "subject": subject,
            "time": format_instant(SystemClock().wall_ms()),
            "data": data or {},
        }
        key = subject.encode()
        place = partition_of(key, self._bench.partitions)
        await self.producer.send(self._bench.topic("events"), orjson.dumps(value), key=key, partition=place)

    async def prepare(self) -> None:
        """Make them members of the segment of access planners, with consent."""
        who = {"specialty": "medical-oncology", "practice_setting": "community", "country": "US", "role": "prescriber"}
        for subject in self.subjects:
            await self.send(subject, "profile.updated", who)
            await self.send(subject, "consent.granted", {"channel": "email", "purpose": "promotional"})
            await self.send(subject, "access_content.viewed", {"topic": "coverage"})
            await self.send(subject, "access_content.viewed", {"topic": "prior-authorization"})
        await self.producer.flush()


class State(NamedTuple):
    """How far the workers are."""

    events: int
    changes: int
    behind: int
    """Records not yet applied."""
    records: int
    cpu_s: float
    """Of the workers' processes, since they began."""


async def behind(bench: Bench) -> State:
    """Ask how far the workers are."""
    status = await asyncio.to_thread(bench.status)
    consumer = AIOKafkaConsumer(bootstrap_servers=bench.bootstrap, enable_auto_commit=False)
    await consumer.start()
    partitions = [TopicPartition(bench.topic("events"), n) for n in range(bench.partitions)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    await consumer.stop()
    applied = {one["partition"]: one["applied_offset"] for one in status["partitions"]}
    assert len(applied) == bench.partitions, "the workers do not hold every partition: they share them anew"
    assert all(status["held"]), "a worker has nothing to do"
    late = sum(end - applied[tp.partition] for tp, end in ends.items())
    return State(status["events"], status["changes"], late, sum(ends.values()), bench.cpu_s())


async def until_active(heard: Heard, count: int, limit_s: float = 120) -> None:
    """Wait until as many are active as will be: the holdout keeps a tenth out."""
    end_s, before = time.monotonic() + limit_s, -1
    while len(heard.active) < count * 0.85 or len(heard.active) != before:
        assert time.monotonic() < end_s, f"{len(heard.active)} of {count} became active"
        before = len(heard.active)
        await asyncio.sleep(2)


@contextmanager
def loading(load: Mapping[str, Any]) -> Iterator[None]:
    """Send the load from a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_suppression"]
    process = subprocess.Popen(tied(command), cwd=ROOT, env={**os.environ, LOAD: json.dumps(load)})
    try:
        yield
        assert process.poll() is None, "the load ended by itself"
    finally:
        process.kill()
        process.wait()


async def run(options: argparse.Namespace, bench: Bench) -> dict[str, Any]:
    """Prepare, load, time, and return the results."""
    own = Own(bench, options.suppressed)
    heard = Heard(frozenset(own.subjects))
    await own.producer.start()
    channel = bench.topic("activation.email")
    async with listening(bench, heard, bench.topic("membership")), listening(bench, heard, channel):
        await own.prepare()
        await until_active(heard, options.suppressed)
        print(f"{len(heard.active)} profiles are active", flush=True)
        load = {
            "bootstrap": bench.bootstrap,
            "topic": bench.topic("events"),
            "partitions": bench.partitions,
            "rate": options.rate,
            "profiles": options.profiles,
            "seed": options.seed,
        }
        with loading(load):
            await asyncio.sleep(options.warm)
            before = await behind(bench)
            began_s = time.perf_counter()
            waiting = sorted(heard.active)
            random.Random(options.seed).shuffle(waiting)
            for n, subject in enumerate(waiting):
                await asyncio.sleep(max(0.0, began_s + n * options.seconds / len(waiting) - time.perf_counter()))
                heard.sent_s[own.next] = time.perf_counter()
                await own.send(subject, "programme.enrolled")
            spent_s = time.perf_counter() - began_s
            after = await behind(bench)
            # what is still on its way when the worker keeps up
            await asyncio.sleep(3)
    await own.producer.stop()
    status = await asyncio.to_thread(bench.status)
    entered, deactivated = sorted(heard.entered_ms.values()), sorted(heard.deactivated_ms.values())
    return {
        "rate": options.rate,
        "sent_per_second": round((after.records - before.records) / spent_s),
        "applied_per_second": round((after.events - before.events) / spent_s),
        "changes_per_second": round((after.changes - before.changes) / spent_s),
        "workers": len(bench.workers),
        "workers_cpu_share": round((after.cpu_s - before.cpu_s) / spent_s, 2),
        "behind_before": before.behind,
        "behind_after": after.behind,
        "profiles": options.profiles,
        "partitions": bench.partitions,
        "timed": len(deactivated),
        "not_seen": len(heard.sent_s) - len(deactivated),
        "membership_p50_ms": quantile(entered, 0.5),
        "membership_p99_ms": quantile(entered, 0.99),
        "deactivated_p50_ms": quantile(deactivated, 0.5),
        "deactivated_p99_ms": quantile(deactivated, 0.99),
        "deactivated_max_ms": quantile(deactivated, 1),
        "incidents": status["incidents"],
        "rings": status["rings"],
    }


def main() -> None:
    """Measure; or be the load."""
    end_in_order()
    if LOAD in os.environ:
        asyncio.run(send_load(**json.loads(os.environ[LOAD])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5_000, help="events/s of the load (5,000)")
    parser.add_argument("--seconds", type=float, default=30, help="how long suppressions are timed (30)")
    parser.add_argument("--profiles", type=int, default=20_000, help="profiles of the load (20,000)")
    parser.add_argument("--suppressed", type=int, default=1_500, help="profiles whose suppression is timed (1,500)")
    parser.add_argument("--warm", type=float, default=15, help="seconds of load before anything is timed (15)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        running_kafka() as kafka,
        running_valkey() as valkey,
        deployed(kafka.bootstrap, valkey.redis_url, options.partitions, options.workers) as bench,
    ):
        print(json.dumps(asyncio.run(run(options, bench))))


if __name__ == "__main__":
    main()

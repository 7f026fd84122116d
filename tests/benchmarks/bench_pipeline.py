"""Measure one worker: events/s from the topic to a committed change, the latency, and bytes of state a profile.

    python -m tests.benchmarks.bench_pipeline [--segments 200] [--partitions 8] [--events 200000] [--profiles 50000]

Starts the embedded Kafka and Valkey, a worker in a process of its own, and this process as producer and reader: all on
the same cores. First a backlog of events is applied (throughput: from the first one read to the last published); then
events are sent at half of that rate for `--seconds`, each change read by a `read_committed` consumer (latency: from
just before the send to the arrival of the change that it caused). The last line is JSON.
"""

import argparse
import asyncio
import json
import random
import time
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.store.connection import StoreConnection, pack
from tests.rules.catalogues import load
from tests.servers import running_kafka, running_valkey, unique
from tests.streams.live import Live, WorkerProcess, live, wait_for

TOPICS = ("coverage", "safety", "dosing", "access", "evidence", "guideline", "workflow", "assay")
TYPES = 20
DICTIONARY = {
    "traits": {"country": {"type": "string"}, "specialty": {"type": "string"}},
    "events": {
        **{
            f"content.kind{n}": {
                "data": {"topic": {"type": "string"}, "score": {"type": "number"}, "country": {"type": "string"}},
                **({"sets": {"country": "country"}} if n == 0 else {}),
            }
            for n in range(TYPES)
        },
        "spark": {},
    },
}


def make_catalogue(segments: int) -> Catalogue:
    """Write a catalogue like those of the field: counts, absences, sequences, traits, over a few event types each."""
    files: dict[str, Any] = {"dictionary.yaml": DICTIONARY}
    for n in range(segments):
        kind, topic = f"content.kind{n % TYPES}", TOPICS[n % len(TOPICS)]
        counted = {
            "event": kind,
            "where": {"topic": {"in": [topic]}},
            "count": {"at_least": 2 + n % 5},
            "within": "30d",
        }
        enters: list[list[dict[str, Any]]] = [
            [counted],
            [counted, {"trait": "country", "in": ["US", "DE"]}],
            [counted, {"absent": f"content.kind{(n + 1) % TYPES}", "within": "7d"}],
            [{"sequence": [kind, f"content.kind{(n + 3) % TYPES}"], "within": "14d"}, counted],
        ]
        files[f"segments/s{n}.yaml"] = {
            "segment": f"s{n}",
            "version": 1,
            "status": "approved",
            "enter": {"all": enters[n % 4]},
            "exit": {"any": [{"absent": [kind], "within": "60d"}]},
        }
    # one change for each event of this type, for the latency: in by the event, out by itself
    files["segments/spark.yaml"] = {
        "segment": "spark",
        "version": 1,
        "status": "approved",
        "enter": {"event": "spark", "within": "5s"},
    }
    return load({name: json.dumps(value) for name, value in files.items()})


def make_event(
    n: int, subject: str, rng: random.Random, type_: str | None = None, *, at_ms: int | None = None
) -> bytes:
    """Write an event of about 300 bytes, now unless an instant is given."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"evt-{n:012d}",
            "source": "/portal",
            "type": type_ or f"content.kind{rng.randrange(TYPES)}",
            "subject": subject,
            "time": format_instant(SystemClock().wall_ms() if at_ms is None else at_ms),
            "data": {
                "topic": rng.choice(TOPICS),
                "score": rng.random(),
                "country": "US",
                "session": f"{rng.getrandbits(128):032x}",
                "page": "/library/article",
            },
        }
    )


async def send(running: Live, value: bytes, subject: str) -> None:
    key = subject.encode()
    partition = partition_of(key, running.deployment.partitions)
    await running.producer.send(running.deployment.events_topic, value, key=key, partition=partition)


def applied(worker: WorkerProcess) -> tuple[int, int, int]:
    """(events applied, changes, records not yet published)."""
    found = worker.status()
    if found is None:
        return 0, 0, 1
    behind = sum(one["applied_offset"] - one["published_offset"] for one in found["partitions"])
    return found["events"], found["changes"], behind


async def backlog(running: Live, options: argparse.Namespace, rng: random.Random) -> tuple[WorkerProcess, float, int]:
    """Apply a backlog; returns the worker, events/s and how many changes came."""
    for n in range(options.events):
        subject = f"hcp:{rng.randrange(options.profiles)}"
        await send(running, make_event(n, subject, rng), subject)
    await running.producer.flush()
    print(f"{options.events} events of {len(make_event(0, 'hcp:12345', rng))} bytes are in the topic", flush=True)
    worker = running.start_worker(profiles_cached_max=options.profiles * 2)
    total = options.events + running.deployment.partitions
    began, first, last = 0.0, 0, 0.0
    while True:
        events, changes, _ = await asyncio.to_thread(applied, worker)
        now = time.perf_counter()
        if events and not began:
            began, first = now, events
        if now - last > 2:
            last = now
            print(f"  {events} events, {changes} changes", flush=True)
        if events >= total:
            return worker, (events - first) / (now - began), changes
        await asyncio.sleep(0.05)


async def latency(running: Live, options: argparse.Namespace, rng: random.Random, rate: float) -> list[float]:
    """Send at a rate for a while; one event in fifty is a spark, whose change is timed. Milliseconds, sorted."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=running.settings.kafka_bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    partitions = [TopicPartition(running.deployment.membership_topic, n) for n in range(running.deployment.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for tp in partitions:
        await consumer.position(tp)
    sent: dict[str, float] = {}
    took: list[float] = []

    async def read() -> None:
        while True:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                now = time.perf_counter()
                for record in records:
                    if b'"segment":"spark"' in record.value and b'"entered"' in record.value:
                        found = sent.pop(json.loads(record.value)["reason"]["events"][0], None)
                        if found is not None:
                            took.append((now - found) * 1000)

    reading = asyncio.ensure_future(read())
    began = time.perf_counter()
    n = 0
    while (spent := time.perf_counter() - began) < options.seconds:
        while n < spent * rate:
            n += 1
            subject = f"hcp:{rng.randrange(options.profiles)}"
            spark = n % 50 == 0
            value = make_event(10**9 + n, subject, rng, "spark" if spark else None)
            if spark and spent > 2:
                sent[f"/portal evt-{10**9 + n:012d}"] = time.perf_counter()
            await send(running, value, subject)
        await asyncio.sleep(0.002)
    print(f"{n} events sent at {n / options.seconds:.0f}/s", flush=True)
    await asyncio.sleep(3)
    reading.cancel()
    await consumer.stop()
    print(f"{len(took)} changes timed, {len(sent)} not seen", flush=True)
    return sorted(took)


async def redis_bytes(url: str) -> int:
    connection = StoreConnection(url, timeout_ms=5_000)
    reply = (await connection.ask([pack([b"INFO", b"memory"])]))[0]
    await connection.close()
    return int(dict(line.partition(":")[::2] for line in reply.decode().splitlines())["used_memory"])


async def run(options: argparse.Namespace, kafka: str, redis: str) -> dict[str, Any]:
    rng = random.Random(options.seed)
    rules = make_catalogue(options.segments)
    empty = await redis_bytes(redis)
    async with live(unique("bench"), kafka, redis, partitions=options.partitions) as running:
        await running.apply(rules)
        worker, rate, changes = await backlog(running, options, rng)
        print(f"throughput: {rate:.0f} events/s, {changes} changes", flush=True)
        await wait_for(lambda: applied(worker)[2] == 0, 120)
        await asyncio.sleep(3)
        held = (await redis_bytes(redis) - empty) / min(options.profiles, options.events)
        took = await latency(running, options, rng, options.rate or rate / 2)
        status = worker.status() or {}
        assert worker.stop() == 0
    return {
        "segments": options.segments,
        "partitions": options.partitions,
        "events": options.events,
        "changes": changes,
        "events_per_second": round(rate),
        "p50_ms": round(took[len(took) // 2], 1) if took else None,
        "p99_ms": round(took[int(len(took) * 0.99)], 1) if took else None,
        "timed": len(took),
        "redis_bytes_per_profile": round(held),
        "incidents": status.get("incidents"),
        "rings": status.get("rings"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=200)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--profiles", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rate", type=float, default=0, help="events/s for the latency; 0: half the throughput")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with running_kafka() as kafka, running_valkey() as valkey:
        print(json.dumps(asyncio.run(run(options, kafka.bootstrap, valkey.redis_url))))


if __name__ == "__main__":
    main()

"""Measure the parts of the model: what one worker, one node and one broker spend on an event of each kind.

    python -m tests.benchmarks.scaling.calibrate [--segments 500] [--profiles 20000] [--json]

Every profile is set up and has a history first. Then three drains, each with the same worker process per pair:

    cold     each event meets a profile that is not in memory: it is read, unpacked, and written
    written  each event meets another profile in memory: it is written, not read
    hot      all events meet a few profiles in memory: next to nothing is written

    steady   2,000 events/s: what a worker and the broker spend a second on small chunks and transactions, beside the
             cost of the events in a drain

The differences between the drains are the parts. Then the broker alone, warm: events in and out again, and transactions
of a ring. CPU seconds, not wall time: neighbours on the machine disturb less. Prints the constants for `parts.py`.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.embedded import KafkaServer
from streams.embedded.kafka import STEADY
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from tests.benchmarks import cpu
from tests.benchmarks.bench_ring import TOPICS, transaction
from tests.benchmarks.ending import end_in_order
from tests.benchmarks.load.events import Events, Made
from tests.benchmarks.load.plan import DAY_MS
from tests.benchmarks.scaling.rig import Rig, Sample, rig
from tests.cluster import running_cluster
from tests.servers import running_kafka

HOT_PROFILES = 500
PARTITIONS = 8
STEADY_RATE = 2_000.0
STEADY_S = 8.0


async def drain(one: Rig, events: Iterable[Made]) -> Sample:
    """Let the worker drain these; return what that took."""
    return await one.drain([(made.subject, made.value) for made in events])


def each_once(load: Events, name: str, count: int) -> Iterator[Made]:
    """One event for each profile: the rank of an event of the stream is replaced by turns."""
    now_ms = time.time_ns() // 1_000_000
    stream = load.stream(count, lambda _: now_ms, name=name)
    for rank, made in enumerate(stream):
        subject = load.subject(rank % load.profiles)
        yield Made(subject, made.value.replace(made.subject.encode(), subject.encode(), 1), made.time_ms)


async def steady(one: Rig, load: Events) -> Sample:
    """Send at a steady rate; return what that took."""
    stream = load.stream(int(STEADY_RATE * STEADY_S), lambda _: time.time_ns() // 1_000_000, name="s")
    before, sent = await one.sample(), 0
    while (passed_s := time.perf_counter() - before.at_s) < STEADY_S:
        due = int(passed_s * STEADY_RATE) - sent
        sent += await one.send((made.subject, made.value) for made, _ in zip(stream, range(due), strict=False))
        await asyncio.sleep(0.01)
    if one.live.workers:
        await one.settled()
    return (await one.sample()) - before


async def broker_parts(one: Rig, events: int) -> dict[str, float]:
    """Measure the broker on its own topic: µs of its CPU for an event in and out, and for a transaction."""
    topic, partitions = one.live.deployment.dead_letter_topic, one.live.deployment.partitions
    values = [made.value for made in Events(1_000).stream(1_000, lambda n: n, name="w")]
    consumer = AIOKafkaConsumer(bootstrap_servers=one.kafka.bootstrap, max_partition_fetch_bytes=4 << 20)
    await consumer.start()
    consumer.assign([TopicPartition(topic, n) for n in range(partitions)])
    await consumer.seek_to_end()
    for tp in consumer.assignment():
        await consumer.position(tp)
    spent = 0.0
    for _ in range(3):
        # two rounds for the broker's compiler, one to measure
        before, read = cpu.of_process(one.kafka.pid), 0
        for n in range(events):
            await one.live.producer.send(topic, values[n % 1_000], partition=n % partitions)
        await one.live.producer.flush()
        while read < events:
            found = await consumer.getmany(timeout_ms=500, max_records=None)
            read += sum(map(len, found.values()))
        spent = (cpu.of_process(one.kafka.pid) - before) / events
    await consumer.stop()
    log = KafkaLog(KafkaConnection(one.kafka.bootstrap))
    ring = await log.open_ring(3)
    names = (
        one.live.deployment.membership_topic,
        one.live.deployment.current_topic,
        one.live.deployment.progress_topic,
    )
    took = []
    for _ in range(3):
        count, before, began_s = 400, cpu.of_process(one.kafka.pid), time.perf_counter()
        for turn in range(count):
            records = transaction(1, turn)
            await ring.transaction(
                [replace(r, topic=names[TOPICS.index(r.topic)]) for r in records if r.partition < partitions]
            )
        took = [(cpu.of_process(one.kafka.pid) - before) / count, (time.perf_counter() - began_s) / count]
    await ring.close()
    await log.close()
    return {
        "broker_event_us": round(spent * 1e6, 2),
        "broker_transaction_us": round(took[0] * 1e6),
        "transaction_ms": round(took[1] * 1e3, 2),
    }


async def calibrate(one: Rig, profiles: int) -> dict[str, Any]:
    """Run the drains; return microseconds and bytes."""
    load = Events(profiles)
    now_ms = time.time_ns() // 1_000_000
    empty = one.cluster.primaries[0].memory_bytes
    one.live.start_worker(profiles_cached_max=2 * profiles)
    await one.send((made.subject, made.value) for made in load.history(now_ms - 30 * DAY_MS, now_ms, 2 * profiles))
    await one.settled()
    held = one.cluster.primaries[0].memory_bytes - empty
    one.stop_workers()
    one.live.start_worker(profiles_cached_max=2 * profiles)
    await one.settled()
    topics = (one.live.deployment.events_topic, one.live.deployment.membership_topic + "*", "*.activation.*")
    log_before = [one.log_bytes(topic) for topic in topics]
    cold = await drain(one, each_once(load, "b", profiles))
    written = await drain(one, each_once(load, "c", profiles))
    few = Events(HOT_PROFILES)
    hot = await drain(one, few.stream(2 * profiles, lambda _: now_ms, name="a"))
    paced = await steady(one, few)
    one.stop_workers()
    alone = await steady(one, few)
    log = [one.log_bytes(topic) for topic in topics]
    drains = {"cold": cold, "written": written, "hot": hot, "steady": paced}
    count = sum(found.events for found in drains.values())
    changes = sum(found.changes for found in drains.values())
    return {
        "us_an_event": {
            name: {
                part: round(getattr(found, f"{part}_cpu_s") / found.events * 1e6, 1)
                for part in ("worker", "store", "broker")
            }
            for name, found in drains.items()
        },
        "keys_read_an_event": {name: round(found.keys_read / found.events, 2) for name, found in drains.items()},
        "changes_an_event": {name: round(found.changes / found.events, 3) for name, found in drains.items()},
        "store_bytes_an_event": {
            name: [round(found.store_in_bytes / found.events), round(found.store_out_bytes / found.events)]
            for name, found in drains.items()
        },
        "store_bytes_a_profile": round(held / profiles),
        "log_bytes_an_event": round((log[0] - log_before[0]) / count),
        "log_bytes_a_change": round(sum(log[1:]) - sum(log_before[1:])) // max(1, changes),
        "steady_worker_cores": round(
            (paced.worker_cpu_s - paced.events * hot.worker_cpu_s / hot.events) / paced.at_s, 3
        ),
        "steady_broker_cores": round((paced.broker_cpu_s - alone.broker_cpu_s) / paced.at_s, 3),
        "touched_a_second": {name: round(found.touched / found.at_s) for name, found in drains.items()},
        **await broker_parts(one, 5 * profiles),
        "seconds": {name: round(found.at_s, 1) for name, found in drains.items()},
    }


async def run(options: argparse.Namespace, kafka: KafkaServer) -> dict[str, Any]:
    with running_cluster(1) as cluster:
        async with rig(cluster, kafka, PARTITIONS, options.segments) as one:
            return await calibrate(one, options.profiles)


def main() -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=500)
    parser.add_argument("--profiles", type=int, default=20_000)
    options = parser.parse_args()
    with running_kafka(STEADY) as kafka:
        print(json.dumps(asyncio.run(run(options, kafka)), indent=2))


if __name__ == "__main__":
    main()

"""Run workers against a cluster of three on loopback: what each process spends, and what the model says of it.

    python -m tests.benchmarks.cluster [--workers 4] [--nodes 3] [--partitions 12] [--profiles 20000] [--events 60000]
    python -m tests.benchmarks.cluster --trouble [--rate 1500] [--seconds 30]

The first form fills the state, starts the workers cold, lets them drain a backlog of the benchmark's load, and prints
CPU seconds, keys, bytes and the spread over the nodes beside the model's prediction. On a machine with few cores the
sum of CPU says something; events a second do not.

The second form sends at a steady rate. Meanwhile a slot moves to another node, then a primary is killed and its
replica takes over, then a worker is killed. It prints how late the slowest partition was in each, and compares every
published change with the engine alone. The last line of both is JSON.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

from streams.embedded import KafkaServer
from streams.embedded.kafka import STEADY
from streams.store.keys import hash_tag, slot
from tests.benchmarks.ending import end_in_order
from tests.benchmarks.load.catalogue import make_catalogue
from tests.benchmarks.load.events import Events
from tests.benchmarks.load.plan import DAY_MS
from tests.benchmarks.scaling.predict import Predicted, predict
from tests.benchmarks.scaling.rig import Rig, rig
from tests.cluster import Cluster, running_cluster
from tests.servers import running_kafka


async def fill(one: Rig, load: Events, workers: int) -> int:
    """Give every profile a history, by workers that stop afterwards; return the bytes that the state takes."""
    now_ms = time.time_ns() // 1_000_000
    empty = sum(node.memory_bytes for node in one.cluster.primaries)
    for _ in range(workers):
        one.live.start_worker()
    history = load.history(now_ms - 30 * DAY_MS, now_ms, 2 * load.profiles)
    await one.send((made.subject, made.value) for made in history)
    await one.settled()
    one.stop_workers()
    return sum(node.memory_bytes for node in one.cluster.primaries) - empty


async def compare(one: Rig, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a drain beside its prediction."""
    load = Events(options.profiles)
    held = await fill(one, load, 2)
    for _ in range(options.workers):
        one.live.start_worker(profiles_cached_max=options.cached)
    await one.settled()
    now_ms = time.time_ns() // 1_000_000
    stream = list(load.stream(options.events, lambda _: now_ms, name="d"))
    log_before = one.log_bytes(one.live.deployment.events_topic)
    nodes_before = [node.cpu_s for node in one.cluster.primaries]
    found = await one.drain([(made.subject, made.value) for made in stream])
    nodes = [node.cpu_s - was for node, was in zip(one.cluster.primaries, nodes_before, strict=True)]
    expected = predict(
        events=options.events,
        seconds=found.at_s,
        profiles=options.profiles,
        partitions=options.partitions,
        kept=options.workers * options.cached,
        history_events=2 * options.profiles,
    )
    sizes = [int(node.say("DBSIZE")) for node in one.cluster.primaries]
    measured = Predicted(
        worker_cpu_s=found.worker_cpu_s,
        store_cpu_s=found.store_cpu_s,
        broker_cpu_s=found.broker_cpu_s,
        keys_read=found.keys_read,
        store_in_bytes=found.store_in_bytes,
        store_out_bytes=found.store_out_bytes,
        state_bytes=held,
        log_bytes=one.log_bytes(one.live.deployment.events_topic) - log_before,
    )
    print(f"{options.events} events, {found.at_s:.1f} s, {found.changes} changes, {found.checkpoints} checkpoints")
    rows = [(name, getattr(measured, name), getattr(expected, name)) for name in Predicted.__dataclass_fields__]
    for name, seen, said in rows:
        print(f"{name:18} measured {seen:14,.2f}   predicted {said:14,.2f}   {seen / said:5.2f}")
    print(f"keys a node {sizes}, store CPU a node {[round(each, 2) for each in nodes]}")
    return {
        "events": options.events,
        "seconds": round(found.at_s, 1),
        "changes": found.changes,
        "checkpoints": found.checkpoints,
        "keys_a_node": sizes,
        "store_cpu_s_a_node": nodes,
        "rows": {name: [seen, said] for name, seen, said in rows},
    }


def lag_ms(one: Rig) -> int:
    """Return how late the slowest partition is; a partition that nobody holds counts from the last look."""
    found = [
        each
        for worker in one.live.workers
        if worker.process.poll() is None
        for each in (worker.status() or {}).get("partitions", ())
    ]
    return max((each["lag_ms"] or 0 for each in found), default=0)


async def trouble(one: Rig, options: argparse.Namespace) -> dict[str, Any]:
    """Move a slot, kill a primary, kill a worker, under load; compare what was published with the engine alone."""
    load = Events(options.profiles)
    for _ in range(options.workers):
        one.live.start_worker()
    await asyncio.sleep(8)
    cluster, phase = one.cluster, "quiet"
    late: dict[str, int] = {}
    over = asyncio.Event()

    async def watch() -> None:
        while not over.is_set():
            late[phase] = max(late.get(phase, 0), await asyncio.to_thread(lag_ms, one))
            await asyncio.sleep(0.05)

    async def feed() -> None:
        now_s = time.time
        began_s, sent = now_s(), 0
        stream: Iterator[Any] = load.stream(10**9, lambda _: time.time_ns() // 1_000_000, name="t")
        while not over.is_set():
            due = int((now_s() - began_s) * options.rate) - sent
            await one.send((made.subject, made.value) for made, _ in zip(stream, range(due), strict=False))
            sent += due
            await asyncio.sleep(0.02)

    tasks = [asyncio.ensure_future(watch()), asyncio.ensure_future(feed())]
    await asyncio.sleep(options.seconds / 4)
    phase = "slot moved"
    moving = slot(hash_tag(0, options.partitions))
    began_s = time.perf_counter()
    await asyncio.to_thread(cluster.move, moving, moving, cluster.primaries[-1])
    moved_s = time.perf_counter() - began_s
    await asyncio.sleep(options.seconds / 4)
    phase = "primary killed"
    await asyncio.to_thread(cluster.primaries[1].kill)
    await asyncio.sleep(max(10.0, options.seconds / 4))
    phase = "worker killed"
    await asyncio.to_thread(one.live.workers[0].kill)
    await asyncio.sleep(max(15.0, options.seconds / 4))
    over.set()
    await asyncio.gather(*tasks)
    await one.settled()
    told = [worker.status() or {} for worker in one.live.workers[1:]]
    out, expected = await one.live.out(), await one.live.expected(make_catalogue(options.segments))
    # a platform's topics have activations, so only memberships are compared byte for byte
    kept = {n: [value for value in values if b'"segment_version"' in value] for n, values in expected.items()}
    equal = out == kept
    return {
        "equal": equal,
        "changes": sum(map(len, out.values())),
        "late_ms": late,
        "slot_moved_s": round(moved_s, 2),
        "gaps": sum(each.get("gaps", 0) for each in told),
        "replays": sum(each.get("replays", 0) for each in told),
        "incidents": [each.get("incidents") for each in told],
    }


async def run(options: argparse.Namespace, kafka: KafkaServer, cluster: Cluster) -> dict[str, Any]:
    async with rig(cluster, kafka, options.partitions, options.segments) as one:
        return await (trouble if options.trouble else compare)(one, options)


def main() -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trouble", action="store_true")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--segments", type=int, default=500)
    parser.add_argument("--profiles", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--cached", type=int, default=2_000, help="profiles that a worker keeps in memory")
    parser.add_argument("--rate", type=int, default=1_500)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with running_kafka(STEADY) as kafka, running_cluster(options.nodes, replicas=int(options.trouble)) as cluster:
        print(json.dumps(asyncio.run(run(options, kafka, cluster))))


if __name__ == "__main__":
    main()

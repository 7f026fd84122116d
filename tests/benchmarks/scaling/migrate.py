"""Measure how a partition's state moves to another node: key by key with MIGRATE, and in one piece (Valkey 9).

    python -m tests.benchmarks.scaling.migrate [--profiles 100000] [--bytes 800]

A partition is one slot. `MIGRATE` moves a key at a time and blocks both nodes meanwhile: the sorted set of wakes is one
key. `CLUSTER MIGRATESLOTS` copies the slot in the background and hands it over at the end. Meanwhile a client writes a
checkpoint of 100 profiles to that slot and asks another slot of the same node, again and again. Prints, for each way,
how long it took, and the longest time that either client stood still. The last line is JSON.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from streams.embedded.server import LOOPBACK
from streams.errors import Unanswered
from streams.store.access import RedisConnection
from streams.store.keys import Keys, hash_tag, slot
from streams.store.redis import RedisStore
from streams.store.terms import Checkpoint, Meta, Token
from tests.benchmarks.ending import end_in_order
from tests.cluster import Cluster, ClusterNode, running_cluster

PARTITIONS = 8
STEP = 5_000


def meta(n: int) -> Meta:
    return Meta("g1", Token(1, n), n, -1, "c" * 64, PARTITIONS, "d" * 64, -1)


class Owner:
    """One partition's owner, and how long its calls took."""

    def __init__(self, url: str, partition: int, size_bytes: int) -> None:
        self.store = RedisStore(RedisConnection.at(url), "bench", partition, PARTITIONS, timeout_ms=30_000)
        self.blob = b"x" * size_bytes
        self.n = 0
        self.stood_ms = 0.0

    async def write(self, first: int, count: int) -> None:
        """Write a checkpoint, again until it is answered."""
        subjects = [f"hcp:{number:010}" for number in range(first, first + count)]
        self.n += 1
        checkpoint = Checkpoint(
            expect=Token(1, self.n - 1),
            meta=meta(self.n),
            profiles=dict.fromkeys(subjects, self.blob),
            wakes=dict.fromkeys(subjects, 1_772_373_900_000 + self.n),
            joined={f"s{number}": subjects for number in range(4)},
        )
        began_s = time.perf_counter()
        while True:
            try:
                await self.store.write(checkpoint)
                break
            except Unanswered:
                await asyncio.sleep(0.02)
        self.stood_ms = max(self.stood_ms, (time.perf_counter() - began_s) * 1e3)


def by_keys(cluster: Cluster, found: int, owner: ClusterNode, to: ClusterNode) -> None:
    """Move a slot as `valkey-cli --cluster reshard` does."""
    to.say("CLUSTER", "SETSLOT", found, "IMPORTING", owner.id)
    owner.say("CLUSTER", "SETSLOT", found, "MIGRATING", to.id)
    while keys := owner.say("CLUSTER", "GETKEYSINSLOT", found, 100):
        owner.say("MIGRATE", LOOPBACK, to.port, "", 0, 60_000, "KEYS", *keys)
    for node in (to, owner, *cluster.nodes):
        node.say("CLUSTER", "SETSLOT", found, "NODE", to.id)


def at_once(cluster: Cluster, found: int, _: ClusterNode, to: ClusterNode) -> None:
    """Move a slot in one piece."""
    cluster.move(found, found, to)


async def measure(
    cluster: Cluster, way: Callable[[Cluster, int, ClusterNode, ClusterNode], None], moved: Owner, other: Owner
) -> dict[str, float]:
    """Move the slot of `moved` while both owners write."""
    found = slot(hash_tag(0, PARTITIONS))
    owner = cluster.owner(found)
    to = next(node for node in cluster.primaries if node is not owner)
    moved.stood_ms = other.stood_ms = 0.0
    began_s = time.perf_counter()
    moving = asyncio.ensure_future(asyncio.to_thread(way, cluster, found, owner, to))

    async def go_on(one: Owner) -> None:
        while not moving.done():
            await one.write(0, 100)
            await asyncio.sleep(0.01)

    await asyncio.gather(go_on(moved), go_on(other))
    await moving
    took_s = time.perf_counter() - began_s
    await moved.write(0, 100)
    return {
        "took_s": round(took_s, 2),
        "this_partition_stood_ms": round(moved.stood_ms),
        "another_partition_of_the_node_stood_ms": round(other.stood_ms),
    }


async def run(options: argparse.Namespace) -> dict[str, Any]:
    with running_cluster(2) as cluster:
        # partitions 0 and 1 of 8 begin on the same node
        owners = [Owner(cluster.url, partition, options.bytes) for partition in (0, 1)]
        for one in owners:
            await one.store.create(meta(0))
        for first in range(0, options.profiles, STEP):
            await owners[0].write(first, STEP)
        await owners[1].write(0, 1_000)
        held = cluster.owner(slot(hash_tag(0, PARTITIONS)))
        wakes = Keys("bench", 0, PARTITIONS).wakes
        result: dict[str, Any] = {
            "profiles": options.profiles,
            "state_mb": round(held.memory_bytes / 1e6),
            "wakes_mb": round(int(held.say("MEMORY", "USAGE", wakes, "SAMPLES", 0)) / 1e6, 1),
        }
        for name, way in (("MIGRATESLOTS", at_once), ("MIGRATE", by_keys)):
            result[name] = await measure(cluster, way, *owners)
            print(name, result[name], flush=True)
        for one in owners:
            await one.store.close()
        return result


def main() -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=800)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()

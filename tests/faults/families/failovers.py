"""Faults 28 and 29: replicas that take over in a cluster and behind Sentinel, under load; some of them are behind.

Replication is asynchronous: a primary that dies takes with it what it had acknowledged and its replica never got. For
Segue that is a store that went back (GAP): the owner replays the records between, silently. `_fall_behind` makes it
happen each time, and the run must count it.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from streams.embedded import ValkeyServer
from streams.store.keys import hash_tag, slot
from tests.cluster import Cluster, ClusterNode, running_cluster
from tests.faults.families.stores import total, well
from tests.faults.fault import Context, Report
from tests.faults.stage import Run, deployment
from tests.faults.traffic import Mix
from tests.sentinels import MASTER, Watched, running_sentinels, say

MIX: Final = Mix(people=1_500, per_second=120)
"""Many people: what a replica lacks is not all written again by their next events."""
PARTITIONS: Final = 6
"""Two on each of three primaries."""
BEHIND_S: Final = 3
"""How long a replica gets nothing: checkpoints come once a second."""
SETTINGS: Final[dict[str, object]] = {"profiles_cached_max": 40, "checkpoint_every_ms": 300}
"""Few profiles in memory, so that the lost state is read."""
OPTIONS: Final = ("--cluster-replica-validity-factor", "0")
"""A replica may take over however long it has heard nothing: else a replica that is behind would never be taken."""


async def cluster_fails_over(context: Context) -> Report:
    """Fault 28: of three primaries one hands over, one dies, and one dies whose replica is behind."""
    cluster = await _entered(context.stack, lambda: running_cluster(3, replicas=1, appendonly=True, options=OPTIONS))
    first = cluster.nodes[0]
    made = deployment(
        context.servers,
        first,
        context.seed,
        partitions=PARTITIONS,
        mix=MIX,
        redis_url=cluster.url,
        settings=SETTINGS,
    )
    async with made as run:
        run.names = replace(run.names, redis_url=_every(cluster))
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"failovers {n + 1} of {context.size.times}")
            shards = [_owner(cluster, at) for at in (0, PARTITIONS // 2, PARTITIONS - 1)]
            assert len(set(map(id, shards))) == len(shards)
            await asyncio.sleep(run.rng.uniform(1, 2))
            await _hand_over(run, cluster, shards[0])
            await asyncio.sleep(run.rng.uniform(1, 2))
            await _die(run, cluster, shards[1])
            await _fall_behind_and_take_over(context, run, shards[2], _replica_of(cluster, shards[2]))
            for node in (one for one in cluster.nodes if not one.running()):
                await asyncio.to_thread(node.restart)
            # traffic that goes on would write over what a safety that is off has spoiled
            if n + 1 < context.size.times:
                await run.until(lambda: _whole(cluster), "the cluster to be whole again")
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


async def sentinels_fail_over(context: Context) -> Report:
    """Fault 29: sentinels hand over in order, and then a primary dies whose replica is behind."""
    watched = await _entered(context.stack, lambda: running_sentinels(appendonly=True))
    made = deployment(
        context.servers, watched.servers[0], context.seed, mix=MIX, redis_url=watched.url, settings=SETTINGS
    )
    async with made as run:
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"failovers {n + 1} of {context.size.times}")
            await asyncio.sleep(run.rng.uniform(1, 2))
            primary = await asyncio.to_thread(watched.primary)
            await asyncio.to_thread(say, watched.sentinels[0], "SENTINEL", "FAILOVER", MASTER)
            await run.until(lambda old=primary: _another(watched, old), "another primary")  # type: ignore[misc]
            await run.until(lambda: _settled(watched), "the old primary to follow")
            await run.until(lambda: well(run), "the workers to go on")
            primary, replica = await asyncio.to_thread(watched.primary), await asyncio.to_thread(watched.replica)
            await _fall_behind_and_take_over(context, run, primary, replica)
            await asyncio.to_thread(primary.restart)
            if n + 1 < context.size.times:
                await run.until(lambda: _settled(watched), "the old primary to follow")
        await run.stop_traffic()
        run.names = replace(run.names, redis_url=(await asyncio.to_thread(watched.primary)).redis_url)
        return Report(await run.finish(), run.notes)


async def _entered(stack: Any, make: Callable[[], Any]) -> Any:
    """Enter a context that blocks, in a thread; the run's stack leaves it."""
    inner = stack.enter_context(ExitStack())
    return await asyncio.to_thread(inner.enter_context, make())


async def _fall_behind_and_take_over(context: Context, run: Run, primary: ValkeyServer, replica: ValkeyServer) -> None:
    """Let a replica miss some checkpoints, kill the primary, and wait for the GAP that the owners meet."""
    gaps = await total(run, "gaps")
    await asyncio.to_thread(replica.pause)
    # what stands in the replica's socket would still arrive
    await asyncio.to_thread(say, primary, "CLIENT", "KILL", "TYPE", "REPLICA")
    await asyncio.sleep(BEHIND_S)
    await asyncio.to_thread(primary.kill)
    await asyncio.to_thread(replica.resume)

    async def noticed() -> bool:
        # with a safety off the workers notice nothing: go on, the checker will
        return (bool(context.mutation) or await total(run, "gaps") > gaps) and await well(run)

    await run.until(noticed, "the workers to notice that the store went back")
    run.notes["replicas behind"] = run.notes.get("replicas behind", 0) + 1


# -- a cluster


def _every(cluster: Cluster) -> str:
    """The addresses of all nodes: the checker needs one that runs."""
    return "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in cluster.nodes) + "/0"


def _owner(cluster: Cluster, partition: int) -> ClusterNode:
    return cluster.owner(slot(hash_tag(partition, PARTITIONS)))


def _replica_of(cluster: Cluster, primary: ClusterNode) -> ClusterNode:
    """Return a running replica of a primary."""
    for node in cluster.nodes:
        if node.running() and node.info("replication").get("master_port") == str(primary.port):
            return node
    raise LookupError("it has no replica")


async def _hand_over(run: Run, cluster: Cluster, primary: ClusterNode) -> None:
    replica = _replica_of(cluster, primary)
    await asyncio.to_thread(replica.say, "CLUSTER", "FAILOVER")

    async def done() -> bool:
        return await asyncio.to_thread(lambda: replica.is_primary) and await well(run)

    await run.until(done, "the replica to take over in order")


async def _die(run: Run, cluster: Cluster, primary: ClusterNode) -> None:
    """Kill a primary; return when its replica has taken over and the workers go on."""
    await asyncio.to_thread(primary.kill)
    await run.until(lambda: _taken(cluster, primary), "a replica to take over")
    await run.until(lambda: well(run), "the workers to go on")


async def _taken(cluster: Cluster, dead: ClusterNode) -> bool:
    """Tell whether every partition has a running owner."""

    def found() -> bool:
        try:
            return all(_owner(cluster, partition) is not dead for partition in range(PARTITIONS))
        except LookupError:
            return False

    return await asyncio.to_thread(found)


async def _whole(cluster: Cluster) -> bool:
    """Tell whether every node knows every slot's owner, and the replicas follow."""

    def found() -> bool:
        replicas = [node for node in cluster.nodes if not node.is_primary]
        linked = all(node.info("replication").get("master_link_status") == "up" for node in replicas)
        return len(replicas) == len(cluster.replicas) and linked and all(cluster.knows(node) for node in cluster.nodes)

    return await asyncio.to_thread(found)


# -- sentinels


async def _another(watched: Watched, old: ValkeyServer) -> bool:
    return await asyncio.to_thread(lambda: watched.primary() is not old)


async def _settled(watched: Watched) -> bool:
    return await asyncio.to_thread(watched.settled)

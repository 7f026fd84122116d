"""Faults 2, 3, 4, 5: a store that dies, goes back, loses writes, fails over, answers late or never."""

import asyncio
import shutil
from pathlib import Path
from typing import Any, Final

import redis.asyncio

from streams.embedded import ValkeyServer
from tests.faults.fault import Context, Report
from tests.faults.proxy import Direction, Fate, Proxy
from tests.faults.stage import Run, deployment, store, store_of
from tests.faults.traffic import Mix

MIX: Final = Mix(people=120, per_second=120)


def connect(valkey: ValkeyServer) -> Any:
    """Connect to a store."""
    return redis.asyncio.Redis.from_url(valkey.redis_url)


async def total(run: Run, name: str) -> int:
    """Return a counter, summed over all workers that live."""
    statuses = [await worker.ask() for worker in run.alive]
    return sum(one[name] for one in statuses if one is not None)


async def well(run: Run) -> bool:
    """Return whether all workers are ready and no partition has stopped."""
    statuses = [await worker.ask() for worker in run.alive]
    return all(one is not None and one["ready"] and not one["incidents"] for one in statuses)


async def died_and_came_back(context: Context) -> Report:
    """Fault 2a: kill -9 and restart from its append-only file, under traffic."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=store_of(context.seed)))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        run.notes["store"] = valkey.name
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        for _ in range(context.size.times):
            await asyncio.sleep(run.rng.uniform(0.5, 3))
            await asyncio.to_thread(valkey.kill)
            await asyncio.sleep(run.rng.uniform(0, 3))
            await asyncio.to_thread(valkey.restart)
            await run.until(lambda: well(run), "the worker to go on")
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


async def restored_from_backup(context: Context) -> Report:
    """Fault 2b: an old backup is put back under live workers."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=store_of(context.seed)))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        run.notes["store"] = valkey.name
        await run.ready(run.worker(mutation=context.mutation))
        await run.send(context.size.events // 2)
        backup = await asyncio.to_thread(_back_up, valkey)
        restored = await _tokens(valkey, run)
        await run.start_traffic()
        for _ in range(context.size.times):
            await asyncio.sleep(run.rng.uniform(2, 4))

            async def another(restored: list[bytes] = restored) -> bool:
                return await _tokens(valkey, run) != restored

            # otherwise there is nothing to notice: a replay may not have written yet
            await run.until(another, "the state to be another one")
            gaps = await total(run, "gaps")
            await asyncio.to_thread(_restore, valkey, backup)
            restored = await _tokens(valkey, run)

            async def noticed(gaps: int = gaps) -> bool:
                return await total(run, "gaps") > gaps and await well(run)

            await run.until(noticed, "the worker to notice that the store went back")
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


async def _tokens(valkey: ValkeyServer, run: Run) -> list[bytes]:
    """Return the token of each partition."""
    client = connect(valkey)
    try:
        metas = sorted([key async for key in client.scan_iter(match=f"{run.names.prefix}:*:meta", count=1_000)])
        return [await client.hget(key, "token") for key in metas]
    finally:
        await client.aclose()


def _back_up(valkey: ValkeyServer) -> Path:
    valkey.pause()
    try:
        backup = valkey.folder.with_name(valkey.folder.name + "-backup")
        shutil.copytree(valkey.folder / "appendonlydir", backup)
    finally:
        valkey.resume()
    return backup


def _restore(valkey: ValkeyServer, backup: Path) -> None:
    valkey.kill()
    shutil.rmtree(valkey.folder / "appendonlydir")
    shutil.copytree(backup, valkey.folder / "appendonlydir")
    valkey.restart()


async def emptied_and_rebuilt(context: Context) -> Report:
    """Fault 2c: the store is emptied. Every partition stops and says so; `segue rebuild` repairs it."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=store_of(context.seed)))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        run.notes["store"] = valkey.name
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.send(context.size.events // 2)
        client = connect(valkey)
        await client.flushall()

        async def stopped() -> bool:
            status = await worker.ask()
            return status is not None and status["incidents"] == run.names.partitions

        await run.until(stopped, "every partition to stop")
        status = await worker.ask()
        assert status is not None
        texts = {one["incident"] for one in status["partitions"]}
        assert all("segue rebuild" in text for text in texts), texts
        assert await client.dbsize() == 0, "a partition wrote although its state was gone"
        await client.aclose()
        await run.send(context.size.events // 4)
        assert await worker.stop() == 0
        await run.segue("rebuild")
        await run.ready(run.worker())
        await run.send(context.size.events // 4)
        return Report(await run.finish(), run.notes)


async def lost_its_last_commits(context: Context) -> Report:
    """Fault 3: the tail of the append-only file is cut under a live worker: a GAP and a silent replay each time."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=store_of(context.seed)))
    # few profiles in memory, so that the lost state is read
    settings: dict[str, object] = {"profiles_cached_max": 40, "checkpoint_every_ms": 300}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, settings=settings) as run:
        run.notes["store"] = valkey.name
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"tail {n + 1} of {context.size.times}")
            await asyncio.sleep(run.rng.uniform(3, 4))
            before = {name: await total(run, name) for name in ("gaps", "replays")}
            await asyncio.to_thread(cut_tail, valkey, run.rng.randrange(6, 16), run.rng.randrange(0, 200))

            async def noticed(before: dict[str, int] = before) -> bool:
                return all([await total(run, name) > count for name, count in before.items()]) and await well(run)

            if context.mutation:
                # with a safety off the worker notices nothing: go on, the checker will
                await run.until(lambda: well(run), "the worker to go on")
            else:
                await run.until(noticed, "a GAP and a silent replay")
        await run.stop_traffic()
        run.notes["tails cut"] = context.size.times
        return Report(await run.finish(), run.notes)


def cut_tail(valkey: ValkeyServer, commits: int, torn: int) -> None:
    """Lose the last `count` commits, and some bytes of the one before."""
    valkey.kill()
    [path] = (valkey.folder / "appendonlydir").glob("*.incr.aof")
    data = path.read_bytes()
    at = len(data)
    for _ in range(commits):
        found = data.rfind(b"*1\r\n$5\r\nMULTI\r\n", 0, at)
        if found <= 0:
            break
        at = found
    path.write_bytes(data[: at + torn])
    valkey.restart()


async def failed_over(context: Context) -> Report:
    """Fault 4: a replica that is behind becomes the primary while the old one still answers its old connections."""
    kind = store_of(context.seed)
    old = context.stack.enter_context(store(context.servers.folder, kind=kind))
    new = context.stack.enter_context(store(context.servers.folder, kind=kind))
    async with Proxy(("127.0.0.1", old.port)) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        async with deployment(context.servers, old, context.seed, mix=MIX, redis_url=url) as run:
            run.worker(mutation=context.mutation)
            run.worker(mutation=context.mutation)
            await run.ready(*run.alive)
            run.notes["store"] = kind.name
            primary, replica = old, new
            await run.start_traffic()
            for n in range(context.size.times):
                context.say(f"failover {n + 1} of {context.size.times}")
                client = connect(replica)
                await client.execute_command("REPLICAOF", "127.0.0.1", primary.port)

                async def linked(client: Any = client) -> bool:
                    return bool((await client.info("replication"))["master_link_status"] == "up")

                await run.until(linked, "the replica to be there")
                await asyncio.sleep(1)
                # from here on the replica is behind
                await client.execute_command("REPLICAOF", "NO", "ONE")
                await client.aclose()
                await asyncio.sleep(run.rng.uniform(1, 3))
                proxy.target = ("127.0.0.1", replica.port)
                await asyncio.sleep(run.rng.uniform(0, 2))
                proxy.cut()
                await run.until(lambda: well(run), "the workers to go on")
                primary, replica = replica, primary
            await run.stop_traffic()
            run.names = _at(run, primary)
            return Report(await run.finish(), run.notes)


def _at(run: Run, valkey: ValkeyServer) -> Any:
    from dataclasses import replace

    return replace(run.names, redis_url=valkey.redis_url)


async def replies_lost(context: Context) -> Report:
    """Fault 5: between workers and store, one call in a hundred is lost, loses its reply, or waits."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with Proxy(("127.0.0.1", valkey.port)) as proxy:
        settings: dict[str, object] = {"profiles_cached_max": 0, "checkpoint_every_ms": 50}
        url = f"redis://127.0.0.1:{proxy.port}/0"
        async with deployment(context.servers, valkey, context.seed, mix=MIX, redis_url=url, settings=settings) as run:
            rng = run.rng

            def judge(direction: Direction, piece: bytes) -> tuple[Fate, float]:
                if rng.random() >= 0.005:
                    return "pass", 0.0
                fates: list[tuple[Fate, float]] = [
                    ("lose", 0.0),
                    ("pass", rng.uniform(0.01, 2)),
                    ("lose", rng.uniform(0, 1)),
                ]
                return rng.choice(fates)

            run.worker(mutation=context.mutation)
            run.worker(mutation=context.mutation)
            await run.ready(*run.alive)
            proxy.judge, proxy.calls = judge, 0
            await run.start_traffic()
            while proxy.calls < context.size.times:
                context.say(f"call {proxy.calls} of {context.size.times}")
                await asyncio.sleep(1)
            await run.stop_traffic()
            run.notes |= {"calls": proxy.calls, **proxy.fates}
            return Report(await run.finish(), run.notes)

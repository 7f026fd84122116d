"""Faults 2, 3, 4, 5, 14, 19, 20: a store that dies, goes back, forgets, refuses, answers late or not at all."""

import asyncio
import re
import resource
import shutil
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import redis.asyncio

from streams.embedded import ValkeyServer
from tests.faults.fault import Context, Report
from tests.faults.proxy import Direction, Fate, Proxy
from tests.faults.stage import Run, WorkerProcess, deployment, store, store_of
from tests.faults.traffic import Mix

MIX: Final = Mix(people=120, per_second=120)


def _client(valkey: ValkeyServer) -> Any:
    return redis.asyncio.Redis.from_url(valkey.redis_url)


async def _sum(run: Run, name: str) -> int:
    statuses = [await worker.ask() for worker in run.alive]
    return sum(one[name] for one in statuses if one is not None)


async def _well(run: Run) -> bool:
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
            await run.until(lambda: _well(run), "the worker to go on")
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
        await run.start_traffic()
        for _ in range(context.size.times):
            await asyncio.sleep(run.rng.uniform(2, 4))
            gaps = await _sum(run, "gaps")
            await asyncio.to_thread(_restore, valkey, backup)

            async def noticed(gaps: int = gaps) -> bool:
                return await _sum(run, "gaps") > gaps and await _well(run)

            await run.until(noticed, "the worker to notice that the store went back")
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


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
    """Fault 2c: emptied. Every partition stops and says so; nothing starts from zero; `segue rebuild` repairs it."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=store_of(context.seed)))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        run.notes["store"] = valkey.name
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.send(context.size.events // 2)
        client = _client(valkey)
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
    # few profiles in memory: what went back is read
    settings: dict[str, object] = {"profiles_cached_max": 40, "checkpoint_every_ms": 300}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, settings=settings) as run:
        run.notes["store"] = valkey.name
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"tail {n + 1} of {context.size.times}")
            await asyncio.sleep(run.rng.uniform(3, 4))
            before = {name: await _sum(run, name) for name in ("gaps", "replays")}
            await asyncio.to_thread(cut_tail, valkey, run.rng.randrange(6, 16), run.rng.randrange(0, 200))

            async def noticed(before: dict[str, int] = before) -> bool:
                return all([await _sum(run, name) > count for name, count in before.items()]) and await _well(run)

            if context.mutation:
                # with a safety off nothing is noticed: go on, and let the checker see it
                await run.until(lambda: _well(run), "the worker to go on")
            else:
                await run.until(noticed, "a GAP and a silent replay")
        await run.stop_traffic()
        run.notes["tails cut"] = context.size.times
        return Report(await run.finish(), run.notes)


def cut_tail(valkey: ValkeyServer, commits: int, torn: int) -> None:
    """Lose so many last commits, and some bytes of the one before."""
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
                client = _client(replica)
                await client.execute_command("REPLICAOF", "127.0.0.1", primary.port)

                async def linked(client: Any = client) -> bool:
                    return bool((await client.info("replication"))["master_link_status"] == "up")

                await run.until(linked, "the replica to be there")
                await asyncio.sleep(1)
                # from here on it is behind
                await client.execute_command("REPLICAOF", "NO", "ONE")
                await client.aclose()
                await asyncio.sleep(run.rng.uniform(1, 3))
                proxy.target = ("127.0.0.1", replica.port)
                await asyncio.sleep(run.rng.uniform(0, 2))
                proxy.cut()
                await run.until(lambda: _well(run), "the workers to go on")
                primary, replica = replica, primary
            await run.stop_traffic()
            run.names = _at(run, primary)
            return Report(await run.finish(), run.notes)


def _at(run: Run, valkey: ValkeyServer) -> Any:
    from dataclasses import replace

    return replace(run.names, redis_url=valkey.redis_url)


async def replies_lost(context: Context) -> Report:
    """Fault 5: one call in a hundred is lost, loses its reply, or waits, between workers and store."""
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


class FullableValkey(ValkeyServer):
    """A Valkey whose disk can be full: it may make its files no longer than somebody says, from one moment on."""

    def _command(self) -> Sequence[str]:
        # beyond the limit a write shall fail, as on a full disk, instead of ending the process by a signal
        return ["/bin/sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", *super()._command()]

    def fill(self) -> None:
        """Let no file of it grow any more."""
        [path] = (self.folder / "appendonlydir").glob("*.incr.aof")
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))

    def empty(self) -> None:
        """Let them grow again."""
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


async def refuses(context: Context) -> Report:
    """Fault 14: out of memory, disk full, read-only, without replicas: checkpoints stop, it says so, and it resumes."""
    valkey = context.stack.enter_context(store(context.servers.folder, kind=FullableValkey))
    assert isinstance(valkey, FullableValkey)
    client = _client(valkey)

    def command(*words: str) -> Callable[[], Awaitable[Any]]:
        return lambda: client.execute_command(*words)

    kinds: dict[str, tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[Any]]]] = {
        "OOM": (command("CONFIG", "SET", "maxmemory", "1mb"), command("CONFIG", "SET", "maxmemory", "0")),
        "MISCONF": (lambda: asyncio.to_thread(valkey.fill), lambda: asyncio.to_thread(valkey.empty)),
        "READONLY": (command("REPLICAOF", "127.0.0.1", "1"), command("REPLICAOF", "NO", "ONE")),
        "NOREPLICAS": (
            command("CONFIG", "SET", "min-replicas-to-write", "1"),
            command("CONFIG", "SET", "min-replicas-to-write", "0"),
        ),
    }
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.start_traffic()
        for code, (ill, well) in kinds.items():
            context.say(code)
            await ill()
            await run.until(lambda code=code: _says(worker, code), f"the worker to say {code}")  # type: ignore[misc]
            await asyncio.sleep(2)
            await well()
            await run.until(lambda: _well(run), "the worker to resume")
        await client.aclose()
        await run.stop_traffic()
        run.notes["refused with"] = " ".join(kinds)
        return Report(await run.finish(), run.notes)


async def _says(worker: WorkerProcess, code: str) -> bool:
    status = await worker.ask()
    assert status is not None
    return not status["ready"] and any(code in one["waiting_for"] for one in status["partitions"])


WENT_BACK: Final = ("before a read", "during a replay", "onto a branch", "idle")
"""When a rollback comes; the second of two, onto a branch that the first had left."""


async def went_back_in_place(context: Context) -> Report:
    """Fault 19: partitions go back in place: a GAP each time, and never a false alarm of the digest."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    settings: dict[str, object] = {"profiles_cached_max": 0, "checkpoint_every_ms": 200}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, settings=settings) as run:
        await run.ready(run.worker(mutation=context.mutation))
        client = _client(valkey)
        kept = Kept(client, run)
        for _ in range(2):
            await run.send(context.size.events // 3)
            await run.settle()
            await kept.keep()
        for n in range(context.size.times):
            kind = WENT_BACK[(context.seed + n) % len(WENT_BACK)]
            context.say(f"rollback {n + 1} of {context.size.times}, {kind}")
            run.notes[kind] = run.notes.get(kind, 0) + 1
            partition = run.rng.randrange(run.names.partitions)
            if kind == "idle":
                await run.settle()
                await kept.go_back(context, partition, kept.states[partition][0])
                continue
            await run.start_traffic()
            await asyncio.sleep(run.rng.uniform(1, 2))
            await kept.keep([partition])
            await asyncio.sleep(run.rng.uniform(0.3, 1))
            if kind == "during a replay":
                await _went_back_in_replay(context, run, kept)
            elif kind == "before a read":
                await kept.go_back(context, partition, run.rng.choice(kept.states[partition]))
            else:
                await kept.go_back(context, partition, run.rng.choice(kept.states[partition][:-1]))
                await asyncio.sleep(run.rng.uniform(0.5, 2))
                await kept.go_back(context, partition, kept.states[partition][-1])
            await run.stop_traffic()
        await client.aclose()
        run.notes["noticed within s"] = round(kept.longest_s, 1)
        await run.send(context.size.events // 3)
        return Report(await run.finish(), run.notes)


async def _went_back_in_replay(context: Context, run: Run, kept: "Kept") -> None:
    """Roll back a worker that stands still in the middle of a silent replay."""
    for worker in run.alive:
        worker.kill()
    everywhere = range(run.names.partitions)
    for partition in everywhere:
        await _put_back(kept.client, run, partition, kept.states[partition][1])
    worker = run.worker(at=f"stop@replay:{run.rng.randrange(5, 40)}", mutation=context.mutation)

    async def still() -> bool:
        return worker.stands_still()

    await run.until(still, "the worker to replay", every_s=0.02)
    for partition in everywhere:
        await _put_back(kept.client, run, partition, kept.states[partition][0])
    worker.send(signal.SIGCONT)

    async def noticed() -> bool:
        return await _sum(run, "gaps") > 0 and await _well(run)

    if not context.mutation:
        await run.until(noticed, "the worker to notice in its replay", every_s=0.1)


@dataclass
class Kept:
    """States of partitions, kept to be put back."""

    client: Any
    run: Run
    states: dict[int, list[dict[bytes, bytes]]] = field(default_factory=dict)
    """By partition; the oldest first."""
    longest_s: float = 0.0
    """Until a rollback was noticed."""

    async def keep(self, partitions: Sequence[int] | None = None) -> None:
        """Keep the states of partitions as they are now."""
        for partition in range(self.run.names.partitions) if partitions is None else partitions:
            self.states.setdefault(partition, []).append(await _dump(self.client, self.run, partition))

    async def go_back(self, context: Context, partition: int, state: dict[bytes, bytes]) -> None:
        """Put a state back under a live worker, and wait until it says so."""
        run, gaps, began_s = self.run, await _sum(self.run, "gaps"), asyncio.get_running_loop().time()
        await _put_back(self.client, run, partition, state)

        async def noticed() -> bool:
            return await _sum(run, "gaps") > gaps

        if not context.mutation:
            await run.until(noticed, "the worker to notice", every_s=0.1)
        self.longest_s = max(self.longest_s, asyncio.get_running_loop().time() - began_s)


async def _dump(client: Any, run: Run, partition: int) -> dict[bytes, bytes]:
    """All of a partition's state at one moment (one transaction)."""
    pattern = f"{run.names.prefix}:{{{partition}.*"
    while True:
        keys = [key async for key in client.scan_iter(match=pattern, count=10_000)]
        async with client.pipeline(transaction=True) as pipe:
            for key in keys:
                pipe.dump(key)
            values = await pipe.execute()
        if None not in values and len(keys) == len(
            [key async for key in client.scan_iter(match=pattern, count=10_000)]
        ):
            return dict(zip(keys, values, strict=True))


async def _put_back(client: Any, run: Run, partition: int, state: dict[bytes, bytes]) -> None:
    pattern = f"{run.names.prefix}:{{{partition}.*"
    present = [key async for key in client.scan_iter(match=pattern, count=10_000)]
    async with client.pipeline(transaction=True) as pipe:
        for key in set(present) - state.keys():
            pipe.delete(key)
        for key, value in state.items():
            pipe.restore(key, 0, value, replace=True)
        await pipe.execute()


HELD: Final = ("checkpoint", "claim", "checkpoint, rolled back", "claim, rolled back")
"""What is held, and what happens before it arrives."""


async def held_back(context: Context) -> Report:
    """Fault 20: a checkpoint, or claim step 5, is held by the network and arrives after it was sent again.

    With a rollback between too, in place: the connection that it arrives on has outlived that, as it does when a
    primary takes over another's data set. (Over a connection that has ended nothing arrives.)
    """
    valkey = context.stack.enter_context(store(context.servers.folder))
    proxy = await context.stack.enter_async_context(Proxy(("127.0.0.1", valkey.port)))
    url = f"redis://127.0.0.1:{proxy.port}/0"
    settings: dict[str, object] = {"checkpoint_every_ms": 100}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, redis_url=url, settings=settings) as run:
        wanted = ""

        def judge(direction: Direction, piece: bytes) -> tuple[Fate, float]:
            nonlocal wanted
            # the second half of a write: what follows MULTI, with EXEC at its end
            if wanted and direction == "request" and b"HSET" in piece and piece.endswith(b"EXEC\r\n"):
                claims = b"$6\r\noffset\r\n" not in piece
                if claims == wanted.startswith("claim"):
                    wanted = ""
                    return "hold", 0.0
            return "pass", 0.0

        proxy.judge = judge
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.send(200)
        client = _client(valkey)
        kept = Kept(client, run)
        await kept.keep()
        await run.start_traffic()
        for n in range(context.size.times):
            kind = HELD[(context.seed + n) % len(HELD)]
            context.say(f"held {n + 1} of {context.size.times}: {kind}")
            run.notes[kind] = run.notes.get(kind, 0) + 1
            wanted, before = kind, len(proxy.held)
            if kind.startswith("claim"):
                # claim step 5 of whoever comes now
                run.worker(mutation=context.mutation)

            async def held(before: int = before) -> bool:
                return len(proxy.held) > before

            await run.until(held, "a write to hold", every_s=0.02)
            await asyncio.sleep(run.rng.choice([0.0, 0.05, 1.0]))
            partition = _partition_of(proxy.held[-1].piece)
            if kind.endswith("rolled back"):
                await _put_back(client, run, partition, run.rng.choice(kept.states[partition]))
                await asyncio.sleep(run.rng.choice([0.0, 0.05, 1.0, 3.0]))
            await proxy.held[-1].deliver()
            await kept.keep([partition])
            if len(run.alive) > 2:
                run.rng.choice(run.alive).kill()
        await client.aclose()
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


def _partition_of(piece: bytes) -> int:
    found = re.search(rb"\{(\d+)\.", piece)
    assert found is not None
    return int(found[1])

"""Faults 19 and 20: partitions that go back in place under live workers; writes that arrive late."""

import asyncio
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.families.stores import MIX, connect, total, well
from tests.faults.fault import Context, Report
from tests.faults.proxy import Direction, Fate, Proxy
from tests.faults.scenes import Forgotten
from tests.faults.stage import Run, deployment, store

WENT_BACK: Final = ("before a read", "during a replay", "onto a branch", "idle")
"""When a rollback comes; the second of two goes back to a branch that the first had left."""


async def went_back_in_place(context: Context) -> Report:
    """Fault 19: partitions go back under live workers: a GAP each time, and never a false alarm of the digest."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    settings: dict[str, object] = {"profiles_cached_max": 0, "checkpoint_every_ms": 200}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, settings=settings) as run:
        await run.ready(run.worker(mutation=context.mutation))
        client = connect(valkey)
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
    """Roll back under a worker that stands still in the middle of a silent replay."""
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
        return await _looked_again(run) > 1 and await well(run)

    if not context.mutation:
        await run.until(noticed, "the worker to notice in its replay", every_s=0.1)


async def _looked_again(run: Run) -> int:
    """Return how often state was read again: after a GAP, or by a claim with a new ring."""
    return await total(run, "gaps") + await total(run, "rings")


@dataclass
class Kept:
    """Copies of partitions' states, which can be put back."""

    client: Any
    run: Run
    states: dict[int, list[dict[bytes, bytes]]] = field(default_factory=dict)
    """The copies by partition, the oldest first."""
    longest_s: float = 0.0
    """How long each rollback went unnoticed."""

    async def keep(self, partitions: Sequence[int] | None = None) -> None:
        """Keep a copy of the partitions' states."""
        for partition in range(self.run.names.partitions) if partitions is None else partitions:
            self.states.setdefault(partition, []).append(await _dump(self.client, self.run, partition))

    async def go_back(self, context: Context, partition: int, state: dict[bytes, bytes]) -> None:
        """Put a state back under a live worker, and wait until it says so."""
        run = self.run
        [meta] = (key for key in state if key.endswith(b":meta"))

        async def another() -> bool:
            return bool(await self.client.dump(meta) != state[meta])

        # otherwise there is nothing to notice
        await run.until(another, "the state to be another one", every_s=0.1)
        before, began_s = await _looked_again(run), asyncio.get_running_loop().time()
        await _put_back(self.client, run, partition, state)

        async def noticed() -> bool:
            return await _looked_again(run) > before

        if not context.mutation:
            await run.until(noticed, "the worker to notice", every_s=0.1)
        self.longest_s = max(self.longest_s, asyncio.get_running_loop().time() - began_s)


async def _dump(client: Any, run: Run, partition: int) -> dict[bytes, bytes]:
    """Return the whole state of a partition at one moment (one transaction)."""
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
    """Put a state back in one transaction; note what is forgotten by that."""
    pattern = f"{run.names.prefix}:{{{partition}.*"
    present = [key async for key in client.scan_iter(match=pattern, count=10_000)]
    meta = next(key for key in state if key.endswith(b":meta"))
    async with client.pipeline(transaction=True) as pipe:
        pipe.hget(meta, "offset")
        for key in set(present) - state.keys():
            pipe.delete(key)
        for key, value in state.items():
            pipe.restore(key, 0, value, replace=True)
        pipe.hget(meta, "offset")
        was, *_, now = await pipe.execute()
    run.forgotten.append(Forgotten(partition, int(now), int(was)))


HELD: Final = ("checkpoint", "claim", "checkpoint, rolled back", "claim, rolled back")
"""The write that is held, and what happens before it arrives."""


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
            # the second half of a write: the commands after MULTI, and EXEC
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
        client = connect(valkey)
        kept = Kept(client, run)
        await kept.keep()
        await run.start_traffic()
        for n in range(context.size.times):
            kind = HELD[(context.seed + n) % len(HELD)]
            context.say(f"held {n + 1} of {context.size.times}: {kind}")
            run.notes[kind] = run.notes.get(kind, 0) + 1
            wanted, before = kind, len(proxy.held)
            if kind.startswith("claim"):
                # claim step 5 of the next claimant
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

"""Fault 22: claims that meet: two claimants at each pair of steps, a third after one died, open claims, old claims.

The deployment has two partitions. Except for the last kind, one member of the group at a time is neither frozen nor
dead: so every claimant claims both partitions, and two claimants meet at the same partition.
"""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from streams.partition.states import STEPS
from tests.faults.families.kills import EVENT_MIX
from tests.faults.fault import Context, Report
from tests.faults.stage import Run, WorkerProcess, deployment, store

PAIRS: Final = tuple((first, second) for first in STEPS for second in STEPS)
PAIRS_A_RUN: Final = 3
SETTINGS: Final[dict[str, object]] = {
    "session_timeout_ms": 2_000,
    # open transactions must be fenced, not timed out
    "transaction_timeout_ms": 60_000,
    "stop_deadline_ms": 1_000,
}
CROSSINGS_MAX: Final = 6
"""How often members get new names until their partitions have changed hands; an even chance each time."""


async def claims_that_meet(context: Context) -> Report:
    """Fault 22b: three pairs of steps, and each other kind once."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    pairs = random.Random(22).sample(PAIRS, len(PAIRS))
    async with deployment(context.servers, valkey, context.seed, partitions=2, mix=EVENT_MIX, settings=SETTINGS) as run:
        await run.start_traffic()
        for n in range(PAIRS_A_RUN):
            first, second = pairs[(context.seed * PAIRS_A_RUN + n) % len(pairs)]
            context.say(f"one at {first}, another at {second}")
            await _pair(run, first, second)
        kinds: dict[str, Callable[[Run], Awaitable[None]]] = {
            "a third after one died": _third,
            "an open claim": _open_claim,
            "old claims": _crossed,
        }
        for name, kind in kinds.items():
            context.say(name)
            await kind(run)
        run.notes |= {"pairs": PAIRS_A_RUN, "other kinds": len(kinds)}
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


async def _still(run: Run, worker: WorkerProcess) -> None:
    async def still() -> bool:
        assert worker.alive, worker.said()
        return worker.stands_still()

    await run.until(still, "a worker to stand still", every_s=0.02)


async def _holds(run: Run, *workers: WorkerProcess) -> None:
    """Wait until workers are ready and hold every partition; return how many rings they used."""
    await run.ready(*workers)
    statuses = [await worker.ask() for worker in workers]
    rings = sum(one["rings"] for one in statuses if one is not None)
    run.notes["rings used s"] = max(run.notes.get("rings used s", 0), rings)


async def _leave(run: Run) -> None:
    """End all workers, some in order and some not."""
    for worker in run.alive:
        worker.send(signal.SIGCONT)
        if run.rng.random() < 0.5:
            worker.kill()
        else:
            await worker.stop()


async def _pair(run: Run, first: str, second: str) -> None:
    """One stands still at a step until its session is over; another claims and stands still at a step; both go on."""
    await _leave(run)
    one = run.worker(at=f"stop@claim.{first}:{run.rng.randrange(1, 3)}")
    await _still(run, one)
    other = run.worker(at=f"stop@claim.{second}:{run.rng.randrange(1, 3)}")
    await _still(run, other)
    order = [one, other]
    run.rng.shuffle(order)
    for worker in order:
        worker.send(signal.SIGCONT)
        await asyncio.sleep(run.rng.choice([0.0, 0.2, 2.5]))
    await _holds(run, one, other)


async def _third(run: Run) -> None:
    """An owner stands still with an open transaction; another dies between claim and fencing; a third claims."""
    await _leave(run)
    owner = run.worker(at=f"stop@delivered:{run.rng.randrange(8, 20)}")
    await _still(run, owner)
    victim = run.worker(at=f"kill@claim.{run.rng.choice(['claimed', 'read'])}:{run.rng.randrange(1, 3)}")

    async def dead() -> bool:
        return not victim.alive

    await run.until(dead, "one to die in its claim", every_s=0.05)
    third = run.worker()
    await _holds(run, third)
    owner.send(signal.SIGCONT)
    await asyncio.sleep(run.rng.uniform(0.5, 2))
    await _holds(run, owner, third)


async def _open_claim(run: Run) -> None:
    """One dies with its claim in an open transaction. Nobody can fence it: it must time out."""
    await _leave(run)
    victim = run.worker(at="kill@delivered:1", transaction_timeout_ms=6_000)

    async def dead() -> bool:
        return not victim.alive

    await run.until(dead, "one to die with an open claim", every_s=0.05)
    await _holds(run, run.worker())


async def _crossed(run: Run) -> None:
    """Two owners with living rings claim each other's partition, where the other's old claim still stands."""
    await _leave(run)
    pair = [run.worker(), run.worker()]
    await _holds(run, *pair)
    for _ in range(CROSSINGS_MAX):
        before = await _shares(pair)
        # nothing can be written, so no hand-over is in order: old claims stay
        run.valkey.pause()
        for worker in pair:
            worker.send(signal.SIGSTOP)
        await asyncio.sleep(3)
        for worker in pair:
            worker.send(signal.SIGCONT)
        await asyncio.sleep(run.rng.uniform(2.5, 4))
        run.valkey.resume()
        await _holds(run, *pair)
        after = await _shares(pair)
        if after[0] == before[1] and after[1] == before[0]:
            run.notes["crossed"] = run.notes.get("crossed", 0) + 1
            return


async def _shares(workers: list[WorkerProcess]) -> list[set[int]]:
    statuses = [await worker.ask() for worker in workers]
    return [{one["partition"] for one in status["partitions"]} if status is not None else set() for status in statuses]

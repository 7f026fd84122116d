"""Faults 1, 7, 8, 22: workers that die, come and go, or stand still and wake up again."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from streams.partition.states import STEPS
from tests.faults.epochs import Epochs
from tests.faults.fault import Context, Report
from tests.faults.model import BASE
from tests.faults.promises import Violated
from tests.faults.stage import PATIENCE_S, Run, WorkerProcess, deployment, store
from tests.faults.traffic import Mix

POINTS: Final = (
    *("fetched", "step", "submitted", "opened", "delivered", "committed", "published"),
    *("slice", "checkpoint", "exec", "checkpointed", "take_up", "replay", "cut", "tick", "release", "handed_over"),
    *(f"claim.{step}" for step in STEPS),
)
TOGETHER: Final = 4
"""Victims that live at a time; each is to die at a point of its own."""
EVENT_MIX: Final = Mix(people=120, per_second=120)
INCIDENT_S: Final = 45
"""How long a run waits for the end where an incident stopped a partition: it is claimed again after 30 s."""


async def killed_at_every_point(context: Context) -> Report:
    """Fault 1: kill -9 at each point, in a seeded order, under traffic; a survivor takes over.

    With an odd seed workers have names in the group: the next victim comes back under the name of the last.
    """
    named = bool(context.seed % 2)
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, partitions=8, mix=EVENT_MIX) as run:
        points = list(POINTS)
        run.rng.shuffle(points)
        survivor = run.worker(mutation=context.mutation, **_name(TOGETHER, named=named))
        await run.ready(survivor)
        await run.start_traffic()
        unreached: list[str] = []
        for at in range(0, len(points), TOGETHER):
            some = points[at : at + TOGETHER]
            context.say(f"kill at {', '.join(some)}")
            if "replay" in some or run.rng.random() < 0.3:
                # the victims replay what it had published and not written yet
                survivor.kill()
            unreached += await _round(run, some, context.mutation, named=named)
            if not survivor.alive:
                survivor = run.worker(mutation=context.mutation, **_name(TOGETHER, named=named))
        run.notes["killed"] = len(points) - len(unreached)
        if unreached:
            run.notes["not reached"] = " ".join(unreached)
        await run.stop_traffic()
        return Report(await run.finish(), run.notes)


def _name(number: int, *, named: bool) -> dict[str, str]:
    """Return the setting of a worker's name in the group, if it has one."""
    return {"GROUP_INSTANCE_ID": f"worker-{number}"} if named else {}


async def _round(run: Run, points: Sequence[str], mutation: str, *, named: bool) -> list[str]:
    """Start a victim for each point, wait until all are dead; return the points that none reached."""
    victims = {
        point: run.worker(at=f"kill@{point}:{_times(run, point)}", mutation=mutation, **_name(number, named=named))
        for number, point in enumerate(points)
    }

    async def dead() -> bool:
        return not any(victim.alive for victim in victims.values())

    async def running() -> bool:
        statuses = [await victim.ask() for victim in victims.values() if victim.alive]
        return all(one is not None and one["ready"] for one in statuses)

    urged = [point for point in points if point in ("release", "handed_over")]
    if urged or "cut" in victims:
        await run.until(running, f"{' '.join(points)} to be ready", PATIENCE_S)
        if "cut" in victims:
            await run.apply(BASE, again=True)
        for point in urged:
            victims[point].send(signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        await run.until(dead, f"a kill at {' '.join(points)}", PATIENCE_S / 1.5)
    left = [point for point, victim in victims.items() if victim.alive]
    for point in left:
        victims[point].kill()
    for victim in victims.values():
        assert victim.process.poll() == -signal.SIGKILL or victim.process.poll() == 0, victim.said()
    return left


def _times(run: Run, point: str) -> int:
    if point in ("take_up", "replay", "cut", "release", "handed_over") or point.startswith("claim."):
        return 1
    return run.rng.randrange(1, 2 if point == "tick" else 12)


async def rebalance_storm(context: Context) -> Report:
    """Fault 7: a member joins or leaves, in order or not, every 2 s."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=EVENT_MIX) as run:
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        for n in range(context.size.times):
            alive = run.alive
            if len(alive) < 2 or (len(alive) < 4 and run.rng.random() < 0.5):
                run.worker(mutation=context.mutation)
            else:
                one = run.rng.choice(alive)
                one.send(run.rng.choice([signal.SIGKILL, signal.SIGTERM]))
            context.say(f"change {n + 1} of {context.size.times}")
            await asyncio.sleep(2)
        await run.stop_traffic()
        run.notes["changes of members"] = context.size.times
        return Report(await run.finish(), run.notes)


ZOMBIE_POINTS: Final = ("", "submitted", "delivered", "exec", "checkpoint", "opened")
"""The point where a zombie stands still; "": anywhere."""


async def zombie(context: Context) -> Report:
    """Fault 8: SIGSTOP for longer than the session time-out; another takes the partitions over; SIGCONT."""
    return await zombies(context, ZOMBIE_POINTS)


async def zombie_with_output(context: Context) -> Report:
    """Fault 8 at the log: the zombie wakes up with changes that its successor has published."""
    return await zombies(context, ("submitted",))


async def zombie_with_a_write(context: Context) -> Report:
    """Fault 8 at the store: the zombie wakes up with a checkpoint that only Redis can refuse."""
    return await zombies(context, ("exec", "checkpoint"))


async def stopped_while_claiming(context: Context) -> Report:
    """Fault 22: SIGSTOP at each step of a claim; another claims meanwhile; SIGCONT. Some die there instead."""
    return await zombies(context, tuple(f"claim.{step}" for step in STEPS))


async def zombies(context: Context, points: Sequence[str], mix: Mix = EVENT_MIX) -> Report:
    """Let workers stand still at points, one after the other, until another has taken over; then let them go on."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    # an open transaction must not time out before its owner wakes up
    settings: dict[str, object] = {"session_timeout_ms": 2_000, "transaction_timeout_ms": 60_000}
    async with deployment(context.servers, valkey, context.seed, mix=mix, settings=settings) as run:
        stopped = False
        heir = run.worker(mutation=context.mutation)
        await run.ready(heir)
        await run.start_traffic()
        async with Epochs(run.names) as epochs:
            for n in range(context.size.times):
                point = points[(context.seed + n) % len(points)]
                context.say(f"zombie {n + 1} of {context.size.times} at {point or 'any moment'}")
                # the group gives it at least two partitions
                at = f"stop@{point}:{run.rng.randrange(1, 3)}" if point else ""
                one = run.worker(at=at, mutation=context.mutation)
                if not (await _stand_still(run, one, heir, bool(point)) and await _taken_over(run, heir)):
                    epochs.check()
                    if not context.mutation:
                        raise Violated(f"an incident stopped a partition: {heir.said()} {one.said()}")
                    one.kill()
                    stopped = True
                    break
                await asyncio.sleep(run.rng.uniform(0.5, 2.0))
                one.send(signal.SIGCONT)
                await asyncio.sleep(run.rng.uniform(1.0, 4.0))
                # at once: after a zombie's write took effect, the run would wait for the next zombie in vain
                epochs.check()
                if run.rng.random() < 0.5:
                    one.kill()
                else:
                    one.send(signal.SIGTERM)
        await run.stop_traffic()
        run.notes["zombies"] = n + 1
        counted = await run.finish(INCIDENT_S if stopped or await run.stopped() else PATIENCE_S)
        if mix.links:
            run.notes |= {"effects": counted.effects, "entered for a link": counted.merged}
            run.require("links", "entered for a link", "links in a rebalance")
        return Report(counted, run.notes)


async def _stand_still(run: Run, one: WorkerProcess, heir: WorkerProcess, by_itself: bool) -> bool:
    """Wait until a worker stands still. False: an incident stopped a partition, and it may never come to its point."""

    async def still() -> bool:
        assert one.alive, one.said()
        return one.stands_still()

    if by_itself:
        return await _unless_stopped(run, still, "the worker to stand still")
    await run.ready(one, heir)
    await asyncio.sleep(run.rng.uniform(0, 1.5))
    one.send(signal.SIGSTOP)
    return True


async def _taken_over(run: Run, one: WorkerProcess) -> bool:
    """Wait until a worker has all partitions. False: an incident stopped one of them before.

    One that an incident stops on this worker counts as held, as for the worker itself; the next wait sees it.
    """

    async def holds_all() -> bool:
        status = await one.ask()
        return status is not None and status["ready"] and len(status["partitions"]) == run.names.partitions

    return await _unless_stopped(run, holds_all, "the takeover")


async def _unless_stopped(run: Run, done: Callable[[], Awaitable[bool]], what: str) -> bool:
    """Wait until something is done. False: an incident stopped a partition before.

    Where a safety is off, what a zombie published may be an incident for the next claimant. The checker says then what
    was broken.
    """

    async def answered() -> str:
        if await done():
            return "done"
        return "stopped" if await run.stopped() else ""

    return bool(await run.until(answered, what) == "done")


async def killed_after_commit(context: Context) -> Report:
    """Fault 1 at one point: workers die between commit and checkpoint, one after the other."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=EVENT_MIX) as run:
        await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"kill {n + 1} of {context.size.times}")
            victim = run.worker(at=f"kill@committed:{run.rng.randrange(12, 25)}", mutation=context.mutation)

            async def dead(victim: WorkerProcess = victim) -> bool:
                return not victim.alive

            await run.until(dead, "a kill after a commit")
        run.worker(mutation=context.mutation)
        await run.stop_traffic()
        # without ticks nothing more comes
        return Report(await run.finish(30 if context.mutation == "ticks" else PATIENCE_S), run.notes)

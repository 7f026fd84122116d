"""Faults 30a-d and f: links, unlinks and erasures across partitions, while whatever can die, go back or move does so.

Every run has links between subjects of different partitions: chains, rings, crossing links, links that move. What comes
between differs by seed. A run that did not meet what it is for fails (`tests.faults.scenes`).
"""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from tests.faults.families.audit import audit
from tests.faults.families.brokers import ASTRAY, WRONG, troubled
from tests.faults.families.kills import zombies
from tests.faults.families.rollbacks import Kept
from tests.faults.families.stores import connect
from tests.faults.fault import Context, Report
from tests.faults.model import LAST, SECOND, THIRD
from tests.faults.stage import PATIENCE_S, Run, WorkerProcess, deployment, store
from tests.faults.traffic import Mix, Traffic

MIX: Final = Mix(people=100, per_second=80, links=0.12, erasures=0.0015, crossing=0.1, repeated=0.02, reordered=0.02)
AT_A_CUT: Final = replace(MIX, per_second=160, links=0.7)
"""While a catalogue is applied, so that links are on their way at each cut."""
STEPS: Final = (
    *("linked", "effect.opened", "effect.delivered", "effect.committed", "receiving", "received"),
    *("merged.opened", "merged.delivered", "merged.committed", "exec", "checkpointed", "published"),
)
"""From a link over what it brings to who takes over, and the exit: each is met by every worker under this traffic."""

CATALOGUES: Final = (SECOND, THIRD, LAST)
TOGETHER: Final = 4
"""Victims that live at a time; each is to die at a step of its own."""


async def killed_at_each_step(context: Context) -> Report:
    """Fault 30a: kill -9 at each step from a link to the entry that it brings; another worker takes over each time."""
    steps = list(STEPS)
    random.Random(context.seed).shuffle(steps)
    return await _killed(context, steps[: context.size.times], "links crossing", "links in a rebalance")


async def _killed(context: Context, steps: Sequence[str], *required: str) -> Report:
    valkey = context.stack.enter_context(store(context.servers.folder))
    settings: dict[str, object] = {"checkpoint_every_ms": 400}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, settings=settings) as run:
        await run.start_traffic()
        for at in range(0, len(steps), TOGETHER):
            some = steps[at : at + TOGETHER]
            context.say(f"kill at {', '.join(some)}")
            orders = [f"kill@{step}:{run.rng.randrange(1, 6)}" for step in some]
            victims = [run.worker(at=order, mutation=context.mutation) for order in orders]

            async def dead(victims: Sequence[WorkerProcess] = victims) -> bool:
                return not any(victim.alive for victim in victims)

            await run.until(dead, f"a kill at {' '.join(some)}", PATIENCE_S)
            for order, victim in zip(orders, victims, strict=True):
                assert f"test: {order}" in victim.log.read_text(), f"it died before {order}\n{victim.said()}"
            run.notes["killed"] = run.notes.get("killed", 0) + len(some)
        run.worker(mutation=context.mutation)
        return await _end(context, run, *required)


async def killed_with_effects(context: Context) -> Report:
    """Fault 30a at one step: a worker dies right after a transaction that holds an effect."""
    return await _killed(context, ["effect.committed"])


async def crossed_in_peace(context: Context) -> Report:
    """Links between partitions with nothing in their way: what is wrong with them is wrong by itself."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        await run.ready(run.worker(mutation=context.mutation), run.worker(mutation=context.mutation))
        await run.start_traffic()
        await asyncio.sleep(context.size.seconds)
        return await _end(context, run)


async def one_went_back(context: Context) -> Report:
    """Fault 30b: the state of one partition goes back; the other one of a link does not."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    settings: dict[str, object] = {"profiles_cached_max": 0, "checkpoint_every_ms": 200}
    async with deployment(context.servers, valkey, context.seed, mix=MIX, settings=settings) as run:
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.start_traffic()
        client = connect(valkey)
        kept = Kept(client, run)
        for n in range(context.size.times):
            partition = run.rng.randrange(run.names.partitions)
            context.say(f"partition {partition} goes back, {n + 1} of {context.size.times}")
            await kept.keep([partition])
            await asyncio.sleep(run.rng.uniform(0.5, 2))
            await kept.go_back(context, partition, run.rng.choice(kept.states[partition]))
            if run.rng.random() < 0.3:
                run.rng.choice(run.alive).kill()
                run.worker(mutation=context.mutation)
                # a claim takes the state as it finds it: there would be nothing to notice
                await run.ready(*run.alive)
        await client.aclose()
        run.notes["went back"] = context.size.times
        return await _end(context, run, "made again", "taken again", "links crossing")


async def moved_and_cut(context: Context) -> Report:
    """Fault 30c: partitions move between workers, and catalogues change, while links go across them."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        await run.ready(run.worker(mutation=context.mutation))
        traffic = await run.start_traffic()
        for n in range(context.size.times):
            context.say(f"change {n + 1} of {context.size.times}")
            if len(run.alive) < 2 or (len(run.alive) < 4 and run.rng.random() < 0.5):
                run.worker(mutation=context.mutation)
            else:
                run.rng.choice(run.alive).send(run.rng.choice([signal.SIGKILL, signal.SIGTERM]))
            await asyncio.sleep(run.rng.uniform(0, 2))
            if n % 2 == 0 and n // 2 < len(CATALOGUES):
                async with _mixed(traffic, AT_A_CUT):
                    await run.apply(CATALOGUES[n // 2])
            await asyncio.sleep(run.rng.uniform(0, 2))
        run.notes["changes of members and catalogues"] = context.size.times
        required = ("links over a cut", "links in a rebalance", "links crossing")
        return await _end(context, run, *required, audited=True)


@asynccontextmanager
async def _mixed(traffic: Traffic, mix: Mix) -> AsyncIterator[None]:
    """Send another mix of events meanwhile."""
    before, traffic.mix = traffic.mix, mix
    try:
        yield
    finally:
        traffic.mix = before


async def ends_go_wrong(context: Context) -> Report:
    """Fault 30d: the EndTxn of a transaction that holds effects is lost, late or repeated, or a batch is refused."""
    return await troubled(context, {**WRONG, **ASTRAY}, MIX)


async def zombie_with_effects(context: Context) -> Report:
    """Fault 30f: SIGSTOP at a step from a link to what it brings; another takes over; SIGCONT."""
    return await zombies(context, STEPS, MIX)


async def _end(context: Context, run: Run, *required: str, audited: bool = False) -> Report:
    """End the traffic, check everything, and tell how much of it was about persons."""
    await run.stop_traffic()
    counted = await run.finish()
    run.notes |= {"effects": counted.effects, "entered for a link": counted.merged}
    run.require("links", "entered for a link", *required)
    if audited:
        context.say("verify, dump, rebuild")
        await audit(run)
    return Report(counted, run.notes)

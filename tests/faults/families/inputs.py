"""Faults 9, 10, 11, 12, 13: bad events, repeated and late ones, clocks that are off, a hot key, many wakes at once."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Final

from aiokafka import AIOKafkaProducer

from tests.faults.fault import Context, Report
from tests.faults.model import instant
from tests.faults.stage import Run, deployment, resident_mb, store
from tests.faults.traffic import Mix

PLAIN: Final = Mix(people=400, per_second=1_500)


async def _plain(context: Context, mix: Mix) -> Report:
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=mix) as run:
        run.worker(mutation=context.mutation)
        victim = run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.send(context.size.events // 2)
        victim.kill()
        await run.send(context.size.events - context.size.events // 2)
        run.notes["events"] = context.size.events
        return Report(await run.finish(), run.notes)


async def poison(context: Context) -> Report:
    """Fault 9: one event in a hundred is bad, in fourteen ways; each goes to the dead letters once, untouched."""
    return await _plain(context, replace(PLAIN, bad=0.01))


async def repeated_and_late(context: Context) -> Report:
    """Fault 10: a tenth repeated, a third up to an hour out of order, a tenth up to seven days late."""
    return await _plain(context, replace(PLAIN, repeated=0.1, reordered=0.33, late=0.15))


async def producer_clocks(context: Context) -> Report:
    """Fault 11: producers' clocks ten minutes off, either way; ahead of the limit is bad input."""
    return await _plain(context, replace(PLAIN, skew_ms=600_000))


async def hot_key(context: Context) -> Report:
    """Fault 12: a third of all events on one profile."""
    return await _plain(context, replace(PLAIN, hot=0.3))


async def worker_clock(context: Context) -> Report:
    """Fault 11: the broker's clock is a year ahead of a worker's (it stops and says so), then an hour behind it.

    Clocks cannot be set here, so the worker's own is moved instead: only their difference shows.
    """
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=PLAIN) as run:
        late = run.worker(mutation="clock:-31536000000")

        async def stopped() -> bool:
            status = await late.ask()
            return status is not None and status["incidents"] == run.names.partitions

        await run.send(context.size.events // 3)
        await run.until(stopped, "the worker to stop at stamps a year ahead")
        assert not any(records for tp, records in run.observer.found.items() if tp.topic == run.names.membership)
        assert await late.stop() == 0
        # ticks are asked for too early, again and again, and decide nothing
        run.worker(mutation="clock:3600000")
        await run.send(context.size.events // 3)
        await asyncio.sleep(3)
        run.worker()
        await run.send(context.size.events // 3)
        return Report(await run.finish(), run.notes)


async def wakes_at_once(context: Context) -> Report:
    """Fault 13: so many wakes due at one instant, in one partition; a worker is killed while they fire."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, partitions=1) as run:
        victim = run.worker(mutation=context.mutation)
        await run.ready(victim)
        await _burst(run, context.size.events)
        peak = 0

        async def firing() -> bool:
            nonlocal peak
            status = await victim.ask()
            peak = max(peak, resident_mb(victim.process.pid))
            return status is not None and status["changes"] > context.size.events * 1.3

        with_wakes = context.size.events * 2
        await run.until(firing, f"some of {with_wakes} changes", every_s=0.02)
        victim.kill()
        run.worker()
        run.notes |= {"wakes at one instant": context.size.events, "peak RSS MB": peak}
        return Report(await run.finish(), run.notes)


async def _burst(run: Run, people: int) -> None:
    """One event each, all with one and the same time: `c-quiet` falls due for all at one instant."""
    producer = AIOKafkaProducer(bootstrap_servers=run.names.bootstrap, acks="all", linger_ms=20, max_batch_size=262_144)
    await producer.start()
    time_ms = time.time_ns() // 1_000_000 + people * 2
    waiting = []
    for n in range(people):
        event = {
            "specversion": "1.0",
            "id": f"burst-{n}",
            "source": "/burst",
            "type": "note.added",
            "subject": f"hcp:{n}",
            "time": instant(time_ms),
            "data": {},
        }
        waiting.append(await producer.send(run.names.events, json.dumps(event).encode(), key=f"hcp:{n}".encode()))
    await asyncio.gather(*waiting)
    await producer.stop()

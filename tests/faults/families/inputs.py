"""Faults 9, 10, 11, 12, 13: bad events, repeated and late ones, producers' clocks, a hot key, many wakes at once."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Final

from aiokafka import AIOKafkaProducer

from rules.ground.partitioning import partition_of
from tests.faults.arrivals import Arrivals, p99
from tests.faults.fault import Context, Report
from tests.faults.model import instant
from tests.faults.stage import Run, deployment, resident_mb, store
from tests.faults.traffic import Mix

PLAIN: Final = Mix(people=400, per_second=1_500)
HOT_PER_SECOND: Final = 1_000
HOT_SPELLS: Final = 10
"""Without the hot key and with it, in turn, so that other load of the machine meets both."""


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
    """Fault 9: one event in a hundred is bad, in fourteen ways; each becomes one dead letter, unchanged."""
    return await _plain(context, replace(PLAIN, bad=0.01))


async def repeated_and_late(context: Context) -> Report:
    """Fault 10: a tenth of the events is repeated, a third up to an hour late, a tenth up to seven days late."""
    return await _plain(context, replace(PLAIN, repeated=0.1, reordered=0.33, late=0.15))


async def producer_clocks(context: Context) -> Report:
    """Fault 11: producers' clocks are up to ten minutes off; beyond the limit ahead is bad input."""
    return await _plain(context, replace(PLAIN, skew_ms=600_000))


async def hot_key(context: Context) -> Report:
    """Fault 12: at times a third of all events is on one profile; the other partitions hardly feel it."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    without = replace(PLAIN, per_second=HOT_PER_SECOND)
    async with deployment(context.servers, valkey, context.seed, mix=without) as run:
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        took_ms: dict[bool, list[float]] = {False: [], True: []}
        elsewhere = set(range(run.names.partitions)) - {partition_of(b"hcp:hot", run.names.partitions)}
        spell_s = context.size.events / HOT_PER_SECOND / HOT_SPELLS
        async with Arrivals(run.names) as arrivals:
            traffic = await run.start_traffic()
            await asyncio.sleep(2)
            for n in range(HOT_SPELLS):
                hot = n % 2 == 1
                context.say(f"spell {n + 1} of {HOT_SPELLS}{', hot' if hot else ''}")
                traffic.mix = replace(without, hot=0.3 if hot else 0.0)
                await asyncio.sleep(0.3)
                arrivals.seen.clear()
                await asyncio.sleep(spell_s)
                some = [one for one in arrivals.seen if one.partition in elsewhere and one.record_ms >= 0]
                took_ms[hot] += [one.took_ms for one in some]
            run.notes["events"] = await run.stop_traffic()
        usual_ms, hot_ms = p99(took_ms[False]), p99(took_ms[True])
        run.notes |= {"p99 ms without": round(usual_ms), "p99 ms with it, elsewhere": round(hot_ms)}
        if context.alone:
            assert hot_ms <= 2 * usual_ms, f"p99 elsewhere went from {usual_ms:.0f} to {hot_ms:.0f} ms"
        return Report(await run.finish(), run.notes)


async def wakes_at_once(context: Context) -> Report:
    """Fault 13: thousands of wakes fall due at one instant in one partition; a worker is killed while they fire."""
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
        run.worker(mutation=context.mutation)
        run.notes |= {"wakes at one instant": context.size.events, "peak RSS MB": peak}
        return Report(await run.finish(), run.notes)


async def _burst(run: Run, people: int) -> None:
    """Send one event for each profile, all with the same time: `c-quiet` falls due for all at one instant."""
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

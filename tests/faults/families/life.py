"""Faults 25 and 26, which are daily life: a rolling restart under load, and a long backlog."""

import asyncio
import json
import time
from typing import Final

from aiokafka import AIOKafkaProducer

from tests.faults.arrivals import Arrivals
from tests.faults.fault import Context, Report
from tests.faults.model import instant
from tests.faults.stage import PATIENCE_S, Run, WorkerProcess, deployment, resident_mb, store
from tests.faults.traffic import Mix

LOAD: Final = Mix(people=300, per_second=300)
STOP_S_MAX: Final = 10.0
"""The time that a clean stop may take."""
BACKLOG_MB_MAX: Final = 1_500
"""Growth of one worker: a leak of a few hundred bytes a record would break this bound at a million records."""
AT_ONCE: Final = 5_000


async def rolling_restart(context: Context) -> Report:
    """Fault 25: three workers under load, stopped by SIGTERM and replaced, one after the other."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    settings: dict[str, object] = {"session_timeout_ms": 10_000}
    async with deployment(context.servers, valkey, context.seed, partitions=6, mix=LOAD, settings=settings) as run:
        workers = [run.worker(mutation=context.mutation) for _ in range(3)]
        await run.ready(*workers)
        async with Arrivals(run.names) as arrivals:
            await run.start_traffic()
            await asyncio.sleep(5)
            usual_from_ms = time.time() * 1000 - 3_000
            usual_s = arrivals.longest_gap_s(usual_from_ms, time.time() * 1000)
            began_ms = time.time() * 1000
            slowest_s = unowned_s = 0.0
            for n in range(3):
                context.say(f"worker {n + 1} of 3")
                watching = asyncio.ensure_future(_unowned(run, workers))
                began_s = time.monotonic()
                assert await workers.pop(0).stop() == 0
                slowest_s = max(slowest_s, time.monotonic() - began_s)
                workers.append(run.worker(mutation=context.mutation))
                await run.ready(*workers)
                await asyncio.sleep(2)
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
                unowned_s = max(unowned_s, run.notes.pop("unowned", 0.0))
            gap_s = arrivals.longest_gap_s(began_ms, time.time() * 1000)
        await run.stop_traffic()
        assert slowest_s < (STOP_S_MAX if context.alone else PATIENCE_S), f"a stop took {slowest_s:.1f} s"
        run.notes |= {
            "stopped within s": round(slowest_s, 1),
            "longest gap s": round(gap_s, 2),
            "of that in the group s": round(unowned_s, 2),
            "without a restart s": round(usual_s, 2),
        }
        return Report(await run.finish(), run.notes)


async def _unowned(run: Run, workers: list[WorkerProcess]) -> None:
    """Return the longest time in which no member held the partitions."""
    began_s: float | None = None
    while True:
        statuses = [await worker.ask() for worker in list(workers)]
        given = sum(len(one["partitions"]) for one in statuses if one is not None)
        now_s = time.monotonic()
        if given < run.names.partitions:
            began_s = began_s or now_s
            run.notes["unowned"] = max(run.notes.get("unowned", 0.0), now_s - began_s)
        else:
            began_s = None
        await asyncio.sleep(0.02)


async def long_backlog(context: Context) -> Report:
    """Fault 26: two workers meet a backlog of a million records; their memory does not grow with it."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed) as run:
        await _fill(context, run)
        context.say("workers begin")
        began_s = time.monotonic()
        workers = [run.worker(mutation=context.mutation) for _ in range(2)]
        await run.ready(*workers)
        await run.settle(PATIENCE_S * 6)
        drained_s = time.monotonic() - began_s
        peak_mb = max(resident_mb(worker.process.pid) for worker in workers)
        assert peak_mb < BACKLOG_MB_MAX, f"a worker took {peak_mb} MB"
        run.notes |= {"backlog": context.size.events, "peak RSS MB": peak_mb, "out within s": round(drained_s, 1)}
        return Report(await run.finish(), run.notes)


async def _fill(context: Context, run: Run) -> None:
    """Send `count` events as fast as possible."""
    producer = AIOKafkaProducer(bootstrap_servers=run.names.bootstrap, acks="all", linger_ms=20, max_batch_size=262_144)
    await producer.start()
    people = max(100, context.size.events // 50)
    try:
        for first in range(0, context.size.events, AT_ONCE):
            context.say(f"{first:,} of {context.size.events:,} sent")
            waiting = []
            for n in range(first, min(first + AT_ONCE, context.size.events)):
                subject = f"hcp:{run.rng.randrange(people)}"
                event = {
                    "specversion": "1.0",
                    "id": f"b{n}",
                    "source": "/backlog",
                    "type": "portal.login",
                    "subject": subject,
                    "time": instant(time.time_ns() // 1_000_000),
                    "data": {},
                }
                value = json.dumps(event).encode()
                waiting.append(await producer.send(run.names.events, value, key=subject.encode()))
            await asyncio.gather(*waiting)
    finally:
        await producer.stop()

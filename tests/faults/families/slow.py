"""Faults 13 and 24: an output broker that is slow for minutes; a consumer that goes silent.

Workers connect through a proxy; senders and readers connect directly. The client id in a fetch tells whether a worker's
consumer or a claim sent it.
"""

import asyncio
import time
from typing import Final

from tests.faults.families.doors import door, proxied
from tests.faults.fault import Context, Report
from tests.faults.proxy import FETCH, PRODUCE, Direction, Fate, api_key, client_id
from tests.faults.stage import PATIENCE_S, Run, WorkerProcess, deployment, resident_mb, store
from tests.faults.traffic import Mix

UNPUBLISHED_MAX: Final = 1_000
"""How many records of a partition a worker may hold in these runs."""
PAUSED_MS: Final = 1_000
"""A record that waits longer than this after it was read was held back."""
GROWTH_MB_MAX: Final = 300
"""How much a worker may grow while it cannot publish: records bound what it holds, not time."""
CONSUMER: Final = b"segue"
"""The client id of a worker's consumer (streams.intake.thread)."""


async def slow_output(context: Context) -> Report:
    """Fault 13b: every batch of a worker takes seconds to arrive; the input goes on, is paused, then drained."""
    kafka, proxy = await context.stack.enter_async_context(proxied(context))
    valkey = context.stack.enter_context(store(context.servers.folder))
    mix = Mix(people=400, per_second=300)
    settings: dict[str, object] = {"unpublished_records_max": UNPUBLISHED_MAX}
    async with deployment(
        context.servers, valkey, context.seed, kafka=kafka, bootstrap=door(proxy), mix=mix, settings=settings
    ) as run:
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        await run.send(1_000)
        before_mb = resident_mb(worker.process.pid)

        def judge(direction: Direction, piece: bytes) -> tuple[Fate, float]:
            slow = direction == "request" and api_key(piece) == PRODUCE
            return "pass", run.rng.uniform(2.5, 4) if slow else 0.0

        await run.start_traffic()
        proxy.judge = judge
        in_hand, lag = await _watch(context, run, worker)
        proxy.judge = lambda direction, piece: ("pass", 0.0)
        sent = await run.stop_traffic()
        grown_mb = resident_mb(worker.process.pid) - before_mb
        assert grown_mb < GROWTH_MB_MAX, f"it grew by {grown_mb} MB"
        # the worker may be in the middle of a chunk when the limit is reached
        assert in_hand < UNPUBLISHED_MAX * 2, f"{in_hand} records of a partition were applied and not out"
        assert lag >= PAUSED_MS, "nothing that was read had to wait: the broker was not slow enough"
        run.notes |= {"slow s": round(context.size.seconds), "sent meanwhile": sent, "most lag ms": lag}
        run.notes |= {"most in hand": in_hand, "grown RSS MB": grown_mb}
        return Report(await run.finish(), run.notes)


async def _watch(context: Context, run: Run, worker: WorkerProcess) -> tuple[int, int]:
    """Watch for a time; return the most records of a partition in hand, and the longest wait of a record read."""
    in_hand, lag_ms = 0, 0
    end_s = time.monotonic() + context.size.seconds
    while time.monotonic() < end_s or (lag_ms < PAUSED_MS and time.monotonic() < end_s + PATIENCE_S / 3):
        status = await worker.ask()
        for one in () if status is None else status["partitions"]:
            if min(one["submitted_offset"], one["published_offset"]) >= 0:
                in_hand = max(in_hand, one["submitted_offset"] - one["published_offset"])
            lag_ms = max(lag_ms, one["lag_ms"] or 0)
        context.say(f"{in_hand} records in hand")
        await asyncio.sleep(0.25)
    return in_hand, lag_ms


async def silent_consumer(context: Context) -> Report:
    """Fault 24: no fetch of a worker's consumer is answered, all else is. The worker notices, says so, and recovers."""
    kafka, proxy = await context.stack.enter_async_context(proxied(context))
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(
        context.servers, valkey, context.seed, kafka=kafka, bootstrap=door(proxy), mix=Mix(people=120, per_second=60)
    ) as run:
        worker = run.worker(mutation=context.mutation)
        await run.ready(worker)
        muted = 0

        def judge(direction: Direction, piece: bytes) -> tuple[Fate, float]:
            nonlocal muted
            if direction == "request" and api_key(piece) == FETCH and client_id(piece) == CONSUMER:
                muted += 1
                return "mute", 0.0
            return "pass", 0.0

        for n in range(context.size.times):
            await run.start_traffic()
            await asyncio.sleep(run.rng.uniform(1, 3))
            context.say(f"silence {n + 1} of {context.size.times}")
            proxy.judge, muted = judge, 0
            began_s = time.monotonic()
            await run.until(lambda: _told(worker), "the worker to notice", every_s=0.1)
            noticed_s = time.monotonic() - began_s
            proxy.judge = lambda direction, piece: ("pass", 0.0)
            await run.stop_traffic()
            await run.settle()
            went_on_s = time.monotonic() - began_s
            assert worker.alive, worker.said()
            assert noticed_s < (30 if context.alone else 60), f"noticed after {noticed_s:.0f} s"
            run.notes["noticed within s"] = max(run.notes.get("noticed within s", 0), round(noticed_s, 1))
            run.notes["caught up within s"] = max(run.notes.get("caught up within s", 0), round(went_on_s, 1))
        return Report(await run.finish(), run.notes)


async def _told(worker: WorkerProcess) -> bool:
    """Return whether the worker says that it hears nothing, and is not ready."""
    status = await worker.ask()
    return status is not None and not status["ready"] and "nothing was read" in status["silent"]

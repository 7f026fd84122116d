"""Fault 27: history is filled in, and something comes between: a kill, a rollback, a broker's restart, another cut."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from streams.embedded import KafkaServer
from tests.faults.checker import Violated
from tests.faults.families.audit import audit
from tests.faults.families.rollbacks import Kept
from tests.faults.families.stores import connect
from tests.faults.fault import Context, Report
from tests.faults.model import OFTEN, VISITS
from tests.faults.reading import read_all
from tests.faults.stage import Run, deployment, own_kafka, store
from tests.faults.traffic import Mix

MIX: Final = Mix(people=150, per_second=150)
LINKED: Final = Mix(people=100, per_second=80, links=0.12, erasures=0.0015, crossing=0.1)
SLOWLY: Final = {"FILL_RECORDS_PER_S_MAX": 25}
"""So a fill of 150 profiles takes seconds."""


async def interrupted(context: Context) -> Report:
    """Fault 27: each way to interrupt a fill, by seed; `segue fill` ends it, and everybody is where he belongs."""
    return await _interrupted(context, MIX)


async def interrupted_with_links(context: Context) -> Report:
    """Fault 30e: the same, and links go on before the cut, while history is written, and after it."""
    return await _interrupted(context, LINKED, frozenset({"i-visits", "j-often", "q-visits"}))


async def _interrupted(context: Context, mix: Mix, loose: frozenset[str] = frozenset()) -> Report:
    valkey = context.stack.enter_context(store(context.servers.folder))
    kafka = await context.stack.enter_async_context(own_kafka(context.servers))
    async with deployment(context.servers, valkey, context.seed, kafka=kafka, mix=mix) as run:
        run.names = replace(run.names, loose=loose)
        run.worker(mutation=context.mutation)
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.start_traffic()
        await asyncio.sleep(4)
        kept = Kept(connect(valkey), run)
        await kept.keep()
        folder = run.folder_of(VISITS)
        process = run.begin("apply", folder, **SLOWLY)
        await run.until(lambda: _writes(run), "histories to be written", every_s=0.1)
        name, interrupt = INTERRUPTIONS[context.seed % len(INTERRUPTIONS)]
        context.say(name)
        run.notes[name] = 1
        await interrupt(context, run, kept, process, kafka)
        await kept.client.aclose()
        await asyncio.sleep(run.rng.uniform(0, 2))
        await run.segue("fill")
        await asyncio.sleep(1)
        await run.stop_traffic()
        counted = await run.finish()
        entered = await _backfilled(run)
        run.notes["entered by a fill"] = entered
        if mix.links:
            run.notes |= {"effects": counted.effects, "entered for a link": counted.merged}
            run.require("links in a fill", "entered for a link")
        if not entered:
            raise Violated("L0 nobody entered when the history was filled in")
        context.say("verify, dump, rebuild")
        await audit(run)
        return Report(counted, run.notes)


Interrupt = Callable[[Context, Run, Kept, Any, KafkaServer], Awaitable[None]]


async def _killed(context: Context, run: Run, kept: Kept, process: Any, kafka: KafkaServer) -> None:
    process.kill()
    await asyncio.to_thread(process.wait)


async def _rolled_back(context: Context, run: Run, kept: Kept, process: Any, kafka: KafkaServer) -> None:
    """Redis goes back to before the cut, and the fill goes on. With links one partition goes back alone."""
    every = range(run.names.partitions)
    for partition in [run.rng.choice(every)] if run.mix.links else every:
        await kept.go_back(context, partition, kept.states[partition][0])
    await _ended(process)


async def _restarted(context: Context, run: Run, kept: Kept, process: Any, kafka: KafkaServer) -> None:
    """The broker is killed and comes back; the filler waits for it."""
    await asyncio.to_thread(kafka.kill)
    await asyncio.sleep(run.rng.uniform(0, 3))
    await asyncio.to_thread(kafka.restart)
    await asyncio.to_thread(process.wait)  # it may have given up: `segue fill` goes on


async def _another_cut(context: Context, run: Run, kept: Kept, process: Any, kafka: KafkaServer) -> None:
    """Another catalogue comes; both fills go on beside each other."""
    await run.apply(OFTEN)
    await _ended(process)


INTERRUPTIONS: Final[tuple[tuple[str, Interrupt], ...]] = (
    ("kill -9 of the filler", _killed),
    ("Redis rolled back", _rolled_back),
    ("broker restarted", _restarted),
    ("another cut", _another_cut),
)


async def _ended(process: Any) -> None:
    status = await asyncio.to_thread(process.wait)
    assert status == 0, f"the apply ended with {status}"


async def _writes(run: Run) -> bool:
    found = await read_all(run.names.bootstrap, [run.names.events], run.names.partitions)
    return sum(b'"segue.history"' in (record.value or b"") for records in found.values() for record in records) > 10


async def _backfilled(run: Run) -> int:
    found = await read_all(run.names.bootstrap, [run.names.membership], run.names.partitions)
    changes = [record.value or b"" for records in found.values() for record in records]
    return sum(b'"segment":"i-visits"' in value and b'"backfill":true' in value for value in changes)

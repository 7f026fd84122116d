"""Faults 15 and 16: a catalogue changes mid-stream; the whole log again, into a new generation."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

from tests.faults.checker import Outcome, Violated
from tests.faults.families.audit import audit
from tests.faults.fault import Context, Report
from tests.faults.model import LAST, SECOND, THIRD
from tests.faults.reading import create_topics
from tests.faults.stage import TOPICS, Run, deployment, store
from tests.faults.traffic import Mix

MIX: Final = Mix(people=150, per_second=150)


async def changed_mid_stream(context: Context) -> Report:
    """Fault 15: two new catalogues while events flow and a worker dies; one cut a partition, the same on replay."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=MIX) as run:
        await run.ready(run.worker(mutation=context.mutation))
        await run.start_traffic()
        # it may meet the first cut again and die there
        victim = run.worker(at="kill@cut:1" if context.seed % 2 else "", mutation=context.mutation)
        await asyncio.sleep(3)
        await run.apply(SECOND)
        await asyncio.sleep(run.rng.uniform(0, 2))
        victim.kill()
        await asyncio.sleep(run.rng.uniform(0, 2))
        await run.apply(THIRD)
        await asyncio.sleep(2)
        await run.apply(LAST)
        await asyncio.sleep(1)
        await run.stop_traffic()
        counted = await run.finish()
        context.say("verify, dump, rebuild")
        await audit(run)
        return Report(counted, run.notes)


async def replayed_from_nothing(context: Context) -> Report:
    """Fault 16: the whole input again into a new generation: only the generation of the changes differs."""
    valkey = context.stack.enter_context(store(context.servers.folder))
    async with deployment(context.servers, valkey, context.seed, mix=replace(MIX, per_second=600)) as run:
        run.worker(mutation=context.mutation)
        await run.ready(*run.alive)
        await run.send(context.size.events // 2)
        await run.apply(SECOND)
        await run.send(context.size.events - context.size.events // 2)
        counted = await run.finish()
        await run.segue("verify")
        before = await Outcome.read(run.names, run.catalogues)
        async with again(run) as second:
            second.worker()
            # ticks pass the wakes of the meantime, and both generations are compared with them
            await second.settle(ahead_ms=0)
            for worker in second.alive:
                assert await worker.stop() == 0, worker.said()
            after = await Outcome.read(second.names, run.catalogues)
            await after.check(second.observer.found)
        for partition in range(run.names.partitions):
            for one, two in zip(run.names.streams, second.names.streams, strict=True):
                old = [_but_generation(record) for record in before.of(one.topic, partition)]
                new = [_but_generation(record) for record in after.of(two.topic, partition)]
                if new[: len(old)] != old:
                    raise Violated(f"L0 partition {partition} {two.topic}: the replay's changes are not the same bytes")
        return Report(counted, run.notes)


def _but_generation(record: Any) -> bytes:
    value = json.loads(record.value)
    value["id"] = value["id"].partition("/")[2]
    return json.dumps(value).encode()


class again:  # noqa: N801 - a context manager, used like a function
    """A second deployment over the same input and catalogues, of another generation."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def __aenter__(self) -> Run:
        from tests.faults.reading import Observer

        run = self._run
        prefix = f"{run.names.prefix}b"
        shared = ("events", "catalogues")
        topics = {
            f"SEGUE_{role.upper()}_TOPIC": f"{prefix}.{topic}" for role, topic in TOPICS.items() if role not in shared
        }
        more = {"SEGUE_GENERATION": "g2", "SEGUE_REDIS_PREFIX": prefix, "SEGUE_GROUP": prefix}
        more["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{prefix}.activation"
        names = replace(
            run.names,
            membership=topics["SEGUE_MEMBERSHIP_TOPIC"],
            current=topics["SEGUE_CURRENT_TOPIC"],
            dead_letters=topics["SEGUE_DEAD_LETTER_TOPIC"],
            prefix=prefix,
            generation="g2",
        )
        observer = Observer(names.bootstrap, names.topics, names.partitions)
        self._second = replace(
            run,
            names=names,
            environment={**run.environment, **topics, **more},
            observer=observer,
            workers=[],
            notes={},
        )
        await self._second.segue("topics")
        # `segue apply` would make the channels' topics, and another cut in the input, too
        await create_topics(names.bootstrap, [name for one in names.streams[1:] for name in one[1:]], names.partitions)
        await observer.__aenter__()
        return self._second

    async def __aexit__(self, *raised: object) -> None:
        for worker in self._second.alive:
            worker.kill()
        await self._second.observer.__aexit__(*raised)

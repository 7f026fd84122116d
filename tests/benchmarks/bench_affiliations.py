"""Measure an organisation with many people: what it is told reaches each of them, and others do not wait for it.

    python -m tests.benchmarks.bench_affiliations [--people 100000] [--rate 2000] [--seconds 60] [--at 15]
                                                  [--segments 50] [--workers 1] [--profiles 20000]

Starts the embedded Kafka and Valkey and workers on the benchmark's catalogue.

1. **Ties.** The organisation is told that something is covered. Then each person is tied to it, and is told at once.
   All of that is a backlog, sent while no worker runs, and timed from the first entry to the last.
2. **Telling.** Workers start with empty memories. Events of other profiles are sent at a rate; `--at` seconds later the
   organisation is told that it is not covered any more, and each person leaves. Timed from the scheduled send of that
   event to the first and to the last exit. One event in ten is a probe: an event of a new profile, timed from its
   scheduled send to its entry. Probes sent before the telling are compared with those sent while it was under way.

Changes count when a `read_committed` reader has them. The load is a process of its own; the worker is `segue worker`
with clocks around it (`tests.benchmarks.noting_worker`). Everything runs on the same cores. The last line is JSON.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from rules.engine.persons.effects import REACHED_TYPE, REACHING_TYPE, TIED_TYPE
from streams.embedded.kafka import STEADY
from tests.benchmarks.contest.children import load
from tests.benchmarks.contest.figures import quantile
from tests.benchmarks.contest.loader import BATCH_BYTES, Job, Sender
from tests.benchmarks.contest.memory import used_bytes
from tests.benchmarks.ending import end_in_order
from tests.benchmarks.link_changes import listening
from tests.benchmarks.load.affiliations import ties, told, with_telling
from tests.benchmarks.load.catalogue import texts_of
from tests.benchmarks.load.events import Made
from tests.benchmarks.load.plan import Plan, make_plan, with_probes
from tests.benchmarks.peers.engine import Ground
from tests.benchmarks.peers.segue import Segue
from tests.benchmarks.told_changes import Heard
from tests.servers import running_kafka, running_valkey, unique

SETTLE_S: Final = 2.5
"""Until what is written behind is in the store."""
BEGIN_S: Final = 2.0
"""Of the open loop: its begin, which is not counted."""
READY_S: Final = 6.0
"""Until the loader process has started, on a busy machine."""
PROBES_EVERY: Final = 10
NOTED: Final = "noted.json"
EFFECTS: Final = (TIED_TYPE, REACHING_TYPE, REACHED_TYPE)


def texts_of_telling(plan: Plan) -> Mapping[str, str]:
    """Write the files of the catalogue, with the organisation's events."""
    return with_telling(texts_of(plan))


@dataclass
class Bench:
    """A deployment, and its reader."""

    ground: Ground
    engine: Segue
    heard: Heard
    options: argparse.Namespace

    async def ties(self) -> dict[str, Any]:
        """Tie everybody; returns the figures."""
        people, empty = self.options.people, await self._used()
        now_ms = int(time.time() * 1000)
        await self._send([told("first", "covered", now_ms)])
        await self._send(ties(range(people), now_ms))
        self.heard.begin()
        running = self.engine.start(self.ground)
        try:
            await self.heard.wait(people)
            await asyncio.sleep(SETTLE_S)
        finally:
            await asyncio.to_thread(running.stop)
        seconds = max(0.001, self.heard.told_s[-1] - self.heard.told_s[0])
        return {
            "people": people,
            "seconds": round(seconds, 2),
            "ties_per_second": round(people / seconds),
            "store_bytes_a_person": round((await self._used() - empty) / people),
            "worker": self._noted(),
        }

    async def telling(self) -> dict[str, Any]:
        """Tell the organisation something while other profiles' events come; returns the figures."""
        options = self.options
        running = self.engine.start(self.ground)
        try:
            await asyncio.to_thread(running.wait_ready)
            self.heard.begin()
            count, told_at = int(options.rate * options.seconds), int(options.rate * options.at)
            job = self._job("paced", count)
            job = replace(job, probes_every=PROBES_EVERY, told_at=told_at, told_status="excluded")
            job = replace(job, start_s=time.time() + READY_S + count * 30e-6)
            result = await asyncio.to_thread(load(job).result)
            await self.heard.wait(options.people, count // PROBES_EVERY)
        finally:
            await asyncio.to_thread(running.stop)
        sent_s = job.start_s + told_at / options.rate
        first_s, last_s = self.heard.told_s[0] - sent_s, self.heard.told_s[-1] - sent_s
        late = {
            place / options.rate: (at_s - job.start_s - place / options.rate) * 1000
            for place, at_s in self.heard.probes_s.items()
        }
        before = [ms for at_s, ms in late.items() if BEGIN_S <= at_s < options.at]
        during = [ms for at_s, ms in late.items() if options.at <= at_s < options.at + last_s]
        after = [ms for at_s, ms in late.items() if at_s >= options.at + last_s]
        return {
            "rate": options.rate,
            "first_s": round(first_s, 3),
            "last_s": round(last_s, 2),
            "told_per_second": round(options.people / last_s),
            "others": {"before": spread(before), "during": spread(during), "after": spread(after)},
            "loader_late_ms": result["late_ms"],
            "worker": self._noted(),
        }

    async def records(self) -> dict[str, Any]:
        """Read the input; returns how many effects there were, and the largest of each type."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.ground.bootstrap, isolation_level="read_committed", check_crcs=False
        )
        await consumer.start()
        try:
            topic = self.engine.events_topic(self.ground)
            partitions = [TopicPartition(topic, n) for n in range(self.ground.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            largest: Counter[str] = Counter()
            found: Counter[str] = Counter()
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for fetched in (await consumer.getmany(timeout_ms=500)).values():
                    for record in fetched:
                        name = next((each for each in EFFECTS if f'"type":"{each}"'.encode() in record.value), None)
                        if name is not None:
                            found[name] += 1
                            largest[name] = max(largest[name], len(record.value))
            return {name: {"records": found[name], "largest_bytes": largest[name]} for name in EFFECTS}
        finally:
            await consumer.stop()

    def _noted(self) -> dict[str, Any]:
        noted: dict[str, Any] = json.loads((self.ground.folder / NOTED).read_text())
        return noted

    async def _used(self) -> int:
        return await asyncio.to_thread(used_bytes, self.ground.redis_url)

    def _job(self, kind: str, events: int) -> Job:
        ground = self.ground
        topic = self.engine.events_topic(ground)
        return Job(
            kind,
            ground.bootstrap,
            topic,
            ground.partitions,
            self.options.profiles,
            events,
            "x",
            rate=self.options.rate,
        )

    async def _send(self, events: Iterable[Made]) -> None:
        job = self._job("ties", 0)
        producer = AIOKafkaProducer(bootstrap_servers=job.bootstrap, acks="all", max_batch_size=BATCH_BYTES)
        await producer.start()
        try:
            await Sender(job, producer).send(events)
        finally:
            await producer.stop()


def spread(late_ms: Sequence[float]) -> dict[str, Any]:
    """Return quantiles of latencies."""
    shares = (("p50_ms", 0.5), ("p99_ms", 0.99), ("max_ms", 1.0))
    return {"probes": len(late_ms), **{name: quantile(late_ms, share) for name, share in shares}}


async def run(options: argparse.Namespace, bootstrap: str, redis_url: str) -> dict[str, Any]:
    """Make the deployment, and measure; returns the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        command = (sys.executable, "-W", "ignore", "-m", "tests.benchmarks.noting_worker", str(path / NOTED))
        kept = {"SEGUE_PROFILES_CACHED_MAX": "200000"}
        engine = Segue(workers=options.workers, command=command, environment=kept, texts=texts_of_telling)
        ground = Ground(bootstrap, redis_url, unique("affiliations"), options.partitions, path, options.people)
        await asyncio.to_thread(engine.prepare, ground, with_probes(make_plan(options.segments)))
        async with listening(ground, engine.changes_topic(ground), Heard()) as heard:
            bench = Bench(ground, engine, heard, options)
            found: dict[str, Any] = {"ties": await bench.ties()}
            print(json.dumps(found), flush=True)
            found["telling"] = await bench.telling()
            print(json.dumps(found), flush=True)
            return {**found, "effects": await bench.records()}


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments; None: the command line's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000, help="tied to the organisation (100,000)")
    parser.add_argument("--rate", type=int, default=2_000, help="events/s of other profiles (2,000)")
    parser.add_argument("--seconds", type=float, default=60, help="how long they are sent (60)")
    parser.add_argument("--at", type=float, default=15, help="after how many seconds the organisation is told (15)")
    parser.add_argument("--segments", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--profiles", type=int, default=20_000, help="profiles of the other events (20,000)")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure."""
    end_in_order()
    options = options_of()
    with running_kafka(STEADY) as kafka, running_valkey() as valkey:
        print(json.dumps(asyncio.run(run(options, kafka.bootstrap, valkey.redis_url))))


if __name__ == "__main__":
    main()

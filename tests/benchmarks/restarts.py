"""Measure how long partitions stand while workers are restarted or die: with a name each in the group, and without.

    python -m tests.benchmarks.restarts [--ways …] [--workers 3] [--partitions 12] [--rate 1000] [--session-ms 10000]

Each event is the first of its subject and gives one change, so a partition that publishes nothing stands. A reader
notes when each change can be read (read_committed). Of each way it prints the longest time without a change, of the
worst partition and of the median one, and how late the latest change was. The ways:

    names       one worker after the other is stopped and started again under its name, as a StatefulSet does
    stay        the same, and a worker that stops does not leave the group (SEGUE_LEAVE_GROUP=false)
    no-names    the same without names
    surge       one new worker is started and ready before an old one is stopped, without names, as a Deployment does
    kill        a worker is killed with -9 and does not come back: the others take over
    back        a worker is killed with -9 and started again at once, under its name
    back-new    the same without names
    fewer       a worker with a name is stopped and does not come back
    fewer-stay  the same with SEGUE_LEAVE_GROUP=false

Afterwards every change must have been read, once. The last line is JSON.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.ground.partitioning import partition_of
from streams.embedded.kafka import STEADY
from tests.benchmarks.ending import end_in_order
from tests.servers import running_kafka, running_valkey, unique
from tests.streams.live import Live, WorkerProcess, live, wait_for
from tests.streams.world import catalogue

QUIET_S: Final = 3.0
"""Before a way begins, and after its last worker is ready."""


@dataclass
class Seen:
    """What a reader of the changes has noted since `begin`."""

    sent_s: list[float] = field(default_factory=list)
    """By the number in the subject: when its event was sent."""
    read: dict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    last_s: dict[int, float] = field(default_factory=dict)
    gap_s: dict[int, float] = field(default_factory=dict)
    late_s: float = 0.0

    def begin(self) -> None:
        """Forget gaps and delays."""
        self.gap_s.clear()
        self.late_s = 0.0
        now_s = time.perf_counter()
        self.last_s = dict.fromkeys(self.last_s, now_s)

    def note(self, partition: int, key: bytes, now_s: float) -> None:
        """Note one change."""
        self.read[key] += 1
        self.gap_s[partition] = max(self.gap_s.get(partition, 0.0), now_s - self.last_s.get(partition, now_s))
        self.last_s[partition] = now_s
        self.late_s = max(self.late_s, now_s - self.sent_s[int(key.rpartition(b":")[2])])


class Bench:
    """A deployment under load, and its reader."""

    def __init__(self, running: Live, options: argparse.Namespace, *, leave: bool) -> None:
        self.live: Final = running
        self.leave: Final = leave
        self.options: Final = options
        self.seen: Final = Seen()

    async def load(self) -> None:
        """Send events at the pace, for ever."""
        topic, partitions = self.live.deployment.events_topic, self.live.deployment.partitions
        began_s = time.perf_counter()
        while True:
            for _ in range(int((time.perf_counter() - began_s) * self.options.rate) - len(self.seen.sent_s)):
                subject = f"hcp:{len(self.seen.sent_s)}"
                event = {
                    "specversion": "1.0",
                    "id": subject,
                    "source": "/bench",
                    "type": "portal.login",
                    "subject": subject,
                    "time": "2026-03-01T00:00:00Z",
                    "data": {},
                }
                self.seen.sent_s.append(time.perf_counter())
                key = subject.encode()
                where = partition_of(key, partitions)
                await self.live.producer.send(topic, json.dumps(event).encode(), key=key, partition=where)
            await asyncio.sleep(0.01)

    async def read(self) -> None:
        """Note every change, for ever."""
        topic, partitions = self.live.deployment.membership_topic, self.live.deployment.partitions
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.live.settings.kafka_bootstrap_servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
        )
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, n) for n in range(partitions)])
            while True:
                found = await consumer.getmany(timeout_ms=100)
                now_s = time.perf_counter()
                for tp, records in found.items():
                    for record in records:
                        self.seen.note(tp.partition, record.key, now_s)
        finally:
            await consumer.stop()

    def start(self, name: str) -> WorkerProcess:
        """Start a worker; "": without a name."""
        return self.live.start_worker(group_instance_id=name, leave_group=self.leave)

    async def ready(self, workers: list[WorkerProcess]) -> None:
        """Wait until these workers hold all partitions and are ready."""

        def whole() -> bool:
            found = [worker.status() for worker in workers]
            held = [len(each["partitions"]) if each and each["ready"] else -1000 for each in found]
            return sum(held) == self.live.deployment.partitions

        await wait_for(lambda: asyncio.to_thread(whole), limit_s=90)

    async def caught_up(self) -> None:
        """Wait until every event sent so far was read as a change."""
        upto = len(self.seen.sent_s)
        await wait_for(lambda: len(self.seen.read) >= upto, limit_s=60)


Workers = list[WorkerProcess]


async def _in_place(bench: Bench, workers: Workers, names: list[str]) -> None:
    for number, name in enumerate(names):
        await asyncio.to_thread(workers[number].stop)
        workers[number] = bench.start(name)
        await bench.ready(workers)
        await asyncio.sleep(QUIET_S)


async def _surge(bench: Bench, workers: Workers, names: list[str]) -> None:
    for number, name in enumerate(names):
        new = bench.start(name)
        await bench.ready([*workers, new])
        await asyncio.to_thread(workers[number].stop)
        workers[number] = new
        await bench.ready(workers)
        await asyncio.sleep(QUIET_S)


async def _kill(bench: Bench, workers: Workers, names: list[str]) -> None:
    workers.pop().kill()
    await bench.ready(workers)


async def _back(bench: Bench, workers: Workers, names: list[str]) -> None:
    workers[-1].kill()
    workers[-1] = bench.start(names[-1])
    await bench.ready(workers)


async def _fewer(bench: Bench, workers: Workers, names: list[str]) -> None:
    await asyncio.to_thread(workers.pop().stop)
    await bench.ready(workers)


Way = Callable[[Bench, Workers, list[str]], Awaitable[None]]
WAYS: Final[dict[str, tuple[Way, bool]]] = {
    "names": (_in_place, True),
    "stay": (_in_place, True),
    "no-names": (_in_place, False),
    "surge": (_surge, False),
    "kill": (_kill, True),
    "back": (_back, True),
    "back-new": (_back, False),
    "fewer": (_fewer, True),
    "fewer-stay": (_fewer, True),
}
"""How each way goes, and whether its workers have names."""
STAY: Final = ("stay", "fewer-stay")


async def measure(bench: Bench, way: str) -> dict[str, Any]:
    """Run one way from the start of its workers to their stop, under load."""
    act, named = WAYS[way]
    names = [f"segue-{number}" if named else "" for number in range(bench.options.workers)]
    workers = [bench.start(name) for name in names]
    await bench.ready(workers)
    await bench.caught_up()
    await asyncio.sleep(QUIET_S)
    bench.seen.begin()
    began_s = time.perf_counter()
    await act(bench, workers, names)
    await bench.caught_up()
    await asyncio.sleep(QUIET_S)
    gaps = sorted(bench.seen.gap_s.values())
    found = {
        "way": way,
        "worst_gap_ms": round(gaps[-1] * 1000),
        "median_gap_ms": round(statistics.median(gaps) * 1000),
        "least_gap_ms": round(gaps[0] * 1000),
        "latest_ms": round(bench.seen.late_s * 1000),
        "took_s": round(time.perf_counter() - began_s, 1),
    }
    for worker in workers:
        await asyncio.to_thread(worker.stop)
    return found


async def run(options: argparse.Namespace, kafka: str, redis: str) -> list[dict[str, Any]]:
    results = []
    settings = {"session_timeout_ms": options.session_ms, "log_level": options.log}
    for way in options.ways:
        async with live(unique("restarts"), kafka, redis, partitions=options.partitions, **settings) as running:
            await running.apply(catalogue("known|enter: {everyone: true}"))
            bench = Bench(running, options, leave=way not in STAY)
            tasks = [asyncio.ensure_future(bench.load()), asyncio.ensure_future(bench.read())]
            found = await measure(bench, way)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            twice = sum(count > 1 for count in bench.seen.read.values())
            results.append({**found, "events": len(bench.seen.sent_s), "twice": twice})
            print(results[-1], flush=True)
    return results


def main() -> None:
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--rate", type=int, default=1_000, help="events a second")
    parser.add_argument("--session-ms", type=int, default=10_000)
    parser.add_argument("--log", default="error", help="what workers log")
    options = parser.parse_args()
    with running_kafka(STEADY) as kafka, running_valkey() as valkey:
        found = asyncio.run(run(options, kafka.bootstrap, valkey.redis_url))
    shown = {name: getattr(options, name) for name in ("workers", "partitions", "rate", "session_ms")}
    print(json.dumps({**shown, "ways": found}))


if __name__ == "__main__":
    main()

"""What the metrics cost a worker: the same backlog drained with them and without them, in turn.

    python -m tests.benchmarks.bench_metrics [--events 100000] [--rounds 5] [--every 15]
    python -m tests.benchmarks.bench_metrics --parts      # what counting costs alone, without servers


Each run is a deployment of its own on the same embedded servers, with the same events: logins of 5,000 profiles, of
which about 3 % change a membership. The worker's processor time is read between two points of the backlog, so its
start does not count. With metrics, somebody scrapes every so many seconds: by default 15, as deploy/prometheus does.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path
from random import Random

from rules.engine.change import Change
from rules.engine.outcome import Applied
from rules.ground.event import Event
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.clock import SystemClock
from streams.metrics.tally import Notes, Tally
from tests.benchmarks.ending import end_in_order
from tests.servers import running_kafka, running_valkey, unique
from tests.streams.live import Live, live
from tests.streams.metrics.scrape import free_port, scrape
from tests.streams.world import catalogue

PARTITIONS = 4
PROFILES = 5_000
FROM = 0.2
"""The share of the backlog after which the time begins."""
TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
RULES = catalogue(
    *(f"often{n}|enter: {{event: portal.login, count: {{at_least: {4 + 3 * n}}}, within: 30d}}" for n in range(12))
)


def events(count: int) -> list[tuple[bytes, bytes, int]]:
    """Return (key, value, partition) of synthetic logins."""
    chance, at_ms = Random(11), SystemClock().wall_ms()
    made = []
    for n in range(count):
        subject = f"hcp:{int(chance.random() ** 2 * PROFILES):07d}"
        event = {
            "specversion": "1.0",
            "id": f"e{n}",
            "source": "/portal",
            "type": "portal.login",
            "subject": subject,
            "time": format_instant(at_ms),
            "data": {"topic": "coverage"},
        }
        key = subject.encode()
        made.append((key, json.dumps(event).encode(), partition_of(key, PARTITIONS)))
    return made


async def fill(running: Live, made: list[tuple[bytes, bytes, int]]) -> None:
    """Write the events in batches."""
    await running.apply(RULES)
    topic, producer = running.deployment.events_topic, running.producer
    for partition in range(PARTITIONS):
        batch = producer.create_batch()
        for key, value, where in made:
            if where != partition:
                continue
            if batch.append(key=key, value=value, timestamp=None) is None:
                await (await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=partition))


def processor_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICKS_S


async def drain(
    kafka: str, redis: str, made: list[tuple[bytes, bytes, int]], *, metrics: bool, every_s: float
) -> tuple[float, float]:
    """Drain the backlog once, with a scrape every so often. Returns (µs of processor an event, events a second)."""
    async with live(unique("cost"), kafka, redis, partitions=PARTITIONS) as running:
        await fill(running, made)
        port = free_port()
        worker = running.start_worker(metrics=metrics, metrics_port=port, log_level="error")
        begun: tuple[int, float, float] | None = None
        scraped_s = 0.0
        while True:
            await asyncio.sleep(0.05)
            now_s = time.monotonic()
            done = (worker.status() or {}).get("events", 0)
            used_s = processor_s(worker.process.pid)
            if begun is None and done >= FROM * len(made):
                begun = done, used_s, now_s
            if begun is not None and metrics and now_s - scraped_s >= every_s:
                scraped_s = now_s
                await asyncio.to_thread(scrape, port)
            if done >= len(made):
                assert begun is not None, "the backlog is too short to be timed"
                count = done - begun[0]
                return 1e6 * (used_s - begun[1]) / count, count / (now_s - begun[2])


def counting(rounds: int = 300) -> float:
    """Return what counting costs, in µs an event: chunks of 200 records, of which 6 bring a change."""
    tally, clock = Tally(), SystemClock()
    event = Event("/portal", "e1", "portal.login", "hcp:1", clock.wall_ms(), {})
    quiet = Applied("event", event, [])
    change = Change("g1/hcp:1/1", "hcp:1", "often0", True, 1, clock.wall_ms(), "entry_rule", False, b"{}")
    chunk = [quiet] * 200
    began_s = time.process_time()
    for _ in range(rounds):
        types = [each.decoded.type for each in chunk if each.kind == "event"]  # type: ignore[union-attr]
        notes = Notes()
        for _ in range(6):
            notes.stamps_ms.append(clock.wall_ms())
            notes.changes.append(change)
        tally.applied(0, types, (), 0, 5.0, silent=False)
        tally.of(0).unwritten.note(1, 0, clock.now_ms())
        tally.published([(0, notes)], 5.0, clock.wall_ms())
    return 1e6 * (time.process_time() - began_s) / (rounds * len(chunk))


async def main(arguments: argparse.Namespace) -> None:
    """Print the cost of each run, and the medians."""
    end_in_order()
    if arguments.parts:
        print(f"counting: {statistics.median(counting() for _ in range(9)):.3f} µs an event")
        return
    made = events(arguments.events)
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with running_kafka() as kafka, running_valkey() as valkey:
        for number in range(arguments.rounds):
            for metrics in ((True, False), (False, True))[number % 2]:
                cost_us, rate = await drain(
                    kafka.bootstrap, valkey.redis_url, made, metrics=metrics, every_s=arguments.every
                )
                found[metrics].append((cost_us, rate))
                print(
                    f"metrics {'on ' if metrics else 'off'}: {cost_us:.2f} µs an event, {rate:,.0f} events/s",
                    flush=True,
                )
    on, off = (statistics.median(cost for cost, _ in found[each]) for each in (True, False))
    print(f"median: {on:.2f} µs on, {off:.2f} µs off, {100 * (on / off - 1):+.1f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--every", type=float, default=15, metavar="SECONDS", help="between two scrapes")
    parser.add_argument("--parts", action="store_true")
    asyncio.run(main(parser.parse_args()))

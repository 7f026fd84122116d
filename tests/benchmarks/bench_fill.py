"""How long history takes to be filled in, beside a plain read of the log, and what live events feel of it.

    python -m tests.benchmarks.bench_fill [--events 1000000] [--profiles 100000] [--rate 1000] [--pace 5000] [--wait]

Fills a log and lets a worker take it in under a catalogue of 50 segments. Then, one after the other: reads the log
plainly (one process, aiokafka, nothing decoded); sends live events at a rate, and among them markers, whose changes are
timed from the send to a `read_committed` reader; applies a catalogue with ten more segments, without filling; and runs
`segue fill` while that goes on. The ten count each a type of event within 60 days, so they ask for every event of ten
types of twenty. Prints a line of JSON. `--pace`: SEGUE_FILL_RECORDS_PER_S_MAX. `--wait`: wait for a line on standard
input before measuring.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.ground.partitioning import partition_of
from streams.embedded.kafka import STEADY
from tests.benchmarks.ending import end_in_order
from tests.benchmarks.load.catalogue import texts_of
from tests.benchmarks.load.events import Events
from tests.benchmarks.load.plan import DAY_MS, KINDS, MARKER, make_plan, with_probes
from tests.servers import running_kafka, running_valkey, unique
from tests.streams.live import ROOT, Live, WorkerProcess, live, wait_for

PARTITIONS = 4
MARKERS_PER_S = 50
QUIET_S = 15
"""How long live events are timed before the apply."""
NEW = {
    f"segments/new-{n}.yaml": json.dumps(
        {
            "segment": f"new-{n}",
            "version": 1,
            "status": "approved",
            "enter": {"event": KINDS[n], "count": {"at_least": 1}, "within": "60d"},
        }
    )
    for n in range(10)
}


@dataclass
class Latencies:
    """When markers were sent, and how long each took to its change, in ms."""

    sent: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def between(self, first_s: float, last_s: float) -> dict[str, float]:
        """Return the count, p50 and p99 of the markers sent in a span of the steady clock."""
        found = sorted(self.took[id_] for id_, at in self.sent.items() if first_s <= at < last_s and id_ in self.took)
        if len(found) < 2:
            return {"markers": len(found)}
        cuts = statistics.quantiles(found, n=100)
        return {"markers": len(found), "p50_ms": round(cuts[49], 1), "p99_ms": round(cuts[98], 1)}


async def send_live(one: Live, load: Events, rate: int, told: Latencies, over: asyncio.Event) -> None:
    """Send events at a rate, with markers among them, until it is over."""
    topic = one.deployment.events_topic
    stream = load.stream(10_000_000, lambda _: time.time_ns() // 1_000_000, name="live")
    began_s, count, marked = time.perf_counter(), 0, 0
    while not over.is_set():
        now_s = time.perf_counter()
        for _ in range(int((now_s - began_s) * rate) - count):
            made = next(stream)
            await one.producer.send(topic, made.value, key=made.subject.encode(), partition=_of(made.subject))
            count += 1
        for _ in range(int((now_s - began_s) * MARKERS_PER_S) - marked):
            marked += 1
            subject = f"hcp:marker-{marked}"
            made = load.probe(f"marker-{marked}", MARKER, subject, time.time_ns() // 1_000_000)
            event = json.loads(made.value)
            told.sent[f"{event['source']} {event['id']}"] = time.perf_counter()
            await one.producer.send(topic, made.value, key=subject.encode(), partition=_of(subject))
        await asyncio.sleep(0.005)


async def time_changes(one: Live, told: Latencies) -> None:
    """Read the changes for ever, and time those of markers."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=one.settings.kafka_bootstrap_servers, isolation_level="read_committed", fetch_max_wait_ms=20
    )
    await consumer.start()
    try:
        tps = [TopicPartition(one.deployment.membership_topic, n) for n in range(PARTITIONS)]
        consumer.assign(tps)
        await consumer.seek_to_end(*tps)
        while True:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    if b" evt-marker-" in record.value:
                        [id_] = json.loads(record.value)["reason"]["events"]
                        told.took.setdefault(id_, (time.perf_counter() - told.sent[id_]) * 1_000)
    finally:
        await consumer.stop()


def _of(subject: str) -> int:
    return partition_of(subject.encode(), PARTITIONS)


PLAIN_READ = """
import asyncio, sys, time
from aiokafka import AIOKafkaConsumer, TopicPartition
async def main(servers, topic, partitions):
    options = {"isolation_level": "read_committed", "max_partition_fetch_bytes": 8 << 20}
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, **options)
    await consumer.start()
    tps = [TopicPartition(topic, n) for n in range(partitions)]
    consumer.assign(tps)
    await consumer.seek_to_beginning(*tps)
    ends = await consumer.end_offsets(tps)
    began, count = time.perf_counter(), 0
    while any([await consumer.position(tp) < ends[tp] for tp in tps]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            count += len(records)
    print(time.perf_counter() - began, count)
    await consumer.stop()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def plain_read(one: Live) -> tuple[float, int]:
    """Return the seconds and the records of a plain read of the whole input, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PLAIN_READ,
        one.settings.kafka_bootstrap_servers,
        one.deployment.events_topic,
        str(PARTITIONS),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    seconds, count = out.split()
    return float(seconds), int(count)


async def segue(one: Live, environment: dict[str, str], *arguments: str) -> tuple[dict[str, Any], int]:
    """Run a command; return what it says, and the peak of its memory in bytes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", *arguments, "--json"),
        cwd=ROOT,
        env={**environment, **one.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    peak = 0

    async def watch() -> None:
        nonlocal peak
        status = Path(f"/proc/{process.pid}/status")
        while process.returncode is None:
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM"):
                    peak = max(peak, int(line.split()[1]) * 1024)
            await asyncio.sleep(0.1)

    watching = asyncio.ensure_future(watch())
    out, err = await process.communicate()
    watching.cancel()
    assert process.returncode == 0, err.decode()
    return json.loads(out), peak


async def caught_up(one: Live, worker: WorkerProcess) -> None:
    """Wait until all that is in the input now is published."""
    consumer = AIOKafkaConsumer(bootstrap_servers=one.settings.kafka_bootstrap_servers)
    await consumer.start()
    ends = await consumer.end_offsets([TopicPartition(one.deployment.events_topic, n) for n in range(PARTITIONS)])
    await consumer.stop()
    at = {tp.partition: end for tp, end in ends.items()}

    async def done() -> bool:
        status = await asyncio.to_thread(worker.status)
        found = {each["partition"]: each["published_offset"] for each in (status or {}).get("partitions", ())}
        return len(found) == PARTITIONS and all(found[p] >= end for p, end in at.items())

    await wait_for(done, 600)


async def measure(one: Live, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fill the log, then measure; return what was found."""
    import os

    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
    base = texts_of(with_probes(make_plan(50)))
    for name, files in (("base", base), ("more", {**base, **NEW})):
        for file, text in files.items():
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_text(text)
    await segue(one, environment, "apply", str(folder / "base"))
    worker = one.start_worker()
    load, now_ms = Events(options.profiles), time.time_ns() // 1_000_000
    count = 0
    for made in load.history(now_ms - 30 * DAY_MS, now_ms, options.events - options.profiles * 4 // 3):
        await one.producer.send(
            one.deployment.events_topic, made.value, key=made.subject.encode(), partition=_of(made.subject)
        )
        count += 1
    await one.producer.flush()
    await caught_up(one, worker)
    print(f"{count:,} events are taken in", file=sys.stderr, flush=True)
    if options.wait:
        await asyncio.to_thread(sys.stdin.readline)
    read_s, read = await plain_read(one)
    told, over = Latencies(), asyncio.Event()
    timing = asyncio.ensure_future(time_changes(one, told))
    await asyncio.sleep(1)
    sending = asyncio.ensure_future(send_live(one, load, options.rate, told, over))
    await asyncio.sleep(2)
    quiet_s = time.perf_counter()
    await asyncio.sleep(QUIET_S)
    began_s = time.perf_counter()
    await segue(one, environment, "apply", str(folder / "more"), "--no-fill")
    await caught_up(one, worker)
    cut_s = time.perf_counter()
    said, peak = await segue(one, environment, "fill")
    written_s = time.perf_counter()
    await caught_up(one, worker)
    filled_s = time.perf_counter()
    await asyncio.sleep(2)
    over.set()
    await sending
    await asyncio.sleep(1)
    timing.cancel()
    [ended] = await asyncio.gather(timing, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended
    filled = said["filled"]
    return {
        "events": count,
        "profiles": options.profiles,
        "live_per_s": options.rate,
        "plain_read": {"records": read, "seconds": round(read_s, 1)},
        "cut_seconds": round(cut_s - began_s, 1),
        "fill_command_seconds": round(written_s - cut_s, 1),
        "fill_seconds": said["seconds"],
        "filled_seconds": round(filled_s - cut_s, 1),
        "ratio": round((filled_s - cut_s) / read_s, 1),
        "histories": sum(each["histories"] for each in filled),
        "history_events": sum(each["events"] for each in filled),
        "passes": max(each["passes"] for each in filled),
        "waited_seconds": said["waited_seconds"],
        "peak_bytes": peak,
        "before": told.between(quiet_s, began_s),
        "at_the_cut": told.between(began_s, cut_s),
        "while_written": told.between(cut_s, written_s),
        "until_all_are_visited": told.between(written_s, filled_s),
    }


async def main() -> None:
    """Measure once."""
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--profiles", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--pace", type=int, default=5_000)
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()
    with running_kafka(STEADY) as kafka, running_valkey() as valkey, tempfile.TemporaryDirectory() as folder:
        settings = {"fill_records_per_s_max": options.pace}
        async with live(
            unique("fill"), kafka.bootstrap, valkey.redis_url, partitions=PARTITIONS, **settings
        ) as running:
            print(json.dumps(await measure(running, options, Path(folder))))


if __name__ == "__main__":
    asyncio.run(main())

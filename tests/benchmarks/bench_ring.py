"""How many transactions a ring of one, two or three producers carries: `python -m tests.benchmarks.bench_ring`.

Each transaction writes `changes` changes with their current memberships (two records of 650 bytes with headers) to each
of 8 partitions and a progress record each, as a worker does, and is awaited to its end before the next begins.
Prints a line for each combination; `cpu_ms` is this process's, a transaction, making the records included.
"""

import argparse
import asyncio
import json
import time

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.records import OutRecord
from streams.wire.progress import Progress, progress_record
from tests.benchmarks.ending import end_in_order
from tests.servers import running_kafka

PARTITIONS = 8
TOPICS = ("segment.membership", "segment.membership.current", "segue.progress")
HEADERS = tuple((f"ce_{name}", b"a value of some length") for name in ("specversion", "id", "type", "source", "time"))
VALUE = json.dumps({"change": "x" * 400}).encode()


def transaction(changes: int, turn: int) -> list[OutRecord]:
    """One transaction's records."""
    records = []
    for partition in range(PARTITIONS):
        for n in range(changes):
            subject = f"hcp:{turn}-{n}".encode()
            records.append(OutRecord(TOPICS[0], partition, subject, VALUE, HEADERS))
            records.append(OutRecord(TOPICS[1], partition, subject + b"|segment", VALUE, HEADERS))
        progress = Progress("g1", 7, turn, turn, "0" * 64, "0" * 32)
        records.append(progress_record(TOPICS[2], partition, progress))
    return records


async def measure(bootstrap: str, size: int, changes: int, seconds: float) -> dict[str, float]:
    """Run one combination."""
    log = KafkaLog(KafkaConnection(bootstrap))
    ring = await log.open_ring(size)
    for turn in range(2 * size):
        await ring.transaction(transaction(changes, turn))
    took, cpu, began, turn = list[float](), time.process_time(), time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        records = transaction(changes, turn)
        start = time.perf_counter()
        await ring.transaction(records)
        took.append((time.perf_counter() - start) * 1000)
        turn += 1
    elapsed = time.perf_counter() - began
    cpu = time.process_time() - cpu
    await ring.close()
    await log.close()
    took.sort()
    return {
        "ring": size,
        "changes": changes,
        "per_s": round(turn / elapsed, 1),
        "p50_ms": round(took[len(took) // 2], 2),
        "p99_ms": round(took[len(took) * 99 // 100], 2),
        "cpu_ms": round(cpu / turn * 1000, 2),
    }


async def run(bootstrap: str, seconds: float) -> None:
    """Run every combination."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS])
    await admin.close()
    for changes in (1, 50, 400):
        for size in (1, 2, 3):
            print(json.dumps(await measure(bootstrap, size, changes, seconds)), flush=True)


def main() -> None:
    """Start a Kafka and measure on it, or on one that runs."""
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", help="a Kafka that runs (default: an embedded one)")
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    if arguments.bootstrap:
        asyncio.run(run(arguments.bootstrap, arguments.seconds))
    else:
        with running_kafka() as server:
            asyncio.run(run(server.bootstrap, arguments.seconds))


if __name__ == "__main__":
    main()

"""The reader: a process of its own that reads an engine's changes `read_committed`, and notes when each one arrived.

    python -m tests.benchmarks.contest.reader BOOTSTRAP TOPIC PARTITIONS FILE

It begins at the end of the topic. It prints `reading` when it stands there, and `marker NAME SECONDS` for each marker's
change. At TERM it writes what it noted to FILE (`Noted`) and ends. It parses no
JSON: it looks for the event's id in the bytes.
"""

import asyncio
import json
import re
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.benchmarks.load.plan import MARKER_SEGMENT, WAKING_SEGMENT

EVENT: Final = b'"events":["/portal evt-'
EFFECTIVE: Final = re.compile(rb'"effective_at":"([^"]+)"')


@dataclass
class Noted:
    """What arrived. Seconds since 1970."""

    changes: int = 0
    events: list[tuple[str, float]] = field(default_factory=list)
    """Changes that an event made: the event's name (its id without `evt-`), and the arrival."""
    wakes: list[tuple[str, float]] = field(default_factory=list)
    """Exits that time made from the waking segment: `effective_at`, and the arrival."""

    def take(self, value: bytes, now_s: float) -> str | None:
        """Note a change; returns the name of a marker, if it is one's."""
        self.changes += 1
        begin = value.find(EVENT)
        if begin < 0:
            if WAKING_SEGMENT.encode() in value and b'"exited"' in value:
                effective = EFFECTIVE.search(value)
                assert effective is not None
                self.wakes.append((effective[1].decode(), now_s))
            return None
        begin += len(EVENT)
        name = value[begin : value.index(b'"', begin)].decode()
        if MARKER_SEGMENT.encode() in value:
            return name
        self.events.append((name, now_s))
        return None


async def run(bootstrap: str, topic: str, partitions: int, file: Path) -> None:
    """Read until TERM."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False, check_crcs=False
    )
    await consumer.start()
    assigned = [TopicPartition(topic, n) for n in range(partitions)]
    consumer.assign(assigned)
    await consumer.seek_to_end(*assigned)
    for tp in assigned:
        await consumer.position(tp)
    noted = Noted()

    async def read() -> None:
        while True:
            fetched = await consumer.getmany(timeout_ms=1_000)
            now_s = time.time()
            for records in fetched.values():
                for record in records:
                    marker = noted.take(record.value, now_s)
                    if marker is not None:
                        print(f"marker {marker} {now_s:.6f}", flush=True)

    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    reading = asyncio.ensure_future(read())
    print("reading", flush=True)
    await asyncio.wait([reading, asyncio.ensure_future(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
    file.write_text(json.dumps(asdict(noted)))
    if reading.done():
        reading.result()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await consumer.stop()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))

"""A worker of Segue that notes its longest steps and its largest transaction.

    python -m tests.benchmarks.noting_worker FILE [an option of `segue worker`]…

It is `segue worker`, with a clock around four calls. When it ends in order it writes `Noted` to FILE, as JSON. Each
record costs it about 0.3 µs more.
"""

import atexit
import gc
import json
import runpy
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from rules.engine.outcome import Applied, Need
from rules.engine.partition import Partition
from rules.engine.record import Record
from streams.log.ring import KafkaRing
from streams.records import OutRecord

SLOW_MS: Final = 5.0
"""Records that take longer are noted by type."""


@dataclass
class Noted:
    """What was noted. Lengths of time in ms."""

    apply_ms_max: dict[str, float] = field(default_factory=dict)
    """By type of the record, where a record took at least SLOW_MS: the longest call of the engine."""
    collect_ms_max: float = 0.0
    """Python's collector: its longest run."""
    transaction_ms_max: float = 0.0
    transaction_records_max: int = 0
    transaction_bytes_max: int = 0
    """Keys and values."""
    transactions: int = 0


def note(noted: Noted) -> None:
    """Put clocks around the engine's calls, the ring's transactions, and the collector."""
    feed, transaction = Partition.feed, KafkaRing.transaction
    began = 0.0

    def timed_feed(self: Partition, record: Record) -> Applied | Need:
        start = time.perf_counter()
        found = feed(self, record)
        took_ms = (time.perf_counter() - start) * 1000
        if took_ms >= SLOW_MS:
            decoded = found.decoded if isinstance(found, Applied) else found
            name = str(getattr(decoded, "type", type(decoded).__name__))
            noted.apply_ms_max[name] = max(took_ms, noted.apply_ms_max.get(name, 0.0))
        return found

    async def timed_transaction(self: KafkaRing, records: Sequence[OutRecord]) -> list[int]:
        start = time.perf_counter()
        try:
            return await transaction(self, records)
        finally:
            size = sum(len(each.key or b"") + len(each.value or b"") for each in records)
            noted.transactions += 1
            noted.transaction_ms_max = max(noted.transaction_ms_max, (time.perf_counter() - start) * 1000)
            noted.transaction_records_max = max(noted.transaction_records_max, len(records))
            noted.transaction_bytes_max = max(noted.transaction_bytes_max, size)

    def collected(phase: str, info: dict[str, Any]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            noted.collect_ms_max = max(noted.collect_ms_max, (time.perf_counter() - began) * 1000)

    Partition.feed = timed_feed  # type: ignore[method-assign]
    KafkaRing.transaction = timed_transaction  # type: ignore[method-assign]
    gc.callbacks.append(collected)


def main(file: Path, options: Sequence[str]) -> None:
    """Run the worker."""
    noted = Noted()
    note(noted)
    atexit.register(lambda: file.write_text(json.dumps(asdict(noted))))
    sys.argv = ["segue", "worker", *options]
    runpy.run_module("streams.cli", run_name="__main__")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

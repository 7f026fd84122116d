"""Measure a profile by how many events of 30 days it has had: its packed length, and what an event of it costs.

    python -m tests.benchmarks.scaling.sizes [--segments 500] [--profiles 40] [--events 5 20 100 500 2000 8000]

In this process, without servers, over the benchmark's catalogue. A line for each number of events; the last is JSON.
"""

import argparse
import json
import time
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.engine.outcome import Applied
from rules.engine.partition import Partition
from rules.engine.record import Record
from streams.intake.decoding import decoder_of
from tests.benchmarks.load.catalogue import make_catalogue
from tests.benchmarks.load.events import Events
from tests.benchmarks.load.plan import DAY_MS

END_MS = 1_790_000_000_000
LAST = 500
"""Events of which the cost is measured: the last ones."""


def measure(catalogue: Catalogue, profiles: int, events: int) -> dict[str, Any]:
    """Give each profile so many events, spread over 30 days; return the mean length, and microseconds of CPU."""
    load = Events(profiles)
    partition = Partition("g1", decoder_of(0, 1))
    partition.cut(catalogue, END_MS - 30 * DAY_MS - 1)
    total = profiles * events
    records = []
    for n, made in enumerate(load.stream(total, lambda n: END_MS - 30 * DAY_MS + n * 30 * DAY_MS // total, name="z")):
        # every profile in turn: the same number of events for each
        subject = load.subject(n % profiles)
        value = made.value.replace(made.subject.encode(), subject.encode(), 1)
        records.append(Record(n, made.time_ms, subject.encode(), value))
    spent_s = 0.0
    for n, record in enumerate(records):
        if n == total - LAST:
            spent_s = time.process_time()
        applied = partition.feed(record)
        assert isinstance(applied, Applied)
        if n % 1_000 == 999 and n < total - LAST:
            partition.take_slice()
    applied_us = (time.process_time() - spent_s) / min(LAST, total) * 1e6
    began_s = time.process_time()
    last = partition.take_slice().profiles
    packed_us = (time.process_time() - began_s) / len(last) * 1e6
    found = [blob for blob in last.values() if blob is not None]
    other = Partition("g1", decoder_of(0, 1))
    other.cut(catalogue, END_MS - 30 * DAY_MS - 1)
    began_s = time.process_time()
    for subject, blob in last.items():
        other.give_profile(subject, blob)
    unpacked_us = (time.process_time() - began_s) / len(last) * 1e6
    return {
        "events": events,
        "bytes": round(sum(map(len, found)) / len(found)),
        "apply_us": round(applied_us, 1),
        "pack_us": round(packed_us, 1),
        "unpack_us": round(unpacked_us, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=500)
    parser.add_argument("--profiles", type=int, default=12)
    parser.add_argument("--events", type=int, nargs="+", default=[5, 20, 100, 500, 2_000, 8_000])
    options = parser.parse_args()
    catalogue = make_catalogue(options.segments)
    found = []
    for events in options.events:
        found.append(measure(catalogue, options.profiles, events))
        print(found[-1], flush=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

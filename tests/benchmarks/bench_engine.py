"""Measure the engine alone: CPU an event of one partition in memory, without servers, by number of segments.

    python -m tests.benchmarks.bench_engine [--segments 50 200 500 2000] [--events 40000] [--profiles 10000] [--profile]

The catalogue and the events are those of `bench_pipeline`; a slice is taken (and packed) every `--slice` records, as a
worker's checkpoints do. It counts CPU seconds of this process: other work on the machine matters less. With
`--profile` it prints the functions that cost most. The last line is JSON: microseconds an event, packing apart.
`compare` runs this benchmark of two versions in turn.
"""

import argparse
import cProfile
import json
import pstats
import random
import time

from rules.engine.partition import Partition
from rules.engine.record import Record
from streams.intake.decoding import decoder_of
from tests.benchmarks.bench_pipeline import make_catalogue, make_event

START_MS = 1_790_000_000_000


def make_records(events: int, profiles: int, days: int) -> list[Record]:
    """Write the events' records, spread evenly over so many days."""
    rng = random.Random(1)
    found = []
    for n in range(events):
        subject = f"hcp:{rng.randrange(profiles)}"
        at_ms = START_MS + n * days * 86_400_000 // events
        found.append(Record(n + 1, at_ms, subject.encode(), make_event(n, subject, rng, at_ms=at_ms)))
    return found


def run(segments: int, records: list[Record], slice_records: int) -> tuple[float, float, int, int]:
    """Apply all records; returns (µs an event applied, µs an event packed, changes, bytes a profile)."""
    catalogue = make_catalogue(segments)
    partition = Partition("g1", decoder_of(0, 1))
    partition.cut(catalogue, START_MS - 1)
    packing = 0.0
    sizes: dict[str, int] = {}
    began = time.process_time()
    for n, record in enumerate(records, 1):
        partition.feed(record)
        if n % slice_records == 0 or n == len(records):
            at = time.process_time()
            taken = partition.take_slice()
            packing += time.process_time() - at
            sizes.update((subject, len(blob)) for subject, blob in taken.profiles.items())
    spent = time.process_time() - began - packing
    events = len(records)
    return spent / events * 1e6, packing / events * 1e6, partition.changes_total, sum(sizes.values()) // len(sizes)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, nargs="+", default=[50, 200, 500, 2000])
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--slice", type=int, default=1_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    records = make_records(options.events, options.profiles, options.days)
    results = {}
    for segments in options.segments:
        profiler = cProfile.Profile()
        if options.profile:
            profiler.enable()
        applied, packed, changes, size = run(segments, records, options.slice)
        profiler.disable()
        if options.profile:
            pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        results[segments] = {
            "apply_us": round(applied, 1),
            "pack_us": round(packed, 1),
            "changes": changes,
            "profile_bytes": size,
        }
        print(f"{segments} segments: {applied:.1f} + {packed:.1f} us an event, {changes} changes", flush=True)
    print(json.dumps(results))


if __name__ == "__main__":
    main()

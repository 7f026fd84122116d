"""Measure the engine alone: CPU an event of one partition in memory, without servers, by number of segments.

    python -m tests.benchmarks.bench_engine [--segments 50 500 2000] [--events 40000] [--profiles 20000]
                                            [--cold 0.5] [--chunk 500] [--slice 1000] [--profile]

The load is that of `make bench` (`tests.benchmarks.load`). A first pass applies 30 days of history and packs every
profile; it is not measured. Then a new partition resumes there, as a worker does: it is given each chunk's profiles
that it lacks, applies the chunk, and packs a slice every `--slice` records. After a slice it forgets the profiles that
are cold (a share of all, drawn once), so they are unpacked again when they come back. Measured, in CPU seconds of this
process (other work on the machine matters less): unpacking, decoding, applying, packing. Decoding is measured in a loop
of its own and taken off what applying took. With `--profile` it prints the functions that cost most. The last line is
JSON, by number of segments. `compare` runs this benchmark of two versions in turn.

It stops if fewer than 2 or more than 5 percent of the events change a membership: then the load is not the load.
"""

import argparse
import cProfile
import gc
import json
import pstats
import random
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import Change
from rules.engine.outcome import Applied
from rules.engine.partition import BEGINNING_MS, Partition
from rules.engine.record import Record
from rules.engine.slice import Slice
from streams.intake.decoding import decoder_of
from streams.worker.garbage import THRESHOLDS
from tests.benchmarks.load.catalogue import make_catalogue
from tests.benchmarks.load.events import HISTORY_EVENTS, HISTORY_MS, Events, Made

START_MS: Final = 1_790_000_000_000
"""The first measured event; the history ends here."""
RATE_MS: Final = 10
"""Measured events in a millisecond of record time."""
CHANGING_MIN: Final = 0.02
CHANGING_MAX: Final = 0.05
"""Shares of events that change a membership, between which a load is this benchmark's."""


@dataclass
class State:
    """What a store would hold: every profile packed and its wake, and where the partition stands."""

    profiles: dict[str, bytes]
    wakes: dict[str, int]
    last: Slice

    def take(self, taken: Slice) -> None:
        """Write a slice."""
        self.profiles.update(taken.profiles)
        self.wakes.update(taken.wakes)
        self.last = taken


@dataclass
class Measured:
    """CPU seconds of each part, and what was counted."""

    decode_s: float = 0
    unpack_s: float = 0
    apply_s: float = 0
    """With decoding."""
    pack_s: float = 0
    unpacked: int = 0
    changes: int = 0
    changing: int = 0
    """Events that changed a membership."""

    def take(self, applied: Applied) -> None:
        """Count what a record brought."""
        if applied.items:
            self.changes += len(applied.changes)
            # the changes of wakes name no event
            own = any(isinstance(change, Change) and b'"events":[]' not in change.value for change in applied.changes)
            self.changing += own


def records_of(made: Iterable[Made], first_offset: int, at_ms: Sequence[int] | None = None) -> list[Record]:
    """Make records; without `at_ms` each arrives at its own time."""
    return [
        Record(first_offset + n, one.time_ms if at_ms is None else at_ms[n], one.subject.encode(), one.value)
        for n, one in enumerate(made)
    ]


def warm_up(catalogue: Catalogue, history: Sequence[Record], slice_records: int) -> State:
    """Apply the history and return the state that it leaves."""
    partition = Partition("g1", decoder_of(0, 1))
    partition.cut(catalogue, START_MS - HISTORY_MS - 1)
    state = State({}, {}, partition.take_slice())
    for n, record in enumerate(history, 1):
        partition.feed(record)
        if n % slice_records == 0 or n == len(history):
            state.take(partition.take_slice())
    return state


def resumed(catalogue: Catalogue, state: State, until_ms: int) -> Partition:
    """Start a partition at a state, its queue complete up to an instant."""
    last = state.last
    partition = Partition(
        "g1",
        decoder_of(0, 1),
        offset=last.offset,
        clock_ms=last.clock_ms,
        last_ms=last.last_ms,
        digest=last.digest,
        horizon=(BEGINNING_MS, ""),
    )
    partition.give_catalogue(catalogue.hash, catalogue)
    partition.resume(last.cuts)
    due = sorted((wake_ms, subject) for subject, wake_ms in state.wakes.items() if wake_ms < until_ms)
    for _, subject in due:
        partition.give_profile(subject, state.profiles[subject])
    partition.give_wakes(due, (until_ms, ""))
    return partition


def measure(
    catalogue: Catalogue,
    state: State,
    records: Sequence[Record],
    options: argparse.Namespace,
    profiler: cProfile.Profile,
) -> Measured:
    """Apply the measured records."""
    clock = time.process_time
    found = Measured()
    decode, dictionary = decoder_of(0, 1), catalogue.dictionary
    began = clock()
    for record in records:
        decode(record, dictionary, START_MS)
    found.decode_s = clock() - began
    partition = resumed(catalogue, state, (records[-1].timestamp_ms or 0) + 1)
    rng = random.Random(1)
    cold = {subject for subject in sorted(state.profiles) if rng.random() < options.cold}
    for subject in state.profiles.keys() - cold:
        partition.give_profile(subject, state.profiles[subject])
    gc.collect()
    gc.freeze()
    if options.profile:
        profiler.enable()
    since_slice = 0
    for first in range(0, len(records), options.chunk):
        chunk = records[first : first + options.chunk]
        keys = {record.key for record in chunk if record.key is not None}
        began = clock()
        lacking = [subject for subject in map(bytes.decode, keys) if partition.lacks(subject)]
        for subject in lacking:
            partition.give_profile(subject, state.profiles.get(subject))
        found.unpack_s += clock() - began
        found.unpacked += len(lacking)
        began = clock()
        applied = [partition.feed(record) for record in chunk]
        found.apply_s += clock() - began
        for one in applied:
            assert isinstance(one, Applied), one
            found.take(one)
        since_slice += len(chunk)
        if since_slice >= options.slice or first + options.chunk >= len(records):
            since_slice = 0
            began = clock()
            taken = partition.take_slice()
            found.pack_s += clock() - began
            state.take(taken)
            for subject in taken.profiles.keys() & cold:
                partition.forget(subject)
    profiler.disable()
    gc.unfreeze()
    return found


def run(segments: int, events: Events, options: argparse.Namespace) -> dict[str, float]:
    """Measure one catalogue; returns the figures. Raises SystemExit: the load is out of its bounds."""
    catalogue = make_catalogue(segments)
    made = list(events.history(START_MS - HISTORY_MS, START_MS - 1, options.profiles * HISTORY_EVENTS))
    state = warm_up(catalogue, records_of(made, 1), options.slice)
    stream = events.stream(options.events, lambda n: START_MS + n // RATE_MS, name="a")
    at_ms = [START_MS + n // RATE_MS for n in range(options.events)]
    records = records_of(stream, state.last.offset, at_ms)
    profiler = cProfile.Profile()
    found = measure(catalogue, state, records, options, profiler)
    if options.profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
    count = len(records)
    sizes = [len(blob) for blob in state.profiles.values()]
    changing = found.changing / count
    if not CHANGING_MIN <= changing <= CHANGING_MAX:
        raise SystemExit(f"{segments} segments: {changing:.1%} of the events change a membership, not 2 to 5 %")
    return {
        "decode_us": round(found.decode_s / count * 1e6, 2),
        "unpack_us": round(found.unpack_s / count * 1e6, 2),
        "apply_us": round((found.apply_s - found.decode_s) / count * 1e6, 2),
        "pack_us": round(found.pack_s / count * 1e6, 2),
        "unpacked_share": round(found.unpacked / count, 3),
        "changing_share": round(changing, 4),
        "changes": found.changes,
        "profile_bytes": round(statistics.mean(sizes)),
        "profile_bytes_median": round(statistics.median(sizes)),
        "profile_bytes_max": max(sizes),
    }


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments; None: the command line's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, nargs="+", default=[50, 500, 2000])
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--profiles", type=int, default=20_000)
    parser.add_argument("--cold", type=float, default=0.5, help="share of the profiles that are forgotten (0.5)")
    parser.add_argument("--chunk", type=int, default=500, help="records between two reads of profiles (500)")
    parser.add_argument("--slice", type=int, default=1_000, help="records between two slices (1,000)")
    parser.add_argument("--profile", action="store_true")
    return parser.parse_args(arguments)


def main() -> None:
    """Run it."""
    options = options_of()
    gc.set_threshold(*THRESHOLDS)
    events = Events(options.profiles)
    results = {}
    for segments in options.segments:
        found = results[segments] = run(segments, events, options)
        total = sum(found[part] for part in ("decode_us", "unpack_us", "apply_us", "pack_us"))
        print(
            f"{segments} segments: {total:.1f} us an event: decode {found['decode_us']}, unpack {found['unpack_us']}"
            f" ({found['unpacked_share']:.0%} of events), apply {found['apply_us']}, pack {found['pack_us']};"
            f" {found['changing_share']:.1%} change a membership; {found['profile_bytes']} bytes a profile",
            flush=True,
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()

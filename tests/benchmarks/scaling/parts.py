"""The measured parts and the prices of the model, each with its unit, source and date. New measurements replace them.

Run `calibrate`, `sizes`, `migrate` and `bench_store` (a minute each) on the machine at hand and write their figures
here. Figures of `calibrate` are medians of three runs; `sizes` was run once. The rules were compiled (`make native`).
All are of two cores of a virtual machine (x86-64); `Demand.core_speed` scales CPU for another machine.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

CALIBRATE: Final = "tests.benchmarks.scaling.calibrate --profiles 25000"
SIZES: Final = "tests.benchmarks.scaling.sizes"
STORE: Final = "tests.benchmarks.bench_store --profiles 200 --bytes 600, then 60000"
MIGRATE: Final = "tests.benchmarks.scaling.migrate --profiles 100000"
TROUBLE: Final = "tests.benchmarks.cluster --trouble"
BEFORE: Final = "2026-11-29"
TODAY: Final = "2026-11-30"
KB: Final = 1_000


class Part(NamedTuple):
    """One number."""

    value: float
    unit: str
    source: str
    date: str


WORKER_EVENT: Final = Part(22, "µs CPU", f"{CALIBRATE}: drain `hot`, less what it writes", TODAY)
"""Fetch, decode, fold, evaluate, publish: an event whose profile is in memory."""
WORKER_READ: Final = Part(5, "µs CPU", f"{CALIBRATE}: `cold` less `written`, less the unpacking", TODAY)
WORKER_READ_KB: Final = Part(6, "µs CPU/kB", f"{SIZES}: unpack_us", TODAY)
"""Read and unpack a profile that is not in memory."""
WORKER_WRITE: Final = Part(17, "µs CPU", f"{CALIBRATE}: `written` less `hot`, less the packing", TODAY)
WORKER_WRITE_KB: Final = Part(12, "µs CPU/kB", f"{SIZES}: pack_us", TODAY)
"""Pack a profile and send it in a checkpoint."""
STORE_READ: Final = Part(0.9, "µs CPU", f"{CALIBRATE}: `cold` less `written`", TODAY)
STORE_READ_KB: Final = Part(0.29, "µs CPU/kB", STORE, BEFORE)
"""A key of an MGET."""
STORE_WRITE: Final = Part(3.1, "µs CPU", f"{CALIBRATE}: `written`", TODAY)
STORE_WRITE_KB: Final = Part(0.33, "µs CPU/kB", STORE, BEFORE)
"""A profile in a checkpoint: MSET, ZADD, its share of MULTI and of the member sets."""
STORE_WRITE_EXTRA: Final = Part(190, "bytes", f"{CALIBRATE}: `cold`, into the store, less the profile", TODAY)
"""Keys, wake, member sets, beside the packed profile."""
PROFILE_EXTRA: Final = Part(279, "bytes", f"{CALIBRATE}: used_memory a profile, less the packed profile", TODAY)
"""In the store's memory beside the packed profile: keys, the wake, memberships."""
PACKED: Final = (
    (5, 201),
    (20, 798),
    (100, 2_720),
    (500, 10_990),
    (2_000, 38_028),
    (8_000, 83_184),
    (20_000, 127_425),
)
"""Bytes of a packed profile by the events that it has had in 30 days, 500 segments (`sizes`; the last is of BEFORE)."""
EVENT_LOG_BYTES: Final = Part(365, "bytes", f"{CALIBRATE}: log segments, not compressed", TODAY)
CHANGE_LOG_BYTES: Final = Part(563, "bytes", f"{CALIBRATE}: log segments of all outputs, a change", TODAY)
"""Standing memberships and activations are in it; they count as part of their change."""
BROKER_EVENT: Final = Part(19.2, "µs CPU", f"{CALIBRATE}: drain `hot`, broker new: its compiler works too", TODAY)
BROKER_EVENT_WARM: Final = Part(3.0, "µs CPU", f"{CALIBRATE}: broker_event_us; 3 to 4", TODAY)
"""An event in and out, once, in large batches."""
BROKER_WORKER: Final = Part(0.38, "cores", f"{CALIBRATE}: steady_broker_cores at 2,000 events/s", TODAY)
"""What the requests of one worker that keeps up cost the broker: fetches and transactions."""
TRANSACTION_MS: Final = Part(2.46, "ms", f"{CALIBRATE}: transaction_ms, a ring of three, 8 partitions", TODAY)
CHANGES_A_TRANSACTION: Final = Part(1_000, "changes", "SEGUE_CHANGES_PER_TRANSACTION_MAX", TODAY)
CLAIM_S: Final = Part(0.16, "s", f"{TROUBLE}: 12 partitions in 1.94 s, by three workers on two cores", BEFORE)
"""A partition, from its assignment to its first record. It is mostly CPU, so a worker's partitions queue."""
REBALANCE_S: Final = Part(1.2, "s", f"{TROUBLE}: from the first failed heartbeat to the assignment", BEFORE)
"""The group, from a member's end to the new assignments; every partition stands meanwhile."""
MOVE_MB_S: Final = Part(157, "MB/s", f"{MIGRATE}: MIGRATESLOTS, 115 MB in 0.73 s", BEFORE)
MOVE_STANDS_S: Final = Part(0.2, "s", f"{MIGRATE}: MIGRATESLOTS, the longest wait", BEFORE)
MIGRATE_MB_S: Final = Part(
    27, "MB/s", f"{MIGRATE}: MIGRATE, 115 MB in 4.22 s; the partition stands all the while", BEFORE
)


class Price(NamedTuple):
    """One price in US dollars."""

    value: float
    unit: str
    source: str
    date: str


HOURS_A_MONTH: Final = 730
CORE_HOUR: Final = Price(
    0.0408, "$/h", "half of m7g.large on demand, us-east-1, as factualminds.com quotes it", "2026-06-17"
)
"""One vCPU with 4 GiB: workers and brokers."""
MEMORY_HOUR: Final = Price(0.0067, "$/h", "an assumption: 0.1071 $/h for 16 GiB with 2 vCPU", BEFORE)
"""One GiB on a machine for the store, its cores included."""
DISK_MONTH: Final = Price(0.08, "$/GB", "EBS gp3, us-east-1, as cloudoptimo.com quotes it", BEFORE)
ZONE_TRANSFER: Final = Price(0.02, "$/GB", "between zones, both directions, as blog.gslin.org quotes it", BEFORE)


@dataclass(frozen=True, slots=True)
class Limits:
    """How far each thing is loaded, and what bounds it."""

    worker_load: float = 0.6
    """Of one core, on average: the rest is for peaks and for catching up."""
    store_load: float = 0.4
    """Of a node's one main thread: what waits behind a checkpoint waits longer above it."""
    broker_load: float = 0.5
    broker_cores: int = 16
    node_memory_gib: float = 64.0
    memory_load: float = 0.6
    """Of a node's memory: the rest is for checkpoints in flight, replication and a copy while a slot moves."""
    replicas_a_broker: int = 4_000
    """Partition replicas: the usual advice (KIP-578)."""
    network_bytes: float = 1.25e9
    """Of one broker or one node of the store, in and out: 10 Gbit/s."""
    network_load: float = 0.5


def interpolated(curve: Sequence[tuple[float, float]], at: float) -> float:
    """Return a curve's value at a place, on straight lines in logarithms; beyond an end, the value of the end."""
    if at <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if at <= x1:
            share = math.log(at / x0) / math.log(x1 / x0)
            value: float = y0 * (y1 / y0) ** share
            return value
    return curve[-1][1]


def packed_bytes(events: float) -> float:
    """Return the length of a packed profile that has had so many events in 30 days."""
    return interpolated(PACKED, events)

"""What the model says of one drain on loopback, in the terms in which a rig measures it."""

from dataclasses import dataclass
from math import exp
from typing import Final

from tests.benchmarks.scaling import parts
from tests.benchmarks.scaling.model import US
from tests.benchmarks.scaling.work import Work, state_bytes, work
from tests.benchmarks.scaling.zipf import Zipf

SLICE_RECORDS_MAX: Final = 10_000
"""A slice is taken after so many records of a partition, or after a second (streams/partition/writer.py)."""
SET_UP_EVENTS: Final = 2
"""Events with which the load sets up a profile: its traits, and the consent of one in three on three channels."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """Sums over all processes of a kind."""

    worker_cpu_s: float
    store_cpu_s: float
    broker_cpu_s: float
    keys_read: float
    store_in_bytes: float
    store_out_bytes: float
    state_bytes: float
    log_bytes: float


def predict(
    *,
    events: int,
    seconds: float,
    profiles: int,
    partitions: int,
    kept: int,
    history_events: int,
    exponent: float = 1.0,
) -> Predicted:
    """Predict a drain of events that took so long, by workers that began with nothing in memory and keep `kept`."""
    law = Zipf(profiles, exponent)
    slices = max(1.0, seconds, events / partitions / SLICE_RECORDS_MAX)
    slice_events = events / slices
    # what waits to be written stays in memory, too
    held = kept + law.distinct(slice_events)
    each = work(law, slice_events=slice_events, kept=held, held_events=history_events + events / 2)
    # the memory fills first: what is met for the first time is read
    window = min(events, law.window(held) or events)
    read = law.distinct(window) + each.reads * (events - window)
    first = sum(
        ranks * (1 - exp(-share * window)) * parts.packed_bytes(SET_UP_EVENTS + share * history_events)
        for ranks, share in law.bands
    )
    read_bytes = first + each.read_bytes * (events - window)
    cold = Work(read / events, read_bytes / events, each.writes, each.write_bytes)
    return Predicted(
        worker_cpu_s=events * cold.worker_us * US,
        store_cpu_s=events * cold.store_us * US,
        broker_cpu_s=events * parts.BROKER_EVENT.value * US,
        keys_read=read,
        store_in_bytes=events * cold.store_in_bytes,
        store_out_bytes=events * cold.store_out_bytes,
        state_bytes=state_bytes(law, history_events + SET_UP_EVENTS * profiles),
        log_bytes=events * parts.EVENT_LOG_BYTES.value,
    )

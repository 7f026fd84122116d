"""What an event costs, on average: how often its profile is read and written, and how long that profile is."""

from dataclasses import dataclass
from math import exp, expm1

from tests.benchmarks.scaling import parts
from tests.benchmarks.scaling.parts import KB, packed_bytes
from tests.benchmarks.scaling.zipf import Zipf


@dataclass(frozen=True, slots=True)
class Work:
    """An event's share of everything."""

    reads: float
    """Profiles read from the store."""
    read_bytes: float
    writes: float
    """Profiles written to the store: one write holds all events of a profile since the last checkpoint."""
    write_bytes: float

    @property
    def worker_us(self) -> float:
        """CPU of a worker in a drain."""
        reading = self.reads * parts.WORKER_READ.value + self.read_bytes / KB * parts.WORKER_READ_KB.value
        writing = self.writes * parts.WORKER_WRITE.value + self.write_bytes / KB * parts.WORKER_WRITE_KB.value
        return parts.WORKER_EVENT.value + reading + writing

    @property
    def store_us(self) -> float:
        """CPU of the main threads of the store."""
        reading = self.reads * parts.STORE_READ.value + self.read_bytes / KB * parts.STORE_READ_KB.value
        writing = self.writes * parts.STORE_WRITE.value + self.write_bytes / KB * parts.STORE_WRITE_KB.value
        return reading + writing

    @property
    def store_in_bytes(self) -> float:
        """Sent to the store."""
        return self.write_bytes + self.writes * parts.STORE_WRITE_EXTRA.value

    @property
    def store_out_bytes(self) -> float:
        """Sent by the store."""
        return self.read_bytes


def state_bytes(law: Zipf, events: float) -> float:
    """Return what all profiles take in the store's memory, after so many events in 30 days."""
    return sum(ranks * (packed_bytes(share * events) + parts.PROFILE_EXTRA.value) for ranks, share in law.bands)


def work(law: Zipf, *, slice_events: float, kept: float, held_events: float) -> Work:
    """Return the work of an event.

    `slice_events`: between two checkpoints, over all partitions. `kept`: profiles in memory, over all workers.
    `held_events`: of 30 days, over all profiles; they say how long a profile is.
    """
    window = law.window(kept)
    reads = read_bytes = writes = write_bytes = 0.0
    for ranks, share in law.bands:
        size = packed_bytes(share * held_events)
        read = 0.0 if window is None else ranks * share * exp(-share * window)
        written = ranks * -expm1(-share * slice_events) / slice_events
        reads, read_bytes = reads + read, read_bytes + read * size
        writes, write_bytes = writes + written, write_bytes + written * size
    return Work(reads, read_bytes, writes, write_bytes)

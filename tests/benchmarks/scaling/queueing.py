"""Simulate partitions as queues: how late records are when workers pause for checkpoints, transactions and take-overs.

    python -m tests.benchmarks.scaling.queueing [--workers 8] [--partitions 64] [--load 0.6] [--exponent 0.8]

Arrivals: the events of each millisecond, their subjects by Zipf's law, their partitions by murmur2. Service: a worker
serves its partitions in turn, a chunk at a time, each event as long as the model says. Pauses: a transaction is
answered after its time, and only then are its changes out; a checkpoint of a partition packs what was touched, in
portions, and the worker does nothing else meanwhile. Lateness is the time from an event's arrival to the answer of the
transaction that follows it. Time is simulated and random numbers are seeded: the same arguments give the same result.
"""

import argparse
import json
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from rules.ground.partitioning import partition_of
from streams.partition.outgoing import TransactionPace
from streams.partition.writer import PORTION, PORTION_EVERY_MS
from tests.benchmarks.scaling import parts

CHUNK: Final = 200
"""Records of one partition at a time (streams/partition/tenure.py)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated."""

    workers: int = 8
    partitions: int = 64
    load: float = 0.6
    """Of all workers together, by service alone."""
    exponent: float = 0.8
    profiles: int = 100_000
    seconds: float = 20.0
    event_us: float = parts.WORKER_EVENT.value
    transaction_ms: float = parts.TRANSACTION_MS.value
    linger_max_ms: float = TransactionPace().linger_max_ms
    checkpoint_s: float = 1.0
    checkpoint_us_an_event: float = parts.WORKER_WRITE.value + 5 * parts.WORKER_WRITE_KB.value
    """Packing at a checkpoint, an event since the last one: a profile of 5 kB, written once an event."""
    spread_checkpoints: bool = True
    """Partitions take their slices at different instants; else all at once."""
    outage_s: float = 0.0
    """One worker stands so long, in the middle: a take-over."""
    seed: int = 7


class Worker:
    """One process: its partitions' queues, and when it is free again."""

    def __init__(self, setting: Setting, held: Sequence[int]) -> None:
        self.setting = setting
        self.queues: dict[int, deque[float]] = {partition: deque() for partition in held}
        self.order = deque(held)
        self.free_ms = 0.0
        self.since: dict[int, int] = dict.fromkeys(held, 0)
        self.every_ms = setting.checkpoint_s * 1e3
        self.slice_ms = {
            partition: self.every_ms * ((n / len(held) if setting.spread_checkpoints else 0.0) + 1)
            for n, partition in enumerate(held)
        }
        self.unpacked: dict[int, int] = dict.fromkeys(held, 0)
        """Of the slice that was begun."""
        self.portion_ms: dict[int, float] = dict.fromkeys(held, 0.0)
        """When the next portion of it may be packed."""
        self.open_ms = 0.0
        """When the next transaction may begin."""
        self.waiting: list[float] = []
        """Arrivals that were applied and whose transaction has not begun."""
        self.late: list[float] = []

    def run(self, until_ms: float) -> None:
        """Serve up to an instant."""
        while self.free_ms < until_ms:
            if not self._serve():
                self._publish(until_ms)
                self.free_ms = until_ms
                return
            self._publish(self.free_ms)

    def _serve(self) -> bool:
        for _ in range(len(self.order)):
            partition = self.order[0]
            self.order.rotate(-1)
            applied = self._apply(partition)
            if self._pack(partition) or applied:
                return True
        # nothing has arrived yet: go on with the next arrival
        ahead = [queue[0] for queue in self.queues.values() if queue]
        if ahead and min(ahead) > self.free_ms:
            self.free_ms = min(ahead)
            return True
        return False

    def _apply(self, partition: int) -> int:
        """Apply a chunk of what has arrived; return how much that was."""
        queue, count = self.queues[partition], 0
        while queue and queue[0] <= self.free_ms and count < CHUNK:
            self.waiting.append(queue.popleft())
            count += 1
        self.since[partition] += count
        self.free_ms += count * self.setting.event_us / 1e3
        return count

    def _pack(self, partition: int) -> int:
        """Begin a slice if it is time, and pack a portion of one if that is time; return how much that was."""
        if self.slice_ms[partition] <= self.free_ms and not self.unpacked[partition]:
            self.unpacked[partition], self.since[partition] = self.since[partition], 0
            self.slice_ms[partition] += self.every_ms * ((self.free_ms - self.slice_ms[partition]) // self.every_ms + 1)
        if self.portion_ms[partition] > self.free_ms:
            return 0
        count = min(self.unpacked[partition], max(PORTION, self.since[partition] // 8))
        self.unpacked[partition] -= count
        self.free_ms += count * self.setting.checkpoint_us_an_event / 1e3
        self.portion_ms[partition] = self.free_ms + PORTION_EVERY_MS
        return count

    def _publish(self, now_ms: float) -> None:
        """Begin a transaction when the last one is answered and has been waited for as long as it took."""
        if self.waiting and now_ms >= self.open_ms:
            answered_ms = now_ms + self.setting.transaction_ms
            self.late += [answered_ms - arrived_ms for arrived_ms in self.waiting]
            self.waiting.clear()
            self.open_ms = answered_ms + min(self.setting.transaction_ms, self.setting.linger_max_ms)


def simulate(setting: Setting) -> dict[str, float]:
    """Return quantiles of lateness in ms, and the shares of the fullest partition and worker."""
    rng = random.Random(setting.seed)
    homes = [partition_of(b"hcp:%d" % (10_000_000 + n), setting.partitions) for n in range(setting.profiles)]
    weights = list(accumulate((n + 1) ** -setting.exponent for n in range(setting.profiles)))
    held = [list(range(n, setting.partitions, setting.workers)) for n in range(setting.workers)]
    workers = [Worker(setting, each) for each in held]
    cost_us = setting.event_us + setting.checkpoint_us_an_event
    a_ms = setting.load * setting.workers / cost_us * 1e3
    counts = [0] * setting.partitions
    due = 0.0
    for now_ms in range(int(setting.seconds * 1e3)):
        due += a_ms
        count, due = int(due), due - int(due)
        for n in rng.choices(range(setting.profiles), cum_weights=weights, k=count):
            partition = homes[n]
            counts[partition] += 1
            workers[partition % setting.workers].queues[partition].append(now_ms + rng.random())
        if now_ms == int(setting.seconds * 500):
            workers[0].free_ms += setting.outage_s * 1e3
        for worker in workers:
            worker.run(now_ms + 1.0)
    late = sorted(each for worker in workers for each in worker.late)
    loads = [sum(counts[partition] for partition in each) for each in held]
    return {
        "events_per_second": round(sum(counts) / setting.seconds),
        "p50_ms": round(late[len(late) // 2], 1),
        "p99_ms": round(late[len(late) * 99 // 100], 1),
        "max_ms": round(late[-1], 1),
        "left": sum(len(queue) for worker in workers for queue in worker.queues.values()),
        "fullest_partition": round(max(counts) * setting.partitions / sum(counts), 2),
        "fullest_worker": round(max(loads) * setting.workers / sum(loads), 2),
    }


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in ((one, getattr(Setting(), one)) for one in Setting.__dataclass_fields__):
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    print(json.dumps(simulate(Setting(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()

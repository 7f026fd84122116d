"""Run seeds, protocol mixtures and storms in turn, and report the seeds that failed."""

import gc
import logging
import random
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from unittest.mock import patch

from streams.partition import writer
from tests.faults.mutations import mutate
from tests.simulation.loop import run
from tests.simulation.protocol import Faults, simulate
from tests.simulation.storms import storm

MIXTURES: Final = {
    "nothing": Faults(),
    "moves": Faults(moves=8, stalls=0.005),
    "kills": Faults(kills=6, moves=2),
    "lost": Faults(lost=0.01, moves=2, time_outs=0.02, stalls=0.002),
    "rollbacks": Faults(rollbacks=10, moves=4, lost=0.03),
    "claimants": Faults(moves=16, kills=4, rollbacks=3, lost=0.01, stalls=0.05),
    "claims": Faults(moves=10, kills=1, rollbacks=3, lost=0.01, stalls=0.01),
    "all": Faults(moves=4, kills=2, rollbacks=3, lost=0.005, time_outs=0.01, stalls=0.002),
}
STORM_EVERY: Final = 16
"""One seed in this many is a storm; a storm takes several times as long as a mixture."""
THREE_EVERY: Final = 5
"""Of the other seeds, one in this many has three workers and three partitions."""
PORTIONS: Final = (writer.PORTION, 1)
"""Profiles that a worker packs after a chunk at the least; each for a run of seeds with every mixture."""


def is_storm(seed: int) -> bool:
    """Tell whether a seed is a storm."""
    return seed % STORM_EVERY == 0


def mixture(seed: int) -> str:
    """Name the mixture of a seed."""
    return [*MIXTURES][seed % len(MIXTURES)]


def size(seed: int) -> tuple[int, int]:
    """Return the numbers of partitions and workers of a seed."""
    if mixture(seed) == "claimants":
        return 1, 3
    return (3, 3) if seed % THREE_EVERY == 0 else (2, 2)


def what(seed: int) -> str:
    """Describe a seed."""
    if is_storm(seed):
        return "storm"
    partitions, workers = size(seed)
    return f"protocol, {mixture(seed)}, {partitions} partitions, {workers} workers"


async def run_seed(seed: int) -> None:
    """Run one seed. Raises AssertionError, or another error, when something does not hold."""
    if is_storm(seed):
        await storm(seed)
        return
    partitions, workers = size(seed)
    with patch.object(writer, "PORTION", PORTIONS[seed // len(MIXTURES) % len(PORTIONS)]):
        await simulate(seed, MIXTURES[mixture(seed)], partitions=partitions, workers=workers)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the workers' logs, and asyncio's reports of killed tasks, off the terminal."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        gc.collect()
        logging.disable(logging.NOTSET)


def failing(seeds: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Run seeds. Yields each with its error as text; "" for a seed that held."""
    for seed in seeds:
        try:
            # a run must not depend on the random state that the run before left behind
            random.seed(seed)
            run(run_seed(seed))
        except Exception as error:
            lines = "".join(traceback.format_exception(error)[-3:])
            yield seed, f"{type(error).__name__}: {error}\n{lines}"
        else:
            yield seed, ""


@dataclass
class Block:
    """The results of some seeds."""

    failed: list[tuple[int, str]] = field(default_factory=list)
    """The seeds that failed, with their errors."""
    protocols: int = 0
    protocols_s: float = 0.0
    storms: int = 0
    storms_s: float = 0.0
    """The number of runs of each sort, and their duration."""

    def add(self, other: "Block") -> None:
        """Add the results of another block."""
        self.failed += other.failed
        self.protocols += other.protocols
        self.protocols_s += other.protocols_s
        self.storms += other.storms
        self.storms_s += other.storms_s


def block(task: tuple[int, int, str]) -> Block:
    """Run a block (first seed, number of seeds, mutation) in a process of its own."""
    first, count, mutation = task
    if mutation:
        mutate(mutation)
    done, at_s = Block(), time.perf_counter()
    with quiet():
        for seed, error in failing(range(first, first + count)):
            began_s, at_s = at_s, time.perf_counter()
            if is_storm(seed):
                done.storms += 1
                done.storms_s += at_s - began_s
            else:
                done.protocols += 1
                done.protocols_s += at_s - began_s
            if error:
                done.failed.append((seed, error))
    return done


def fails_at_some_seed(run: Callable[[int], object], seeds: int) -> bool:
    """Tell whether a run fails at one of so many seeds; it stops there."""
    with quiet():
        for seed in range(seeds):
            try:
                run(seed)
            except Exception:
                return True
    return False

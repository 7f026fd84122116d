"""`python -m tests.simulation [--seeds N] [--first SEED] [--mutation NAME]`: run seeds; print the seeds that failed."""

import argparse
import multiprocessing
import os
import sys
import time

from rich.console import Console
from rich.progress import track

from tests.faults.mutations import MUTATIONS
from tests.simulation.seeds import Block, block, what

BLOCK = 10


def main(arguments: list[str]) -> int:
    """Run the seeds. Returns 0 if every seed held, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many (500)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--mutation", choices=list(MUTATIONS), default="", help="switch a safety off: it must fail")
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2)))
    given = parser.parse_args(arguments)
    console = Console()
    end = given.first + given.seeds
    tasks = [(first, min(BLOCK, end - first), given.mutation) for first in range(given.first, end, BLOCK)]
    began_s = time.monotonic()
    whole = Block()
    # each block runs in a fresh process, so a mutation ends with it
    with multiprocessing.get_context("spawn").Pool(given.processes, maxtasksperchild=20) as pool:
        found = pool.imap_unordered(block, tasks)
        for some in track(found, f"{given.seeds} seeds", total=len(tasks), console=console, transient=True):
            whole.add(some)
            for seed, error in some.failed:
                console.print(f"FAILED seed {seed} ({what(seed)})\n{error[-1_500:]}", markup=False, highlight=False)
                console.print(f"repeat it: make simulate SEED={seed}", markup=False, highlight=False)
    seconds = time.monotonic() - began_s
    rate = 60 * given.seeds / max(seconds, 0.001)
    console.print(
        f"{given.seeds} seeds from {given.first}: {len(whole.failed)} failed; {seconds:.0f} s, {rate:.0f} a minute"
    )
    for name, count, spent_s in (
        ("of the protocol", whole.protocols, whole.protocols_s),
        ("storms", whole.storms, whole.storms_s),
    ):
        if count:
            console.print(f"  {count} {name}: {60 * count * given.processes / spent_s:.0f} a minute, were they alone")
    return 1 if whole.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

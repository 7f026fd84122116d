"""`python -m tests.faults [--fault N …] [--seed S] [--size once|ci|full] [--jobs N] [--keep]`: run faults, and tell."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tests.faults.fault import Fault
from tests.faults.runner import JOBS, Result, Runs, in_turn
from tests.faults.stage import servers
from tests.faults.table import FAULTS, chosen
from tests.faults.telling import RESULTS, keep, table


def seeds(text: str) -> range:
    """Read `3` or `3-9`. Raises ValueError."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main(arguments: list[str]) -> int:
    """Run; returns 0 if everything held, 1 if something did not, 2 for usage, 130 when broken off."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    numbers = ", ".join(fault.number for fault in FAULTS)
    parser.add_argument("--fault", action="append", default=[], metavar="N", help=f"one of {numbers}; again for more")
    parser.add_argument("--seed", type=seeds, metavar="S", help="run this seed only, or of the size's those in 3-9")
    parser.add_argument("--size", choices=["once", "ci", "full"], default="ci")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"runs at a time ({JOBS})")
    parser.add_argument("--minutes", type=float, help="begin nothing new after so many minutes")
    parser.add_argument("--keep", action="store_true", help=f"write the results into {RESULTS.name}/ (full runs do)")
    given = parser.parse_args(arguments)
    try:
        faults = chosen([number for each in given.fault for number in each.replace(",", " ").split()])
    except KeyError as unknown:
        parser.error(f"there is no fault {unknown}; there are {numbers}")
    # readers and senders of the runs say of a broker that is away what the runs know
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(width=None if sys.stdout.isatty() else 160)
    screen = _Screen(console, faults)
    began_s, broken_off = time.monotonic(), False
    runs_wanted = in_turn(faults, given.size, given.seed)
    if not runs_wanted:
        parser.error(f"no fault has such a seed at size {given.size}; its seeds are counted from 0")
    with screen.progress, servers() as running:
        screen.expect(len(runs_wanted))
        runs = Runs(running, given.size, given.jobs, screen.on_begin, screen.say, screen.on_result)
        runs.last_begin_s = None if given.minutes is None else began_s + given.minutes * 60
        try:
            for future in [runs.submit(fault, seed) for fault, seed in runs_wanted]:
                future.result()
        except KeyboardInterrupt:
            broken_off = True
        finally:
            runs.close(wait=not broken_off)
    results = [result for result in screen.results if not result.not_run]
    console.print(table(faults, results, time.monotonic() - began_s))
    if given.keep or given.size == "full":
        console.print(f"kept as {keep(faults, screen.results, given.size, given.jobs)}")
    if broken_off:
        # whatever still runs in a thread ends with this process, and its servers with it
        os._exit(130)
    return 1 if any(result.error for result in results) else 0


class _Screen:
    """What is seen meanwhile: a bar for all, a line for each run that goes on, and a line left behind by each."""

    def __init__(self, console: Console, faults: Sequence[Fault]) -> None:
        self._console = console
        self._faults = faults
        columns = (TextColumn("{task.description}"), BarColumn(20), TextColumn("{task.fields[so_far]}"))
        self.progress = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._all = self.progress.add_task("starting Apache Kafka", total=None, so_far="")
        self._lines: dict[tuple[str, int], TaskID] = {}
        self.results: list[Result] = []

    def expect(self, runs: int) -> None:
        """Learn how many runs there are."""
        self._runs = runs
        self.progress.update(self._all, total=runs, description="faults", so_far=f"0 of {runs}")

    def on_begin(self, fault: Fault, seed: int) -> None:
        """Show that a run begins."""
        name = f"  {fault.number:>3}  {fault.name}, seed {seed}"
        self._lines[fault.number, seed] = self.progress.add_task(name, total=None, so_far="")

    def say(self, fault: Fault, seed: int, text: str) -> None:
        """Show what a run is at."""
        self.progress.update(self._lines[fault.number, seed], so_far=text)

    def on_result(self, result: Result) -> None:
        """Show what came of a run."""
        self.results.append(result)
        line = self._lines.pop((result.fault, result.seed), None)
        if line is not None:
            self.progress.remove_task(line)
        failed = sum(1 for each in self.results if each.error)
        told = f"{len(self.results)} of {self._runs}" + (f", {failed} failed" if failed else "")
        self.progress.update(self._all, completed=len(self.results), so_far=told)
        if result.not_run:
            return
        mark = "[red]FAILED[/red]" if result.error else "[green]held[/green]"
        self._console.print(f"{mark}  {result.fault:>3}  {result.name}, seed {result.seed}, {result.seconds:.0f} s")
        if result.error:
            self._console.print(result.error[:6_000], markup=False, highlight=False)
            self._console.print(f"repeat it: {result.command}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

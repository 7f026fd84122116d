"""Trees of two versions of Segue, which a benchmark runs in turn, and how their figures compare."""

import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BENCHMARK: Final = ("tests/benchmarks/load", "tests/benchmarks/bench_engine.py")
"""What a revision without the load is given."""


def tree_of(version: str, folder: Path) -> Path:
    """Return the folder of a version: a folder that holds a tree, or a revision, which is unpacked into `folder`."""
    if (Path(version) / "tests" / "benchmarks").is_dir():
        return Path(version).resolve()
    folder.mkdir()
    archive = subprocess.run(["git", "archive", version], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    if not (folder / BENCHMARK[0]).exists():
        shutil.copytree(ROOT / BENCHMARK[0], folder / BENCHMARK[0])
        shutil.copyfile(ROOT / BENCHMARK[1], folder / BENCHMARK[1])
    return folder


def ratio(before: Sequence[float], after: Sequence[float]) -> str:
    """Say after ÷ before, round by round: the median, with minimum and maximum if there are several rounds."""
    each = sorted(new / old for old, new in zip(before, after, strict=False) if old)
    if not each:
        return "–"
    spread = f" ({each[0]:.2f}–{each[-1]:.2f})" if len(each) > 1 else ""
    return f"{statistics.median(each):.2f}{spread}"

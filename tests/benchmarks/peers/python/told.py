"""What a peer is told when it is started (`tests.benchmarks.peers`), and how it says that it is ready."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """The environment, and the design: the one argument."""

    best: bool
    """False: the idiomatic design."""
    bootstrap: str
    redis_url: str
    name: str
    events: str
    changes: str
    partitions: int
    catalogue: Path
    folder: Path

    def plan(self) -> Mapping[str, Any]:
        """Read the plain data."""
        found: Mapping[str, Any] = json.loads(self.catalogue.read_text())
        return found


def told() -> Told:
    """Read what this process is told."""
    given = os.environ
    return Told(
        {"best": True, "idiomatic": False}[sys.argv[1]],
        given["BENCH_BOOTSTRAP"],
        given["BENCH_REDIS_URL"],
        given["BENCH_NAME"],
        given["BENCH_EVENTS_TOPIC"],
        given["BENCH_CHANGES_TOPIC"],
        int(given["BENCH_PARTITIONS"]),
        Path(given["BENCH_CATALOGUE"]),
        Path(given["BENCH_FOLDER"]),
    )


def ready() -> None:
    """Say that events are read. Not by `print`: Faust takes standard output for its log."""
    os.write(1, b"ready\n")

"""Start the loader and the reader, and hear what they say."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.contest.loader import Job
from tests.benchmarks.contest.reader import Noted
from tests.benchmarks.peers.engine import ROOT
from tests.tied import tied

LOADER: Final = "tests.benchmarks.contest.loader"
READER: Final = "tests.benchmarks.contest.reader"


@dataclass
class Loader:
    """A loader at work."""

    job: Job
    process: "subprocess.Popen[bytes]"

    def result(self) -> Mapping[str, float]:
        """Wait until it is done; returns what it says. Raises RuntimeError if it failed."""
        out, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"the loader failed: {self.process.returncode}")
        found: dict[str, float] = json.loads(out)
        return found


def load(job: Job) -> Loader:
    """Start a loader."""
    command = [sys.executable, "-m", LOADER, json.dumps(asdict(job))]
    return Loader(job, subprocess.Popen(tied(command), cwd=ROOT, stdout=subprocess.PIPE))


@dataclass
class Reader:
    """A reader at work; what it says is kept up to date by a thread."""

    process: "subprocess.Popen[bytes]"
    file: Path
    reading: threading.Event = field(default_factory=threading.Event)
    markers: dict[str, float] = field(default_factory=dict)
    """By name: when each marker's change arrived."""

    def __post_init__(self) -> None:
        """Hear it until it ends."""
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as said:
            for line in said:
                words = line.decode().split()
                if words[0] == "reading":
                    self.reading.set()
                else:
                    self.markers.setdefault(words[1], float(words[2]))

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def wait_marker(self, name: str, partitions: int, limit_s: float) -> float:
        """Wait for a job's markers in all partitions; returns when the last one arrived."""
        names = {f"{name}-{n}" for n in range(partitions)}
        self._wait(lambda: names <= self.markers.keys(), limit_s, f"the markers {name}")
        return max(self.markers[one] for one in names)

    def wait_any_marker(self, name: str, partitions: int, limit_s: float) -> float:
        """Wait for one of a job's markers, in whatever partition; returns when it arrived."""
        names = {f"{name}-{n}" for n in range(partitions)}
        self._wait(lambda: names & self.markers.keys(), limit_s, f"a marker {name}")
        return min(self.markers[one] for one in names & self.markers.keys())

    def _wait(self, done: Any, limit_s: float, what: str) -> None:
        deadline = time.monotonic() + limit_s
        while not done():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not arrive within {limit_s:.0f} s")
            time.sleep(0.01)

    def noted(self) -> Noted:
        """End it; returns what it noted."""
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait():
            raise RuntimeError("the reader failed")
        found = json.loads(self.file.read_text())
        return Noted(found["changes"], found["events"], found["wakes"])


def read(bootstrap: str, topic: str, partitions: int, file: Path) -> Reader:
    """Start a reader; returns when it stands at the end of the topic."""
    command = [sys.executable, "-m", READER, bootstrap, topic, str(partitions), str(file)]
    reader = Reader(subprocess.Popen(tied(command), cwd=ROOT, stdout=subprocess.PIPE), file)
    if not reader.reading.wait(30):
        raise RuntimeError("the reader does not read")
    return reader

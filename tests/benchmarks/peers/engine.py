"""The interface of an engine under test, and the engine that is a command. `tests.benchmarks.peers` is the contract."""

import os
import signal
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from tests.benchmarks.load.plan import Plan
from tests.tied import tied

ROOT: Final = Path(__file__).parents[3]
READY_TIMEOUT_S: Final = 120
STOP_TIMEOUT_S: Final = 20


@dataclass(frozen=True, slots=True)
class Ground:
    """The servers, and the names that an engine has there."""

    bootstrap: str
    redis_url: str
    name: str
    """Of the engine in this run: begins its topics, groups and keys."""
    partitions: int
    folder: Path
    profiles: int = 1_000
    """How many the load has."""

    @property
    def catalogue_file(self) -> Path:
        """Where the plain data are written."""
        return self.folder / "catalogue.json"


class Running(ABC):
    """A started engine."""

    @abstractmethod
    def wait_ready(self) -> None:
        """Block until it is ready. Raises RuntimeError if it ended or took too long."""

    @property
    @abstractmethod
    def pids(self) -> Sequence[int]:
        """Its processes that lead sessions: all processes of these sessions are the engine."""

    @abstractmethod
    def stop(self) -> None:
        """End it in order."""

    @abstractmethod
    def kill(self) -> None:
        """Kill it: it loses what it has not written."""


class Engine(ABC):
    """An engine under test."""

    name: str
    design: str
    """In a few words: how its rules are evaluated and where its state is."""
    durability: str
    """What a reader may lose or see twice after a crash."""
    cannot: frozenset[str] = frozenset()
    """Kinds of segments that it cannot express."""
    has_timers: bool = True
    """False: what time alone changes is published with the profile's next event, and never without one."""
    commit_s: float = 0
    """Its changes can be read when it commits, which it does so often; 0: as they come, or in less than 0.1 s."""
    has_rules: bool = True
    """False: it publishes without rules; no gate, no rank, no wakes."""
    adds_live: bool = False
    """Whether `add` works on a running engine."""

    @property
    def limits(self) -> str:
        """What it cannot express, in words; empty: nothing."""
        timers = [] if self.has_timers else ["what time alone changes, without an event"]
        return ", ".join([*sorted(self.cannot), *timers])

    def absent(self) -> str | None:
        """Say why it cannot run on this machine; None: it can."""
        return None

    @abstractmethod
    def events_topic(self, ground: Ground) -> str:
        """Name its input."""

    @abstractmethod
    def changes_topic(self, ground: Ground) -> str:
        """Name its output."""

    @abstractmethod
    def prepare(self, ground: Ground, plan: Plan) -> None:
        """Make its topics, and give it its catalogue, before its first start; blocks."""

    @abstractmethod
    def start(self, ground: Ground) -> Running:
        """Start it, the first time or again."""

    def add(self, ground: Ground, plan: Plan) -> None:
        """Put another catalogue into force while it runs; blocks until it is asked for, not until it is done."""
        raise NotImplementedError


@dataclass
class Process(Running):
    """A process that prints `ready`."""

    process: "subprocess.Popen[bytes]"
    log: IO[bytes]
    _ready: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    """Its standard output has ended."""

    def __post_init__(self) -> None:
        """Read its standard output until it ends."""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.log, self.process.stdout as said:
            for line in said:
                if line.strip() == b"ready":
                    self._ready.set()
                else:
                    self.log.write(line)
                    self.log.flush()
        self._over.set()

    def wait_ready(self) -> None:
        for _ in range(READY_TIMEOUT_S * 10):
            if self._ready.wait(0.1):
                return
            if self.process.poll() is not None:
                break
        raise RuntimeError(f"the engine is not ready (exit status {self.process.poll()}): see {self.log.name}")

    @property
    def pids(self) -> Sequence[int]:
        return (self.process.pid,)

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_TIMEOUT_S)
        self.kill()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._over.wait(STOP_TIMEOUT_S)


@dataclass
class CommandEngine(Engine):
    """An engine that is one command, told everything in its environment."""

    name: str
    command: Sequence[str]
    """`python` stands for this Python."""
    design: str
    durability: str
    cannot: frozenset[str] = frozenset()
    has_timers: bool = True
    commit_s: float = 0
    has_rules: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables."""

    def events_topic(self, ground: Ground) -> str:
        return f"{ground.name}.events"

    def changes_topic(self, ground: Ground) -> str:
        return f"{ground.name}.changes"

    def prepare(self, ground: Ground, plan: Plan) -> None:
        # imported here: an engine in another environment uses this module without Segue
        from tests.benchmarks.peers.topics import make_topics

        ground.catalogue_file.write_text(plan.json())
        make_topics(ground, [(self.events_topic(ground), True), (self.changes_topic(ground), False)])

    def start(self, ground: Ground) -> Running:
        told = {
            "BENCH_BOOTSTRAP": ground.bootstrap,
            "BENCH_REDIS_URL": ground.redis_url,
            "BENCH_NAME": ground.name,
            "BENCH_EVENTS_TOPIC": self.events_topic(ground),
            "BENCH_CHANGES_TOPIC": self.changes_topic(ground),
            "BENCH_PARTITIONS": str(ground.partitions),
            "BENCH_CATALOGUE": str(ground.catalogue_file),
            "BENCH_FOLDER": str(ground.folder),
        }
        return launch(
            [sys.executable if word == "python" else word for word in self.command],
            ground,
            {**told, **self.environment},
        )


def launch(command: Sequence[str], ground: Ground, environment: Mapping[str, str], root: Path = ROOT) -> Process:
    """Start a process in a session of its own, tied to this one; what it says goes to `engine.log` of its folder.

    It works in `root`, so its modules are those of that tree.
    """
    log = (ground.folder / "engine.log").open("ab")
    process = subprocess.Popen(
        tied(command),
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    )
    return Process(process, log)

"""Segue as an engine under test: `segue topics`, `segue apply` and `segue worker`, as its operators run them."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from streams.embedded.server import free_port
from tests.benchmarks.deployment import SEGUE, environment_of
from tests.benchmarks.load.catalogue import texts_of
from tests.benchmarks.load.plan import Plan
from tests.benchmarks.peers.engine import READY_TIMEOUT_S, ROOT, Engine, Ground, Process, Running, launch

CACHED_SHARE: Final = 5
"""A worker keeps one profile in so many in memory: its own default, 200,000, of a million."""


class Worker:
    """A worker, which is asked over its web pages."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self._port = port

    def status(self, page: str = "status") -> dict[str, Any] | None:
        """Return what a page says; None: it does not answer, or says no."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{page}", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except OSError:
            return None

    def wait_ready(self) -> None:
        """Wait until /ready says yes. Raises RuntimeError."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while self.status("ready") is None:
            if self.process.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the worker is not ready: see {self.process.log.name}")
            time.sleep(0.05)


class Workers(Running):
    """The workers of one deployment."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    def wait_ready(self) -> None:
        for worker in self._workers:
            worker.wait_ready()

    @property
    def pids(self) -> Sequence[int]:
        return [pid for worker in self._workers for pid in worker.process.pids]

    def stop(self) -> None:
        for worker in self._workers:
            worker.process.stop()

    def kill(self) -> None:
        for worker in self._workers:
            worker.process.kill()


@dataclass
class Segue(Engine):
    """The engine of this project."""

    name: str = "segue"
    design: str = "an index over shared condition states, profiles in memory, written behind"
    durability: str = "every change exactly once"
    adds_live: bool = True
    workers: int = 1
    root: Path = ROOT
    """The tree whose commands are run: this one, or one of another version."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the worker."""
    command: Sequence[str] = (*SEGUE, "worker")
    """Starts a worker."""
    texts: Callable[[Plan], Mapping[str, str]] = texts_of
    """Writes the files of the catalogue."""

    def events_topic(self, ground: Ground) -> str:
        return f"{ground.name}.events"

    def changes_topic(self, ground: Ground) -> str:
        return f"{ground.name}.membership"

    def prepare(self, ground: Ground, plan: Plan) -> None:
        self._run(ground, "topics")
        self.add(ground, plan)

    def add(self, ground: Ground, plan: Plan) -> None:
        folder = ground.folder / "catalogue"
        for name, text in self.texts(plan).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        self._run(ground, "apply", str(folder))

    def start(self, ground: Ground) -> Workers:
        return Workers([self._start(ground, f"{ground.name}-{number}") for number in range(self.workers)])

    def _start(self, ground: Ground, name: str) -> Worker:
        port = free_port()
        named = {"SEGUE_GROUP_INSTANCE_ID": name, "SEGUE_WEB_PORT": str(port)}
        environment = {**self._told(ground), **named, **self.environment}
        return Worker(launch(self.command, ground, environment, self.root), port)

    def _run(self, ground: Ground, *arguments: str) -> None:
        with (ground.folder / "engine.log").open("ab") as log:
            subprocess.run(
                [*SEGUE, *arguments], cwd=self.root, env=self._told(ground), stdout=log, stderr=log, check=True
            )

    def _told(self, ground: Ground) -> dict[str, str]:
        return {
            **environment_of(ground.name, ground.partitions, ground.bootstrap, ground.redis_url),
            "SEGUE_SESSION_TIMEOUT_MS": "6000",
            "SEGUE_PROFILES_CACHED_MAX": str(max(500, ground.profiles // CACHED_SHARE // self.workers)),
        }

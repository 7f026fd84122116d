"""The stage: topics, catalogue, two workers as processes of their own, and what they say of themselves.

Workers stand behind a guard (`streams.embedded.server.Guarded`), as the servers do: they are killed when the demo ends,
however it ends, `kill -9` included.
"""

import asyncio
import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Final

import streams
from rules.catalogue.catalogue import Catalogue
from streams import embedded
from streams.demo.figures import Crew, Figures, Lane
from streams.embedded.server import LOOPBACK, Guarded, free_port
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.producer import Tuning
from streams.operations.apply import put_into_force
from streams.operations.errors import Unreachable, WrongInput
from streams.operations.provision import create_or_verify
from streams.operations.servers import Servers
from streams.settings import Deployment, Settings
from streams.store.server import check_server

ROOT: Final = Path(streams.__path__[0]).parent
"""Of the checkout, or where the package is installed."""
PARTITIONS: Final = 4
SESSION_MS: Final = 4_000
"""How long a worker is silent before its partitions go to another. The usual 10 s are for machines far apart."""
WORKERS: Final = 2
KEPT_SETTINGS: Final = frozenset({"SEGUE_CACHE_DIR"})
"""Of the environment; all others lead to other servers, or other names, than the demo's own."""
READY_S: Final = 120.0
LOOK_S: Final = 0.2
_LOG_LINES: Final = 12


def forget_settings() -> None:
    """Forget the SEGUE_* settings of the environment: the demo must touch nobody's real servers."""
    for name in list(os.environ):
        if name.startswith("SEGUE_") and name not in KEPT_SETTINGS:
            del os.environ[name]


def settings_for(servers: embedded.EmbeddedServers) -> tuple[Deployment, Settings]:
    """Settings that lead to the embedded servers."""
    return Deployment(partitions=PARTITIONS), Settings(
        kafka_bootstrap_servers=servers.kafka, redis_url=servers.redis_url, session_timeout_ms=SESSION_MS
    )


def environment(deployment: Deployment, settings: Settings) -> dict[str, str]:
    """Return the SEGUE_* variables that lead a command to the demo: the settings that differ from their defaults."""
    usual = {**Deployment().model_dump(), **Settings().model_dump()}
    values = {**deployment.model_dump(), **settings.model_dump()}
    return {f"SEGUE_{name.upper()}": str(value) for name, value in values.items() if value != usual[name]}


@dataclass(frozen=True, slots=True)
class Acquainted(Servers):
    """Servers whose one catalogue is known: it need not be read and compiled again at every question."""

    known: Catalogue = field(kw_only=True)

    async def catalogue_of(self, digest: str) -> Catalogue:
        """Return the one catalogue of the demo."""
        if digest != self.known.hash:
            raise AssertionError("a catalogue that the demo did not apply")
        return self.known


def open_servers(deployment: Deployment, settings: Settings, catalogue: Catalogue) -> Acquainted:
    """Connections for this process; close `log` at the end."""
    tuning = Tuning(settings.transaction_timeout_ms, settings.request_timeout_ms)
    return Acquainted(deployment, settings, KafkaLog(KafkaConnection.of(settings), tuning), known=catalogue)


async def provision(servers: Acquainted) -> None:
    """Create the topics and put the catalogue into force."""
    await check_server(servers.redis, servers.deployment.redis_prefix)
    async with servers.cluster() as cluster:
        done = await create_or_verify(cluster, servers.log, servers.store, servers.deployment)
    if done.fatal:
        raise WrongInput(*map(str, done.findings))
    await put_into_force(servers, servers.known)


class WorkerProcess:
    """`segue worker`, in a process of its own."""

    def __init__(self, number: int, folder: Path, environment: Mapping[str, str]) -> None:
        self.number = number
        self.log = folder / f"worker-{number}.log"
        self._port = free_port()
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = Guarded(
            [sys.executable, "-W", "ignore", "-m", "streams.cli", "worker", "--log-level", "warning"],
            self.log,
            folder,
            env={
                **os.environ,
                **environment,
                "SEGUE_WEB_PORT": str(self._port),
                "SEGUE_METRICS_PORT": "0",
                "PYTHONPATH": path,
            },
            grace_s=0,
        )
        self.pid = self._process.pid

    def running(self) -> bool:
        """Tell whether the process is there."""
        return self._process.running()

    def kill(self) -> None:
        """Kill it with -9: it can finish nothing, and tells nobody."""
        self._process.signal("KILL")

    def close(self) -> None:
        """End it if it still runs."""
        self._process.close()

    def expect_running(self) -> None:
        """Check that it runs. Raises WrongInput with the end of its log otherwise."""
        if not self.running():
            log = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            what = f"worker {self.number} ended by itself with {self._process.status}; the end of its log:"
            raise WrongInput(what, *log)

    def ask(self) -> dict[str, Any] | None:
        """What its /status says; None: nobody answers. Blocks."""
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/status", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return None


class Workers:
    """The workers of the demo, and what they own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._all: list[WorkerProcess] = []

    def start(self, figures: Figures) -> None:
        """Start the two."""
        for number in range(1, WORKERS + 1):
            worker = WorkerProcess(number, self._folder, self._environment)
            self._all.append(worker)
            figures.crew.append(Crew(number, worker.pid))

    def kill(self, number: int, figures: Figures) -> None:
        """Kill one with -9."""
        worker = self._all[number - 1]
        self._all[number - 1].kill()
        figures.crew[number - 1].alive = False
        for lane in figures.lanes:
            if lane.owner == worker.number:
                lane.owner, lane.state = None, "no owner"

    def close(self) -> None:
        """End them all."""
        for worker in self._all:
            worker.close()

    async def look(self, figures: Figures) -> None:
        """Ask every worker that should be there, and write down what it says."""
        here = [worker for worker in self._all if figures.crew[worker.number - 1].alive]
        for worker in here:
            worker.expect_running()
        answers = await asyncio.gather(*(asyncio.to_thread(worker.ask) for worker in here))
        owned = {
            found["partition"]: (worker.number, found)
            for worker, answer in zip(here, answers, strict=True)
            if answer is not None and figures.crew[worker.number - 1].alive
            for found in answer["partitions"]
        }
        if any(answer is None for answer in answers) and not owned:
            return  # the workers are too busy to answer: the lanes keep their last state
        for lane in figures.lanes:
            _note(lane, owned.get(lane.partition))

    async def look_on(self, figures: Figures) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look(figures)
            await asyncio.sleep(LOOK_S)

    async def until_ready(self, figures: Figures) -> None:
        """Wait until every partition is run by somebody, and every worker runs some."""
        until = monotonic() + READY_S
        while not (figures.ready and {lane.owner for lane in figures.lanes} == {crew.number for crew in figures.crew}):
            if monotonic() > until:
                raise Unreachable(f"the workers did not share the partitions within {READY_S:.0f} s")
            await self.look(figures)
            await asyncio.sleep(LOOK_S)


def _note(lane: Lane, found: tuple[int, dict[str, Any]] | None) -> None:
    if found is None:
        lane.owner, lane.state = None, "no owner"
        return
    lane.owner, status = found
    incident = status["incident"]
    lane.state = status["state"]
    if incident:
        raise WrongInput(f"partition {lane.partition} was stopped: {incident}")
    if lane.state == "running":
        lane.applied = max(lane.applied, status["applied_offset"])
        lane.published = max(lane.published, status["published_offset"])
        lane.end = max(lane.end, status["end_offset"])


def lanes() -> list[Lane]:
    """One for every partition."""
    return [Lane(partition) for partition in range(PARTITIONS)]


def naive_command() -> list[str] | None:
    """How to run the naive evaluator, in ROOT; None: this is no checkout."""
    return [sys.executable, "-m", "tests.naive"] if (ROOT / "tests" / "naive" / "__main__.py").is_file() else None

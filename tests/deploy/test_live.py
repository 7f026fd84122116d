"""Debian's Prometheus scrapes live workers and a live deliverer: alerts come when something breaks, and end.

Two workers and a deliverer run as processes on an embedded Kafka and a Valkey of their own. Every query of the
dashboards is asked, too.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from streams.embedded.server import free_port
from tests.acceptance.command import Segue, deployment, event
from tests.acceptance.test_definitions import write_catalogue
from tests.acceptance.test_deliver import CATALOGUE, CONSENT
from tests.deploy.server import PrometheusServer, needs_prometheus
from tests.deploy.test_dashboards import queries
from tests.servers import running_valkey, temporary_folder, unique
from tests.streams.delivery.platform import environment, running

pytestmark = [pytest.mark.servers, needs_prometheus]

PARTITIONS = 2
QUIET = {
    "segue-flow: Dead letters",
    "segue-flow: Events that changed nothing new",
    "segue-flow: Alerts",
    "segue-audiences: Delivery lag in seconds",
}
"""Panels that may be empty while all is well."""


@dataclass
class Deployment:
    """What runs, and the Prometheus that sees it."""

    segue: Segue
    workers: "list[subprocess.Popen[str]]"
    valkey: ValkeyServer
    prometheus: PrometheusServer


@contextlib.contextmanager
def watched(jobs: dict[str, list[int]]) -> Iterator[PrometheusServer]:
    """Start Prometheus over ports on loopback."""
    with temporary_folder() as folder:
        server = PrometheusServer(jobs, remove=folder)
        server.start(folder / "prometheus")
        try:
            yield server
        finally:
            server.kill()


@asynccontextmanager
async def deployed(kafka: KafkaServer, folder: Path) -> AsyncIterator[Deployment]:
    """Run two workers, a deliverer and Prometheus, with some events applied and delivered."""
    name = unique("watched")
    ports = [free_port() for _ in range(3)]
    with running_valkey() as valkey:
        segue = deployment(name, kafka.bootstrap, valkey.redis_url, PARTITIONS)
        segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{name}.activation"
        async with running("standard") as platform:
            segue.environment |= environment(platform)
            await asyncio.to_thread(segue.done, "topics")
            await asyncio.to_thread(segue.done, "apply", write_catalogue(folder, CATALOGUE))
            quietly = ("--log-level", "error")
            with (
                segue.started("worker", *quietly, SEGUE_METRICS_PORT=ports[0]) as one,
                segue.started("worker", *quietly, SEGUE_METRICS_PORT=ports[1]) as other,
                segue.started("deliver", "email", *quietly, SEGUE_METRICS_PORT=ports[2]),
                watched({"segue-worker": ports[:2], "segue-deliverer": ports[2:]}) as prometheus,
            ):
                await until(lambda: prometheus.up() == 3, "every process answers")
                await asyncio.to_thread(segue.done, "send", "-", stdin=events())
                await until(lambda: len(platform.taken) >= 60, "every change is delivered")
                yield Deployment(segue, [one, other], valkey, prometheus)


def events() -> str:
    """Return events that let 30 profiles be contacted, and withdraw them; one of them gets another name."""
    subjects = [f"hcp:{number}" for number in range(30)]
    return event("crm:0", "identity.linked", "crm:0-1", canonical=subjects[0]) + "".join(
        event(subject, "portal.login", f"{subject}-1")
        + event(subject, "consent.granted", f"{subject}-2", **CONSENT)
        + event(subject, "consent.withdrawn", f"{subject}-3", **CONSENT)
        for subject in subjects
    )


async def until(done: Callable[[], object], what: str, limit_s: float = 60) -> None:
    """Ask again until it is so."""
    end = asyncio.get_running_loop().time() + limit_s
    while True:
        if await asyncio.to_thread(done):
            return
        assert asyncio.get_running_loop().time() < end, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.2)


async def test_alerts_come_when_something_breaks_and_end_when_it_is_mended(kafka: KafkaServer, tmp_path: Path) -> None:
    async with deployed(kafka, tmp_path) as found:
        prometheus = found.prometheus

        # 1. all is well: no alert fires, and panels show something
        running_state = 'sum(segue_partition_state{state="running"})'
        await until(lambda: prometheus.query(running_state)[0]["value"][1] == str(PARTITIONS), "both partitions run")
        await until(lambda: not prometheus.firing(), "no alert fires")
        with contextlib.suppress(AssertionError):
            await until(lambda: empty_panels(prometheus) <= QUIET, "panels show something", 15)
        assert empty_panels(prometheus) <= QUIET

        # 2. a worker is frozen: its target is down, and is up again when it goes on
        frozen = found.workers[0]
        os.kill(frozen.pid, signal.SIGSTOP)
        await until(lambda: "SegueTargetDown" in prometheus.firing(), "a frozen worker is seen")
        os.kill(frozen.pid, signal.SIGCONT)
        await until(lambda: "SegueTargetDown" not in prometheus.firing(), "it is seen to go on")

        # 3. Redis is frozen
        found.valkey.pause()
        await until(lambda: dependencies(prometheus) == {"redis"}, "a frozen Redis is seen")
        found.valkey.resume()
        await until(lambda: dependencies(prometheus) == set(), "it is seen to go on")

        # 4. no worker is left, and nobody is to be trusted any more
        for worker in found.workers:
            worker.kill()
        await until(lambda: "SegueMetricsAbsent" in prometheus.firing(), "that no worker tells anything is seen")
        assert {each["job"] for each in prometheus.firing()["SegueMetricsAbsent"]} == {"segue-worker"}


def dependencies(prometheus: PrometheusServer) -> set[str]:
    """Return the servers that an alert says are down."""
    return {each["dependency"] for each in prometheus.firing().get("SegueDependencyDown", [])}


def empty_panels(prometheus: PrometheusServer) -> set[str]:
    """Return the panels of which a query gives nothing."""
    return {panel for panel, expr in queries() if not prometheus.query(expr)}

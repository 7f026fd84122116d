"""/ready of a worker and a deliverer while Kafka or Valkey stands still (SIGSTOP) and after it goes on."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from streams.embedded.server import Server
from tests.servers import running_kafka, running_valkey, unique
from tests.streams.delivery.platform import running as platform_running
from tests.streams.delivery.test_processes import deliver
from tests.streams.delivery.world import channel
from tests.streams.live import WorkerProcess, live, wait_for
from tests.streams.world import catalogue

pytestmark = pytest.mark.servers

SHOWN_S = 5.0
"""A dependency that does not answer shows within so long, and so does its answer."""
RULES = catalogue("known|enter: {everyone: true}")
Asked = Callable[[], Awaitable[tuple[int, Any]]]


def away(body: Any) -> set[str]:
    """Return the dependencies that a /ready page calls away."""
    return {each["dependency"] for each in body["reasons"] if each["code"] == "dependency_away"}


async def until_said(page: Asked, which: set[str], limit_s: float) -> tuple[float, int]:
    """Wait until /ready calls these dependencies away; return after how long, and the status of the page."""
    began_s = time.monotonic()
    while True:
        status, body = await page()
        took_s = time.monotonic() - began_s
        if status and away(body) == which:
            return took_s, status
        assert took_s < limit_s, body
        await asyncio.sleep(0.05)


async def answered(page: Asked) -> Any:
    """Return the body of /ready. On a busy machine one question may time out."""
    began_s = time.monotonic()
    while True:
        status, body = await page()
        if status:
            return body
        assert time.monotonic() - began_s < SHOWN_S, "nobody answers"


def unknown(worker: WorkerProcess) -> None:
    """The lag is not known while the broker is silent; it is not 0."""
    told = worker.status()
    assert told is not None
    assert [(each["lag_records"], each["lag_ms"]) for each in told["partitions"]] == [(-1, None)] * 2


async def shows(server: Server, name: str, *pages: Asked, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Freeze a server: each page says so within the limit, and within the limit that it is back."""
    for page in pages:
        await until_said(page, set(), 60)
    server.pause()
    try:
        for _, status in await asyncio.gather(*(until_said(page, {name}, SHOWN_S) for page in pages)):
            assert status == 503
        await asyncio.sleep(4)
        meanwhile()
        for page in pages:
            assert away(await answered(page)) == {name}, "it is said as long as it lasts"
    finally:
        server.resume()
    await asyncio.gather(*(until_said(page, set(), SHOWN_S) for page in pages))


def told(lines: str, name: str) -> list[dict[str, Any]]:
    """Return the log's lines of one dependency that went away and came back."""
    found = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return [line for line in found if line["logger"] == "streams.dependencies" and name in line["message"]]


async def test_a_server_that_stands_still_shows_within_five_seconds_and_so_does_its_return(tmp_path: Path) -> None:
    with running_kafka() as kafka, running_valkey() as valkey:
        async with live(unique("health"), kafka.bootstrap, valkey.redis_url, partitions=2) as running:
            await running.apply(RULES)
            log = tmp_path / "worker.log"
            worker = running.start_worker(log=log)
            page = worker.ready
            await wait_for(lambda: (worker.status() or {}).get("ready"))
            await shows(valkey, "redis", page)
            async with (
                channel(kafka.bootstrap) as of,
                platform_running("standard") as platform,
                deliver(of, platform, tmp_path, "deliverer") as deliverer,
            ):
                await shows(kafka, "kafka", page, lambda: deliverer.page("/ready"), meanwhile=lambda: unknown(worker))
                assert len(told(deliverer.said(), "Kafka")) == 2
            await wait_for(lambda: (worker.status() or {}).get("ready"))
            for name in ("Redis", "Kafka"):
                gone, back = told(log.read_text(), name)
                assert gone["message"] == f"{name} cannot be used: no answer came within 2 s"
                assert back["message"].startswith(f"{name} can be used again, after ")
            assert worker.stop() == 0

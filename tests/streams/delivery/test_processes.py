"""`segue deliver` as processes: killed, frozen, joined by others, stopped; nobody's name in what they log."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import KafkaServer
from tests.acceptance.command import ROOT
from tests.streams.delivery.platform import API_KEY, SECRET, Platform, environment, failing, judge, running
from tests.streams.delivery.test_deliverer import LIMIT_S, all_there, until
from tests.streams.delivery.world import CHANNEL, Channel, changes, channel, told

pytestmark = pytest.mark.servers


@dataclass
class Process:
    """One `segue deliver`."""

    process: asyncio.subprocess.Process
    port: int
    log: Path

    async def page(self, path: str) -> tuple[int, Any]:
        """Return a page's status and JSON; (0, None): no answer."""

        def ask() -> tuple[int, Any]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=2) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                return error.code, json.load(error)
            except OSError:
                return 0, None

        return await asyncio.to_thread(ask)

    async def ends(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(LIMIT_S):
            return await self.process.wait()

    async def has_nothing_left(self) -> None:
        """Wait until no change is in hand or unread."""
        end = time.monotonic() + LIMIT_S
        while True:
            status = (await self.page("/status"))[1]
            if status and status["in_hand"] == status["lag_changes"] == 0:
                return
            assert time.monotonic() < end, status
            await asyncio.sleep(0.1)

    def said(self) -> str:
        return self.log.read_text()


@asynccontextmanager
async def deliver(
    of: Channel, to: Platform, folder: Path, name: str = "1", **settings: object
) -> AsyncIterator[Process]:
    """Start a deliverer; kill it at the end if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = {f"SEGUE_{key.upper()}": str(value) for key, value in settings.items()}
    values = {**environment(to), "SEGUE_WEB_PORT": str(port), "SEGUE_METRICS_PORT": "0", **more}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SEGUE_")}
    log = folder / f"{name}.log"
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "streams.cli",
            "deliver",
            CHANNEL,
            cwd=ROOT,
            env={**inherited, **of.segue.environment, **values},
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
    try:
        yield Process(process, port, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.mark.parametrize(("shape", "seed"), [("standard", 1), ("customerio", 2)])
async def test_a_killed_deliverer_loses_nothing_and_its_successor_goes_on(
    kafka: KafkaServer, tmp_path: Path, shape: str, seed: int
) -> None:
    made = changes(seed, 300, 60)
    ids = {each.id for each in made}
    async with channel(kafka.bootstrap) as of, running(shape, plan=failing(seed, 0.3), delay_s=0.01) as platform:
        await of.publish(made)
        lives = 0
        for share in (0.3, 0.7):
            async with deliver(of, platform, tmp_path, deliver_changes_max=5) as one:
                lives += 1
                enough = len(made) * share
                await until(lambda: len({each.id for each in platform.taken}) >= enough)  # noqa: B023
                one.process.kill()
        async with deliver(of, platform, tmp_path, deliver_changes_max=5) as last:
            await until(all_there(platform, ids))
            assert await last.ends() == 0
        judge(platform, told(made), lives=lives + 1)
        assert await of.dead_letters() == []
        assert "hcp:" not in last.said()
        assert SECRET not in last.said()
        assert API_KEY not in last.said()


async def test_two_deliverers_share_the_partitions_and_hand_them_over_in_order(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    made = changes(21, 800, 150)
    ids = {each.id for each in made}
    async with channel(kafka.bootstrap) as of, running("braze", plan=failing(21, 0.15), delay_s=0.01) as platform:
        await of.publish(made[:500])
        async with deliver(of, platform, tmp_path, "1", deliver_changes_max=3) as one:
            await until(lambda: len(platform.taken) >= 80)
            async with deliver(of, platform, tmp_path, "2", deliver_changes_max=3) as two:
                end = time.monotonic() + LIMIT_S
                while True:
                    shares = [(await each.page("/status"))[1] for each in (one, two)]
                    if all(share and share["partitions"] and len(share["partitions"]) == 2 for share in shares):
                        break
                    assert time.monotonic() < end, shares
                    await asyncio.sleep(0.1)
                await of.publish(made[500:])
                await until(lambda: len({each.id for each in platform.taken}) >= 650)
                assert await one.ends() == 0
                await until(all_there(platform, ids))
                # the platform may have taken a change and answered that it failed: it is sent again after a while
                await two.has_nothing_left()
                assert await two.ends() == 0
        # a partition's next owner may begin with a change that was cut off; from there on all come in order
        judge(platform, told(made), lives=3)
        # all were delivered, and each partition's place is known
        lag = await asyncio.to_thread(of.segue.done, "deliver", CHANNEL, "--lag", "--json")
        assert lag.json["lag_changes"] == 0
        assert sum(1 for each in lag.json["partitions"] if each["delivered"]) == 4


async def test_a_frozen_deliverer_sends_nothing_when_it_wakes_after_its_partitions_were_taken(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    made = changes(22, 800, 100)
    ids = {each.id for each in made}
    async with channel(kafka.bootstrap) as of, running("standard", delay_s=0.02) as platform:
        await of.publish(made[:400])
        async with deliver(of, platform, tmp_path, "1", deliver_changes_max=2, deliver_concurrency=2) as one:
            await until(lambda: len(platform.taken) >= 50)
            one.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.5)
            frozen = {each.id for each in platform.taken}
            assert len(frozen) < 400
            async with deliver(of, platform, tmp_path, "2") as two:
                await until(all_there(platform, {each.id for each in made[:400]}))
                before = len(platform.requests)
                one.process.send_signal(signal.SIGCONT)
                await of.publish(made[400:])
                await until(all_there(platform, ids))
                assert await two.ends() == 0
                assert await one.ends() == 0
        assert len(platform.requests) > before
        judge(platform, told(made), lives=3)
        # no change came both before and after the freeze: the frozen deliverer sent no old change
        late = [each.id for _, told_ in platform.requests[before:] for each in told_]
        assert not set(late) & {each.id for each in made[:400]}


async def test_readiness_says_that_an_endpoint_is_away_and_lag_how_much_waits(
    kafka: KafkaServer, tmp_path: Path
) -> None:
    made = changes(23, 60, 40)
    async with channel(kafka.bootstrap) as of, running("standard") as platform:
        platform.says = 503
        await of.publish(made)
        before = await asyncio.to_thread(of.segue.done, "deliver", CHANNEL, "--lag")
        assert "nothing yet" in before.out
        async with deliver(of, platform, tmp_path) as one:
            end = time.monotonic() + LIMIT_S
            while True:
                code, found = await one.page("/ready")
                if code == 503 and found and [each["code"] for each in found["reasons"]] == ["endpoint_waits"]:
                    break
                assert time.monotonic() < end, found
                await asyncio.sleep(0.05)
            assert found["waiting_for"] == "HTTP 503 Service Unavailable"
            assert found["reasons"][0]["dependency"] == "endpoint"
            status = (await one.page("/status"))[1]
            assert status["in_hand"] == len(made)
            lag = (await asyncio.to_thread(of.segue.done, "deliver", CHANNEL, "--lag", "--json")).json
            assert lag["lag_changes"] == len(made)
            assert lag["lag_seconds"] > 0
            platform.says = None
            await until(all_there(platform, {each.id for each in made}))
            while (await one.page("/ready"))[0] != 200:
                assert time.monotonic() < end
                await asyncio.sleep(0.05)
            began_s = time.monotonic()
            assert await one.ends() == 0
            assert time.monotonic() - began_s < 10
        judge(platform, told(made))


async def test_wrong_credentials_are_said_in_one_line_with_status_1(kafka: KafkaServer, tmp_path: Path) -> None:
    made = changes(24, 20, 10)
    async with channel(kafka.bootstrap) as of, running("braze") as platform:
        await of.publish(made)
        async with deliver(of, platform, tmp_path, deliver_api_key="another") as one:
            assert await asyncio.wait_for(one.process.wait(), LIMIT_S) == 1
        said = one.said()
        assert "it refuses the credentials (HTTP 401 Unauthorized)" in said
        assert "another" not in said
        assert "Traceback" not in said
        assert await of.dead_letters() == []
        assert platform.taken == []

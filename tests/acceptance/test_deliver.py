"""`deliver` end to end: events come in, a worker decides, an endpoint hears which profiles it may contact."""

import asyncio
import json
import signal
from pathlib import Path

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from tests.acceptance.command import Segue, deployment, event, stop
from tests.acceptance.test_definitions import SMALL, write_catalogue
from tests.servers import unique
from tests.streams.delivery.platform import Platform, environment, running
from tests.streams.delivery.test_deliverer import until

CATALOGUE = {
    **SMALL,
    "segments/visitors.yaml": SMALL["segments/visitors.yaml"].replace("at_least: 2", "at_least: 1"),
    "activations/welcome.yaml": (
        "activation: welcome\nversion: 4\nstatus: approved\nchannel: email\naudience: hcp\n"
        "segments: {all: [visitors]}\n"
        "requires_consent: {purpose: promotional}\n"
        "content: {asset: AC-1, intent: access_resources, review: {status: approved, reference: MLR-1}}\n"
    ),
}
CONSENT = {"channel": "email", "purpose": "promotional"}


@pytest.mark.servers
async def test_an_endpoint_hears_of_a_consent_and_of_its_withdrawal(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path
) -> None:
    name = unique("deliver")
    segue = deployment(name, kafka.bootstrap, valkey.redis_url, 2)
    segue.environment["SEGUE_ACTIVATION_TOPIC_PREFIX"] = f"{name}.activation"
    async with running("standard") as platform:
        segue.environment |= environment(platform)
        await asyncio.to_thread(_prepare, segue, tmp_path)
        with segue.started("worker") as worker, segue.started("deliver", "email") as deliverer:
            await _send(segue, event("hcp:1", "portal.login", 1) + event("hcp:1", "consent.granted", 2, **CONSENT))
            await _hears(platform, 1)
            await _send(segue, event("hcp:1", "consent.withdrawn", 3, **CONSENT))
            await _hears(platform, 2)
            await _send(segue, event("hcp:1", "consent.granted", 4, **CONSENT))
            await _hears(platform, 3)
            await _send(segue, event("hcp:1", "privacy.erased", 5))
            await _hears(platform, 4)
            ended = await asyncio.to_thread(stop, deliverer)
            assert ended.status == 0, ended.err
            worked = await asyncio.to_thread(stop, worker, signal.SIGTERM)
            assert worked.status == 0
        assert platform.broken == []
        assert [(each.profile, each.activation, each.activated, each.sequence) for each in platform.taken] == [
            ("hcp:1", "welcome", True, 1),
            ("hcp:1", "welcome", False, 2),
            ("hcp:1", "welcome", True, 3),
            ("hcp:1", "welcome", False, 4),
        ]
        assert json.loads(platform.taken[1].payload)["reason"] == {
            "kind": "consent",
            "by": [],
            "events": ["/test 3"],
        }
        assert json.loads(platform.taken[3].payload)["reason"]["kind"] == "erased"
        assert len(set(platform.ids)) == 4
        assert "3 delivered, 0 refused, 0 retries, 1 erased" in ended.err
        assert "hcp:1" not in ended.err
        assert "hcp:1" not in worked.err
        lines = [line for line in (*ended.logged, *worked.logged) if line["logger"].startswith("streams.")]
        assert [line for line in lines if line["level"] == "error"] == []
        assert {line["logger"].split(".")[1] for line in lines} >= {"delivery", "worker"}
        lag = (await asyncio.to_thread(segue.done, "deliver", "email", "--lag", "--json")).json
        assert (lag["lag_changes"], lag["lag_seconds"]) == (0, 0.0)


def _prepare(segue: Segue, folder: Path) -> None:
    segue.done("topics")
    for more in ([], ["--lag"]):
        early = segue("deliver", "email", *more)
        assert (early.status, early.err) == (1, "no catalogue is in force: run `segue apply DIR`\n")
    segue.done("apply", write_catalogue(folder, CATALOGUE))
    for more in ([], ["--lag"]):
        mistyped = segue("deliver", "emial", *more)
        assert mistyped.status == 1
        assert "has the channel 'emial'; did you mean 'email'?" in mistyped.err


async def _send(segue: Segue, lines: str) -> None:
    await asyncio.to_thread(segue.done, "send", "-", stdin=lines)


async def _hears(platform: Platform, count: int) -> None:
    await until(lambda: len(platform.taken) >= count, 120)


def test_a_missing_setting_is_usage_and_named() -> None:
    ended = Segue()("deliver", "email")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "SEGUE_DELIVER_URL is not set: where to deliver, https://…\n"


@pytest.mark.parametrize("command", [("deliver",), ("watch", "--channel")])
def test_another_topic_of_a_channel_is_no_channel(command: tuple[str, ...]) -> None:
    ended = Segue()(*command, "email.current")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == "'email.current' is no channel: up to 64 of A-Z, a-z, 0-9, _ and -, like email\n"

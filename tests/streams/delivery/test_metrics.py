"""A live deliverer at /metrics: exactly the families of the list, with values that are known."""

import asyncio
from pathlib import Path

import pytest

from streams.embedded import KafkaServer
from streams.metrics.names import OF_DELIVERER
from tests.streams.delivery.platform import SECRET, Action, running
from tests.streams.delivery.test_deliverer import all_there, until
from tests.streams.delivery.test_processes import deliver
from tests.streams.delivery.world import CHANNEL, changes, channel
from tests.streams.metrics.scrape import free_port, scrape

pytestmark = pytest.mark.servers
PLAN: tuple[Action, ...] = ("503", "reset", "429 seconds")


async def test_a_live_deliverer_answers_the_families_of_the_list(kafka: KafkaServer, tmp_path: Path) -> None:
    made = changes(5, 120, 40)
    port = free_port()

    def plan(number: int) -> Action:
        return PLAN[number] if number < len(PLAN) else "take"

    async with channel(kafka.bootstrap) as of, running("standard", plan=plan) as platform:
        await of.publish(made)
        async with deliver(of, platform, tmp_path, metrics_port=port, deliver_concurrency=1) as one:
            await until(all_there(platform, {each.id for each in made}))
            await until(lambda: scrape(port).value("segue_delivery_lag_changes", channel=CHANNEL) == 0)
            found = scrape(port)
            assert {name for name in found.families if name.startswith("segue_")} == {
                each.base for each in OF_DELIVERER
            }
            assert found.value("segue_delivery_changes_total", channel=CHANNEL, outcome="delivered") == len(made)
            assert found.value("segue_delivery_changes_total", channel=CHANNEL, outcome="refused") == 0
            codes = {
                code: found.value("segue_delivery_requests_total", channel=CHANNEL, code=code)
                for code in found.labels("segue_delivery_requests_total", "code")
            }
            taken = len([each for each in platform.requests if each[0] == "take"])
            assert codes == {"200": taken, "503": 1, "none": 1, "429": 1}
            assert found.value("segue_delivery_retries_total", channel=CHANNEL) == 3
            assert found.value("segue_delivery_lag_seconds", channel=CHANNEL) == 0
            assert found.value("segue_dependency_up", dependency="endpoint") == 1
            assert "hcp:" not in found.text
            assert SECRET not in found.text
            platform.says = 503
            await of.publish(changes(6, 20, 10))
            await until(lambda: scrape(port).value("segue_dependency_up", dependency="endpoint") == 0)
            await asyncio.sleep(2)
            lag_s = scrape(port).value("segue_delivery_lag_seconds", channel=CHANNEL)
            assert lag_s is not None
            assert 2 <= lag_s < 30
            assert await one.ends() == 0

"""kafka_exporter beside a live worker: the group's offsets tell the same lag as the worker's own metrics."""

import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from streams.embedded import KafkaServer
from tests.servers import running_valkey, unique
from tests.streams.live import live, wait_for
from tests.streams.metrics.scrape import free_port, scrape
from tests.streams.world import catalogue

TOOL = shutil.which("kafka_exporter")
pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(TOOL is None, reason="kafka_exporter (github.com/danielqsj/kafka_exporter) is not on the PATH"),
]


def start(kafka: str, port: int, log: Path) -> "subprocess.Popen[bytes]":
    assert TOOL is not None
    with log.open("wb") as said:
        return subprocess.Popen(
            [TOOL, f"--kafka.server={kafka}", f"--web.listen-address=127.0.0.1:{port}"], stdout=said, stderr=said
        )


async def test_kafka_exporter_tells_the_lag_that_the_worker_tells(kafka: KafkaServer, tmp_path: Path) -> None:
    port, own = free_port(), free_port()
    with running_valkey() as valkey:
        async with live(unique("exporter"), kafka.bootstrap, valkey.redis_url, partitions=2) as running:
            await running.apply(catalogue("known|enter: {everyone: true}"))
            worker = running.start_worker(metrics_port=own)
            await wait_for(lambda: (worker.status() or {}).get("ready"))
            exporter = start(kafka.bootstrap, port, tmp_path / "log")

            def lag() -> float | None:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                        lines = answer.read().decode().splitlines()
                except OSError:
                    return None
                of = f'kafka_consumergroup_lag{{consumergroup="{running.settings.group}"'
                found = [float(line.rpartition(" ")[2]) for line in lines if line.startswith(of)]
                return sum(found) if found else None

            try:
                for n in range(500):
                    await running.send(f"hcp:{n}")
                await running.producer.flush()
                await wait_for(lambda: scrape(own).sum("segue_events_total") == 500)
                await wait_for(lambda: lag() == 0)
                valkey.pause()
                for n in range(300):
                    await running.send(f"hcp:new-{n}")
                await running.producer.flush()
                await wait_for(lambda: scrape(own).sum("segue_input_lag_records") >= 300)
                await wait_for(lambda: lag() == scrape(own).sum("segue_input_lag_records"))
                valkey.resume()
                await wait_for(lambda: lag() == scrape(own).sum("segue_input_lag_records") == 0)
            finally:
                valkey.resume()
                exporter.kill()
                exporter.wait()

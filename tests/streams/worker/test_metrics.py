"""A live worker on real servers at /metrics: exactly the families of the list, with values that are known."""

import pytest

from streams.embedded import KafkaServer, ValkeyServer
from streams.metrics.names import OF_WORKER
from tests.servers import unique
from tests.streams.live import live, wait_for
from tests.streams.metrics.scrape import free_port, scrape
from tests.streams.world import catalogue

pytestmark = pytest.mark.servers

VISITORS = "visitors|enter: {event: portal.login, count: {at_least: 2}, within: 1h}"
KNOWN = "known|enter: {everyone: true}"


async def test_a_live_worker_answers_the_families_of_the_list(kafka: KafkaServer, valkey: ValkeyServer) -> None:
    async with live(unique("metrics"), kafka.bootstrap, valkey.redis_url, partitions=2) as running:
        await running.apply(catalogue(VISITORS, KNOWN))
        port = free_port()
        worker = running.start_worker(metrics_port=port)
        await wait_for(lambda: (worker.status() or {}).get("ready"))
        for n in range(60):
            await running.send(f"hcp:{n % 30}")
        await running.send("hcp:0", "never.declared")
        await running.producer.flush()

        def done() -> bool:
            found = scrape(port)
            return found.sum("segue_changes_total") == 60 and found.sum("segue_dead_letters_total") == 1

        await wait_for(done)
        found = scrape(port)
        assert {name for name in found.families if name.startswith("segue_")} == {each.base for each in OF_WORKER}
        assert found.sum("segue_events_total", type="portal.login", outcome="applied") == 60
        assert found.labels("segue_events_total", "type") == {"portal.login"}
        assert found.sum("segue_dead_letters_total", reason="undeclared_type") == 1
        assert found.sum("segue_refused_records", source="/test") == 1
        assert found.sum("segue_publish_latency_seconds_count") == 61
        assert found.labels("segue_input_offset", "partition") == {"0", "1"}
        assert all(found.value("segue_partition_state", partition=n, state="running") == 1 for n in range(2))
        plain = scrape(port, "text/plain")
        assert "# TYPE segue_events_total counter" in plain.text
        assert "hcp:" not in plain.text
        assert worker.stop() == 0

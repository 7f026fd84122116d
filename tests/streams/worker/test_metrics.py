"""Live workers on real servers at /metrics: exactly the families of the list, with values that are known."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from rules.catalogue.catalogue import Catalogue
from rules.engine.refusal import LETTER_CODES
from streams.clock import SystemClock
from streams.embedded import KafkaServer, ValkeyServer
from streams.log.admin import connected
from streams.log.connection import KafkaConnection
from streams.metrics.names import OF_WORKER
from streams.wire.topics import activation_topics
from tests.rules.catalogues import load
from tests.servers import running_valkey, unique
from tests.streams.live import Live, WorkerProcess, live, wait_for
from tests.streams.metrics.scrape import Scrape, free_port, scrape

pytestmark = pytest.mark.servers

PEOPLE = 30
SUPPRESSED = 5
SEGMENT = "segment: {0}\nversion: 1\nstatus: approved\nenter: {1}\n"


def rules() -> Catalogue:
    """A catalogue with a window that ends by time, a restricted segment, and an activation that is suppressed."""
    segments = {
        "known": "{everyone: true}",
        "visitors": "{event: portal.login, count: {at_least: 2}, within: 3s}",
        "gone": "{event: portal.left, count: {at_least: 1}, within: 30d}",
        "ill": "{trait: diagnosis, equals: flu}",
    }
    content = "{call_to_action: read, asset: AC-1, intent: access, depth: summary, topic: coverage, evidence: guideline"
    return load(
        {
            "dictionary.yaml": """\
traits: {diagnosis: {type: string, restricted: health}}
events:
  portal.login: {}
  portal.left: {}
  lab.noted: {restricted: health, data: {diagnosis: {type: string}}, sets: {diagnosis: diagnosis}}
""",
            "policy.yaml": "restrictions: {health: {channels: [email], membership: public}}\n",
            **{f"segments/{name}.yaml": SEGMENT.format(name, enter) for name, enter in segments.items()},
            "activations/welcome.yaml": f"""\
activation: welcome
version: 1
status: approved
channel: email
audience: hcp
segments: {{all: [known]}}
suppress_while: [gone]
content: {content}, claims: [CLM-1], review: {{status: approved, reference: MLR-1, expires: 2099-01-31}}}}
""",
        }
    )


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey that a test may freeze."""
    with running_valkey() as server:
        yield server


class Scraped(WorkerProcess):
    """A worker whose metrics a test reads."""

    metrics_port: int

    def scrape(self, **options: Any) -> Scrape:
        return scrape(self.metrics_port, **options)

    def up(self) -> bool:
        try:
            self.scrape()
        except OSError:
            return False
        return True


def start(running: Live, **settings: Any) -> Scraped:
    port = free_port()
    started = running.start_worker(metrics_port=port, **settings)
    worker = Scraped(started.process, started.port)
    worker.metrics_port = port
    return worker


@asynccontextmanager
async def deployment(name: str, kafka: KafkaServer, valkey: ValkeyServer, **settings: Any) -> AsyncIterator[Live]:
    async with live(unique(name), kafka.bootstrap, valkey.redis_url, partitions=2, **settings) as running:
        async with connected(KafkaConnection.of(running.settings)) as cluster:
            assert not await cluster.create(activation_topics(running.deployment, ["email"]), 1)
        await running.apply(rules())
        yield running


async def ready(worker: WorkerProcess) -> None:
    await wait_for(lambda: (worker.status() or {}).get("ready"))


async def test_a_live_worker_answers_the_families_of_the_list_with_what_happened(
    kafka: KafkaServer, valkey: ValkeyServer
) -> None:
    async with deployment("metrics", kafka, valkey) as running:
        worker = start(running)
        await ready(worker)
        began_ms = SystemClock().wall_ms()
        for n in range(2 * PEOPLE):
            await running.send(f"hcp:{n % PEOPLE}")
        await running.send("hcp:0", "never.declared")
        await running.send("hcp:1", "lab.noted", {"diagnosis": "flu"})
        running.sent -= 1
        await running.send("hcp:1", "lab.noted", {"diagnosis": "flu"})  # the same id again
        for n in range(SUPPRESSED):
            await running.send(f"hcp:{n}", "portal.left")
        await running.producer.flush()

        def settled() -> bool:
            found = worker.scrape()
            exits = found.value("segue_segment_changes_total", segment="visitors", change="exited", reason="entry_lost")
            return (
                exits == PEOPLE
                and found.sum("segue_segment_members", segment="gone") == SUPPRESSED
                and found.sum("segue_segment_members", segment="visitors") == 0
                and found.sum("segue_activation_active") == PEOPLE - SUPPRESSED
                and found.sum("segue_log_unstable_records") == 0
            )

        await wait_for(settled)
        found, took_s = worker.scrape(), (SystemClock().wall_ms() - began_ms) / 1000
        assert {name for name in found.families if name.startswith("segue_")} == {each.base for each in OF_WORKER}
        without = {each.name for each in OF_WORKER if not any(found.has(name) for name in each.sample_names)}
        assert without == {"segue_effects_total"}  # nobody was linked

        assert found.labels("segue_events_total", "type") == {"portal.login", "portal.left", "lab.noted"}
        assert found.sum("segue_events_total", type="portal.login", outcome="applied") == 2 * PEOPLE
        assert found.sum("segue_events_total", type="lab.noted", outcome="redelivered") == 1
        assert found.labels("segue_dead_letters_total", "reason") == set(LETTER_CODES)  # at 0 before the first
        assert found.sum("segue_dead_letters_total", reason="undeclared_type") == 1
        assert found.sum("segue_dead_letters_total") == 1
        assert found.sum("segue_refused_records", source="/test") == 1
        assert found.sum("segue_timers_fired_total") >= PEOPLE
        published = {n: len(records) for n, records in (await running.out()).items()}
        activated = await running.read(f"{running.deployment.activation_topic_prefix}.email")
        for n in range(2):
            assert found.value("segue_changes_total", partition=n) == published[n] + len(activated[n])

        assert found.labels("segue_segment_members", "segment") == {"known", "visitors", "gone"}
        assert found.value("segue_segment_members", segment="known") == PEOPLE
        assert "ill" not in found.labels("segue_segment_changes_total", "segment")
        assert found.value("segue_activation_active", activation="welcome", channel="email") == PEOPLE - SUPPRESSED
        assert found.value("segue_deactivations_total", channel="email", reason="suppressed_by") == SUPPRESSED
        assert found.sum("segue_suppression_latency_seconds_count") == SUPPRESSED
        assert 0 < found.sum("segue_suppression_latency_seconds_sum") < SUPPRESSED * took_s

        for stage in ("end", "applied", "published", "checkpointed"):
            assert found.labels("segue_input_offset", "stage") >= {stage}
        for n in range(2):
            assert found.value("segue_partition_state", partition=n, state="running") == 1
            assert found.value("segue_partition_state", partition=n, state="stopped") == 0
            assert found.value("segue_input_lag_records", partition=n) == 0
            assert found.value("segue_input_lag_seconds", partition=n) == 0
            assert found.value("segue_timer_overdue_seconds", partition=n) == 0
            assert found.value("segue_input_retention_used_ratio", partition=n) == 0
        assert found.labels("segue_log_unstable_seconds", "topic") == {
            running.deployment.events_topic,
            running.deployment.membership_topic,
            f"{running.deployment.activation_topic_prefix}.email",
        }
        records = 2 * PEOPLE + 1 + 1 + SUPPRESSED
        assert found.sum("segue_publish_latency_seconds_count") >= records - 1
        assert 0 < found.sum("segue_transaction_seconds_sum") < took_s
        assert found.sum("segue_checkpoint_seconds_count") == found.sum("segue_checkpoints_total")
        assert found.sum("segue_build_info", generation="g1", catalogue=rules().hash[:12]) == 1
        assert {found.value("segue_dependency_up", dependency=name) for name in ("kafka", "redis")} == {1}

        plain = worker.scrape(accept="text/plain")
        assert "# TYPE segue_events_total counter" in plain.text
        assert "hcp:" not in plain.text
        assert worker.stop() == 0
        # the counts of activations go on from the state; restricted segments are told when they are asked for
        second = start(running, metrics_restricted=True)
        await wait_for(lambda: second.up() and second.scrape().sum("segue_segment_members", segment="ill") == 1)
        assert second.scrape().sum("segue_activation_active") == PEOPLE - SUPPRESSED
        await running.send("hcp:7", "identity.linked", {"canonical": "hcp:8"})
        await running.producer.flush()
        sent = {"type": "segue.facts", "outcome": "sent"}
        applied = {**sent, "outcome": "applied"}
        await wait_for(lambda: second.scrape().sum("segue_effects_total", **applied) == 1)
        assert second.scrape().sum("segue_effects_total", **sent) == 1


async def test_series_of_a_partition_end_when_it_moves_and_counters_of_two_workers_add_up(
    kafka: KafkaServer, valkey: ValkeyServer
) -> None:
    async with deployment("moved", kafka, valkey) as running:
        first = start(running)
        await ready(first)
        assert first.scrape().labels("segue_input_offset", "partition") == {"0", "1"}
        second = start(running)

        def shared() -> bool:
            found = [one.scrape().labels("segue_input_offset", "partition") for one in (first, second) if one.up()]
            return sorted(found, key=str) in ([{"0"}, {"1"}], [{"1"}, {"0"}])

        await wait_for(shared)
        (other,) = {"0", "1"} - first.scrape().labels("segue_input_offset", "partition")
        assert f'partition="{other}"' not in first.scrape().text
        for n in range(100):
            await running.send(f"hcp:{n}")
        await running.producer.flush()

        def added() -> bool:
            found = [one.scrape() for one in (first, second)]
            return sum(one.sum("segue_events_total", outcome="applied") for one in found) == 100

        await wait_for(added)


async def test_a_frozen_redis_and_an_open_transaction_show_as_the_lag_and_the_age_that_they_make(
    kafka: KafkaServer, own_valkey: ValkeyServer
) -> None:
    async with deployment("frozen", kafka, own_valkey) as running:
        worker = start(running)
        await ready(worker)
        await wait_for(lambda: worker.scrape().sum("segue_build_info", catalogue=rules().hash[:12]) == 1)
        await wait_for(lambda: worker.scrape().sum("segue_input_lag_records") == 0)
        own_valkey.pause()
        try:
            sent_ms = SystemClock().wall_ms()
            for n in range(200):
                await running.send(f"hcp:new-{n}")
            await running.producer.flush()
            acked_ms = SystemClock().wall_ms()
            await wait_for(lambda: worker.scrape().value("segue_dependency_up", dependency="redis") == 0)
            before_ms, found = SystemClock().wall_ms(), worker.scrape()
            after_ms = SystemClock().wall_ms()
            assert found.sum("segue_input_lag_records") == 200
            for n in range(2):
                lag_s = found.value("segue_input_lag_seconds", partition=n)
                assert lag_s is not None
                assert (before_ms - acked_ms) / 1000 <= lag_s <= (after_ms - sent_ms) / 1000
                used = found.value("segue_input_retention_used_ratio", partition=n)
                assert used == pytest.approx(lag_s / (28 * 86_400), rel=0.01)
        finally:
            own_valkey.resume()
        await wait_for(lambda: worker.scrape().sum("segue_input_lag_records") == 0)

        await held_up_by_a_transaction(running, worker)
        assert worker.stop() == 0


async def held_up_by_a_transaction(running: Live, worker: Scraped) -> None:
    events = running.deployment.events_topic
    other = AIOKafkaProducer(
        bootstrap_servers=running.settings.kafka_bootstrap_servers,
        transactional_id=unique("open"),
        transaction_timeout_ms=60_000,
    )
    await other.start()
    try:
        await other.begin_transaction()
        sent_ms = SystemClock().wall_ms()
        await other.send_and_wait(events, b"{}", key=b"hcp:1", partition=0)

        def seen() -> bool:
            held_s = worker.scrape().value("segue_log_unstable_seconds", partition=0, topic=events)
            return held_s is not None and held_s > 1

        await wait_for(seen)
        found, open_s = worker.scrape(), (SystemClock().wall_ms() - sent_ms) / 1000
        assert found.value("segue_log_unstable_records", partition=0, topic=events) == 1
        held_s = found.value("segue_log_unstable_seconds", partition=0, topic=events)
        assert held_s is not None
        assert open_s - 6 <= held_s <= open_s
        assert found.value("segue_log_unstable_seconds", partition=1, topic=events) == 0
        # a record that was never read: its age is known all the same
        assert found.value("segue_input_lag_records", partition=0) == 1
        lag_s = found.value("segue_input_lag_seconds", partition=0)
        assert lag_s is not None
        assert open_s - 2 <= lag_s <= open_s + 0.1
        await other.abort_transaction()
    finally:
        await asyncio.wait_for(other.stop(), 20)
    await wait_for(lambda: worker.scrape().value("segue_log_unstable_seconds", partition=0, topic=events) == 0)
    await wait_for(lambda: worker.scrape().value("segue_input_lag_seconds", partition=0) == 0)

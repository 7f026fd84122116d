"""The table of topics held against a real broker, and what `segue topics` refuses."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from rules.ground.digest import DIGEST_START
from streams.embedded import KafkaServer
from streams.errors import NotReachable
from streams.finding import Finding
from streams.log import admin as cluster_module
from streams.log.admin import Cluster, connected
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.operations.provision import Provisioned, check_topics, create_or_verify
from streams.records import OutRecord
from streams.settings import Deployment
from streams.store.terms import Meta, Token
from streams.wire.progress import Progress, progress_record
from streams.wire.requirements import Resource, judge_broker, judge_topic
from streams.wire.topics import ROLES, activation_topics, topics
from tests.models.store import MemoryServer, MemoryStore
from tests.servers import unique

ONE = Deployment(partitions=4)
THREE = Deployment(partitions=4, replication=3)


def as_made(deployment: Deployment) -> dict[str, Resource]:
    """Each topic by role, as the table makes it, with the broker's defaults for the rest."""
    defaults = {"max.message.bytes": "1048588", "retention.bytes": "-1", "segment.bytes": "1073741824"}
    return {
        topic.role: Resource(topic.name, topic.partitions, deployment.replication, defaults | dict(topic.configs))
        for topic in topics(deployment)
    }


def judged(role: str, deployment: Deployment, **changes: Any) -> list[Finding]:
    """What is found of a topic that differs in this."""
    configs: Mapping[str, str] = changes.pop("configs", {})
    found = as_made(deployment)[role]
    found = replace(found, configs={**(found.configs or {}), **configs}, **changes)
    topic = next(each for each in topics(deployment) if each.role == role)
    return judge_topic(topic, found, deployment)


@pytest.mark.parametrize("deployment", [ONE, THREE])
@pytest.mark.parametrize("role", ROLES)
def test_a_topic_as_it_is_made_is_as_it_must_be(role: str, deployment: Deployment) -> None:
    assert judged(role, deployment) == []


def test_names_are_those_of_the_settings_and_all_differ() -> None:
    names = [topic.name for topic in topics(Deployment(membership_topic="m", current_topic="c"))]
    assert names == [
        "engagement.events",
        "engagement.events.dlt",
        "m",
        "c",
        "m.restricted",
        "m.restricted.current",
        "segue.progress",
        "segue.owners",
        "segue.catalogues",
        "segue.fills",
        "segue.erasures",
    ]


@pytest.mark.parametrize("role", ROLES)
def test_a_changed_partition_count_is_fatal(role: str) -> None:
    found = judged(role, ONE, partitions=5)
    assert [finding.fatal for finding in found] == [True]
    assert "5 partitions" in found[0].what


@pytest.mark.parametrize(
    ("role", "config", "value", "fatal"),
    [
        ("events", "message.timestamp.type", "CreateTime", True),
        ("events", "cleanup.policy", "compact", True),
        ("events", "cleanup.policy", "compact,delete", True),
        ("events", "retention.ms", "604799999", False),
        ("events", "retention.bytes", "1000000000", False),
        ("dead_letters", "cleanup.policy", "compact", True),
        ("dead_letters", "max.message.bytes", "1000000", True),
        ("membership", "cleanup.policy", "compact", True),
        ("current", "cleanup.policy", "delete", True),
        ("current", "cleanup.policy", "compact,delete", True),
        ("restricted_current", "cleanup.policy", "delete", True),
        ("progress", "cleanup.policy", "delete", True),
        ("progress", "segment.bytes", "1073741824", False),
        ("owners", "cleanup.policy", "delete", True),
        ("catalogues", "cleanup.policy", "delete", True),
        ("erasures", "cleanup.policy", "compact", True),
    ],
)
def test_a_setting_that_would_lose_something_is_found(role: str, config: str, value: str, fatal: bool) -> None:
    found = judged(role, ONE, configs={config: value})
    assert [finding.fatal for finding in found] == [fatal]
    assert config in found[0].what
    assert found[0].remedy


@pytest.mark.parametrize("role", ROLES)
def test_in_a_cluster_every_topic_is_replicated_safely(role: str) -> None:
    assert judged(role, ONE, configs={"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}) == []
    found = judged(role, THREE, configs={"min.insync.replicas": "1", "unclean.leader.election.enable": "true"})
    assert [finding.fatal for finding in found] == [True, True]
    assert [finding.fatal for finding in judged(role, THREE, replicas_min=2)] == [True]
    assert judged(role, THREE, replicas_min=4) == []


def test_retention_may_be_forever_where_nobody_is_ever_erased() -> None:
    assert judged("events", ONE.model_copy(update={"erasure_days_max": 0}), configs={"retention.ms": "-1"}) == []
    [found] = judged("events", ONE, configs={"retention.ms": "-1"})
    assert found.fatal
    assert "SEGUE_ERASURE_DAYS_MAX" in found.what


def test_settings_that_may_not_be_asked_for_are_said() -> None:
    topic = topics(ONE)[0]
    found = judge_topic(topic, replace(as_made(ONE)["events"], configs=None), ONE)
    assert [finding.fatal for finding in found] == [False]
    assert "message.timestamp.type" in found[0].remedy


def test_brokers_must_verify_transactions_and_in_a_cluster_keep_them_safe() -> None:
    good = {
        "transaction.partition.verification.enable": "true",
        "transaction.state.log.min.isr": "2",
        "transaction.state.log.replication.factor": "3",
    }
    assert judge_broker(Resource("1", configs=good), THREE) == []
    for config, value in zip(good, ["false", "1", "1"], strict=True):
        found = judge_broker(Resource("1", configs=good | {config: value}), THREE)
        assert [finding.fatal for finding in found] == [True]
        assert config in found[0].what


# -- on a real broker


@dataclass
class World:
    """A deployment with names of its own, on the session's Kafka and a store in memory."""

    deployment: Deployment
    servers: str
    cluster: Cluster
    admin: Any
    log: KafkaLog
    store: MemoryServer

    async def run(self, **changes: Any) -> Provisioned:
        """Create or verify."""
        deployment = self.deployment.model_copy(update=changes)
        return await create_or_verify(
            self.cluster, self.log, lambda partition: MemoryStore(self.store, partition), deployment
        )

    async def until_there(self, topic: str, *, there: bool) -> None:
        """Wait until the brokers tell that a topic was made, or deleted."""
        for _ in range(200):
            if bool(await self.cluster.existing([topic])) is there:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(topic)

    async def delete(self, topic: str) -> None:
        """Delete a topic."""
        await self.admin.delete_topics([topic])
        await self.until_there(topic, there=False)

    async def meta(self, partition: int) -> Meta:
        """What stands in the store."""
        meta = await MemoryStore(self.store, partition).read_meta()
        assert meta is not None
        return meta

    async def append(self, topic: str, partition: int = 0) -> tuple[int, int]:
        """Append a record: (offset, timestamp)."""
        offset = await self.log.append(OutRecord(topic, partition, b"hcp:1", b"{}"))
        stored = await self.log.record_at(topic, partition, offset)
        assert stored is not None
        return offset, stored.timestamp_ms


@pytest.fixture
async def world(kafka: KafkaServer) -> AsyncIterator[World]:
    """Nothing is there yet."""
    prefix = unique("topics")
    names = {name: f"{prefix}.{name}" for name in Deployment.model_fields if "_topic" in name}
    deployment = Deployment(partitions=3, **names)  # type: ignore[arg-type]
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    log = KafkaLog(KafkaConnection(kafka.bootstrap))
    async with connected(KafkaConnection(kafka.bootstrap)) as cluster:
        yield World(deployment, kafka.bootstrap, cluster, admin, log, MemoryServer())
    made = [name for name in await admin.list_topics() if name.startswith(prefix)]
    if made:
        await admin.delete_topics(made)
    await log.close()
    await admin.close()


@pytest.mark.servers
async def test_everything_is_created_as_the_table_says_and_a_second_run_changes_nothing(world: World) -> None:
    table = topics(world.deployment)
    assert [finding.what for finding in await check_topics(KafkaConnection(world.servers), world.deployment)] == [
        "it is missing"
    ] * len(table)
    first = await world.run()
    assert first.created_topics == tuple(topic.name for topic in table)
    assert first.created_partitions == (0, 1, 2)
    assert first.findings == ()
    existing = await world.cluster.existing([topic.name for topic in table])
    for topic in table:
        described = existing[topic.name]
        assert (described.partitions, described.replicas_min) == (topic.partitions, 1)
        assert dict(topic.configs).items() <= (described.configs or {}).items()
    assert await world.meta(1) == Meta("g1", Token(0, 0), 0, -1, "", 3, DIGEST_START, -1, active=())
    assert await world.run() == Provisioned((), (), ())
    assert await check_topics(KafkaConnection(world.servers), world.deployment) == []


@pytest.mark.servers
async def test_the_topics_of_the_channels_in_force_are_created_and_verified_too(world: World) -> None:
    await world.run()
    made = {"channel": "sms", "status": "approved"}
    files = {
        "activations/a.yaml": made,
        "activations/b/c.yaml": {**made, "channel": "email"},
        "activations/d.yaml": {**made, "channel": "field", "status": "draft"},
    }
    value = orjson.dumps({"hash": "h", "rules": 0, "files": files})
    await world.log.append(OutRecord(world.deployment.catalogues_topic, 0, b"h", value))
    channels = [topic.name for topic in activation_topics(world.deployment, ["email", "sms"])]
    missing = await check_topics(KafkaConnection(world.servers), world.deployment)
    assert [finding.where for finding in missing] == [f"topic {name}" for name in channels]
    assert (await world.run()).created_topics == tuple(channels)
    assert await check_topics(KafkaConnection(world.servers), world.deployment) == []
    assert await world.run() == Provisioned((), (), ())
    await world.delete(channels[0])
    await world.admin.create_topics([NewTopic(channels[0], 2, 1, topic_configs={"cleanup.policy": "compact"})])
    await world.until_there(channels[0], there=True)
    found = await world.run()
    assert [finding.where for finding in found.findings if finding.fatal] == [f"topic {channels[0]}"] * 3
    assert found.created_topics == ()


@pytest.mark.servers
async def test_a_topic_that_is_being_deleted_is_told_as_gone_and_never_as_unreachable(world: World) -> None:
    await world.run()
    for number in range(10):
        name = f"{world.deployment.events_topic}.{number}"
        await world.admin.create_topics([NewTopic(name, 4, 1)])
        await world.until_there(name, there=True)
        await world.delete(name)


@pytest.mark.servers
async def test_what_half_a_run_left_is_completed(world: World) -> None:
    await world.run()
    await world.delete(world.deployment.membership_topic)
    await MemoryStore(world.store, 1).drop()
    again = await world.run()
    assert again.created_topics == (world.deployment.membership_topic,)
    assert again.created_partitions == (1,)
    assert not again.fatal


@pytest.mark.servers
async def test_a_changed_partition_count_is_refused_and_nothing_is_created(world: World) -> None:
    await world.admin.create_topics([NewTopic(world.deployment.events_topic, 5, 1)])
    await world.until_there(world.deployment.events_topic, there=True)
    refused = await world.run()
    assert (refused.fatal, refused.created_topics, refused.created_partitions) == (True, (), ())
    texts = [str(finding) for finding in refused.findings]
    assert any("5 partitions" in text for text in texts)
    assert any("CreateTime" in text and "LogAppendTime" in text for text in texts)
    assert world.store.history == {}
    await world.delete(world.deployment.events_topic)


@pytest.mark.servers
async def test_a_topic_that_cannot_be_created_is_said(world: World) -> None:
    refused = await world.run(replication=2)
    assert refused.fatal
    assert all(re.search(r"cannot be created|transaction\.state", str(finding)) for finding in refused.findings)


@pytest.mark.servers
async def test_a_deployment_begins_where_records_begin_to_mean_something(world: World) -> None:
    await world.run()
    for partition in range(3):
        await MemoryStore(world.store, partition).drop()
    await world.append(world.deployment.events_topic, 1)
    # before the first catalogue nothing has a meaning …
    assert (await world.run()).created_partitions == (0, 1, 2)
    assert [(await world.meta(partition)).offset for partition in range(3)] == [0, 1, 0]
    # … but once there was one, everything may have
    await MemoryStore(world.store, 1).drop()
    await world.append(world.deployment.catalogues_topic)
    await world.run()
    assert (await world.meta(1)).offset == 0


@pytest.mark.servers
async def test_state_that_was_lost_is_never_begun_anew(world: World) -> None:
    await world.run()
    await MemoryStore(world.store, 1).drop()
    await MemoryStore(world.store, 2).drop()
    await world.append(world.deployment.owners_topic, 1)
    await world.log.append(
        progress_record(world.deployment.progress_topic, 2, Progress("g1", 0, 0, -1, "", DIGEST_START))
    )
    found = await world.run()
    assert found.created_partitions == ()
    assert [finding.where for finding in found.findings] == ["partition 1", "partition 2"]
    assert all("segue rebuild" in finding.remedy and finding.fatal for finding in found.findings)


@pytest.mark.servers
async def test_a_recreated_topic_is_refused(world: World) -> None:
    await world.run()
    deployment = world.deployment
    epoch, _ = await world.append(deployment.owners_topic, 0)
    await world.append(deployment.events_topic, 0)
    offset, last_ms = await world.append(deployment.events_topic, 0)
    applied = replace(await world.meta(0), token=Token(epoch, 1), offset=offset + 1, clock_ms=last_ms, last_ms=last_ms)
    world.store.put(0, replace(world.store.content(0), meta=applied))
    assert not (await world.run()).fatal

    cases: list[tuple[dict[str, Any], str]] = [
        ({"last_ms": last_ms - 1}, "not the one that was applied"),
        ({"offset": offset + 2}, "ends at 2"),
        ({"token": Token(epoch + 1, 0)}, "owners' topic"),
        ({"generation": "g2"}, "generation g2"),
        ({"partitions": 4}, "4 partitions"),
    ]
    for changes, says in cases:
        world.store.put(0, replace(world.store.content(0), meta=replace(applied, **changes)))
        found = (await world.run()).findings
        assert len(found) == 1, changes
        assert says in found[0].what
        assert (found[0].fatal, found[0].where) == (True, "partition 0")

    world.store.put(0, replace(world.store.content(0), meta=applied))
    await world.delete(deployment.events_topic)
    found = (await world.run()).findings
    assert [(finding.where, "made anew" in finding.what) for finding in found] == [("partition 0", True)]


@pytest.mark.servers
async def test_an_older_kafka_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "FETCH", (1, 99))
    refused = await world.run()
    assert (refused.fatal, refused.created_topics) == (True, ())
    assert "3.7" in refused.findings[0].remedy


async def test_no_cluster_is_not_reachable() -> None:
    with pytest.raises(NotReachable):
        await check_topics(KafkaConnection("127.0.0.1:1"), ONE)


def test_each_channel_has_two_topics_that_are_made_as_they_must_be() -> None:
    for deployment in (ONE, THREE):
        made = activation_topics(deployment, ["email", "sms"])
        assert [topic.name for topic in made] == [
            "activation.email",
            "activation.email.current",
            "activation.sms",
            "activation.sms.current",
        ]
        for topic in made:
            configs = {"max.message.bytes": "1048588", "retention.bytes": "-1", **topic.configs}
            found = Resource(topic.name, topic.partitions, deployment.replication, configs)
            assert judge_topic(topic, found, deployment) == []
            assert judge_topic(topic, replace(found, partitions=5), deployment)[0].fatal

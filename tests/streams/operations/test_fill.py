"""What `segue fill` writes, on a real log: which events, in which records, and when it is over."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from rules.catalogue.catalogue import Catalogue
from rules.ground.instants import format_instant
from rules.ground.partitioning import partition_of
from streams.embedded import KafkaServer, ValkeyServer
from streams.log.admin import connected
from streams.log.connection import KafkaConnection
from streams.operations.apply import put_into_force
from streams.operations.applying.options import Options
from streams.operations.fill import fill, open_fills
from streams.operations.servers import Servers, serving
from streams.wire.fills import read_fills
from tests.servers import unique
from tests.streams.live import Live, live
from tests.streams.world import catalogue

pytestmark = pytest.mark.servers

BEFORE = catalogue("known|enter: {everyone: true}")
LOGINS = catalogue(
    "known|enter: {everyone: true}", "active|enter: {event: portal.login, count: {at_least: 2}, within: 30d}"
)
LEFT = catalogue(
    "known|enter: {everyone: true}",
    "active|enter: {event: portal.login, count: {at_least: 2}, within: 30d}",
    "gone|enter: {event: portal.left, within: 30d}",
)
NO_FILL = Options(fill=False)


@dataclass
class World:
    """A deployment on real servers, and the operations' view of it."""

    live: Live
    servers: Servers

    async def apply(self, given: Catalogue, options: Options = NO_FILL) -> None:
        await put_into_force(self.servers, given, options)

    async def records(self, type_: str) -> list[tuple[int, Any]]:
        """Return the records of a type, each with its partition."""
        found = await self.live.read(self.live.deployment.events_topic)
        values = [(p, record, json.loads(record.value)) for p, records in found.items() for record in records]
        return [(p, (record, value)) for p, record, value in values if value.get("type") == type_]

    async def histories(self) -> dict[str, list[str]]:
        """Return the ids of the events that histories bring, by subject; checks what holds of every history."""
        found: dict[str, list[str]] = {}
        for partition, (record, value) in await self.records("segue.history"):
            subject = value["subject"]
            assert record.key == subject.encode()
            assert partition == partition_of(record.key, self.live.deployment.partitions)
            assert {event["subject"] for event in value["data"]["events"]} == {subject}
            found.setdefault(subject, []).extend(event["id"] for event in value["data"]["events"])
        return found


@pytest.fixture
def world(kafka: KafkaServer, valkey: ValkeyServer) -> Callable[..., Any]:
    @asynccontextmanager
    async def begin(**settings: Any) -> AsyncIterator[World]:
        async with (
            live(unique("fill"), kafka.bootstrap, valkey.redis_url, partitions=2, **settings) as running,
            serving(running.deployment, running.settings) as servers,
        ):
            yield World(running, servers)

    return begin


async def logins(world: World, profiles: int, each: int = 2) -> dict[str, list[str]]:
    """Send logins; return their ids by subject."""
    sent: dict[str, list[str]] = {}
    for _ in range(each):
        for n in range(profiles):
            await world.live.send(f"hcp:{n}")
            sent.setdefault(f"hcp:{n}", []).append(f"e{world.live.sent}")
    await world.live.producer.flush()
    return sent


async def test_history_is_what_the_new_conditions_look_at_in_record_order(world: Callable[..., Any]) -> None:
    async with world() as w:
        await w.apply(BEFORE)
        sent = await logins(w, 20)
        await w.live.send("hcp:0", "portal.left")
        await w.live.producer.flush()
        await w.apply(LOGINS)
        outcome = await fill(w.servers)
        assert await w.histories() == sent
        filled = await w.records("segue.filled")
        cuts = {p: record.timestamp for p, (record, value) in await w.records("segue.catalogue")}
        assert {p: value["data"] for p, (_, value) in filled} == {p: {"cut": cuts[p], "since": None} for p in (0, 1)}
        assert sum(each.subjects for each in outcome.filled) == 20
        assert [each.passes for each in outcome.filled] == [1, 1]
        # the next cut brings what only its conditions look at, and a fill that has nothing to do writes nothing
        await w.apply(LEFT)
        await fill(w.servers)
        assert (await w.histories())["hcp:0"][2:] == ["e41"]
        before = await w.live.read(w.live.deployment.events_topic)
        assert (await fill(w.servers)).filled == ()
        assert await w.live.read(w.live.deployment.events_topic) == before


async def test_a_small_limit_of_memory_takes_several_passes_and_brings_the_same(world: Callable[..., Any]) -> None:
    async with world(fill_memory_bytes_max=4_000) as w:
        await w.apply(BEFORE)
        sent = await logins(w, 60)
        for _ in range(40):  # one profile alone has more than the limit
            await w.live.send("hcp:7")
            sent["hcp:7"].append(f"e{w.live.sent}")
        await w.live.producer.flush()
        await w.apply(LOGINS)
        outcome = await fill(w.servers)
        assert await w.histories() == sent
        assert all(each.passes > 3 for each in outcome.filled)
        assert all(each.bytes_peak < 4_000 + 1_000 for each in outcome.filled)


async def test_what_a_worker_refused_is_not_in_a_history(world: Callable[..., Any]) -> None:
    async with world() as w:
        await w.apply(BEFORE)
        sent = await logins(w, 1)
        topic, producer = w.live.deployment.events_topic, w.live.producer
        [(_, (record, _)), *_] = await w.records("portal.login")
        partition = record.partition if hasattr(record, "partition") else 0
        value = json.loads(record.value)
        bad = [
            (b"hcp:1", value | {"id": "other-key"}),
            (b"hcp:0", value | {"id": "ahead", "time": "9000-01-01"}),
            (b"hcp:0", value | {"id": "large", "data": {"topic": "x" * 300_000}}),
            (b"hcp:0", value | {"id": "type", "data": {"topic": 1}}),
            (None, value | {"id": "no-key"}),
        ]
        for key, each in bad:
            await producer.send_and_wait(topic, json.dumps(each).encode(), key=key, partition=partition)
        await producer.send_and_wait(
            topic, json.dumps(value | {"id": "there"}).encode(), key=b"hcp:0", partition=1 - partition
        )
        binary = [
            (f"ce_{name}", str(value[name]).encode()) for name in ("specversion", "source", "type", "subject", "time")
        ]
        await producer.send_and_wait(
            topic, b'{"topic":\n"b"}', key=b"hcp:0", partition=partition, headers=[*binary, ("ce_id", b"binary")]
        )
        await w.apply(LOGINS)
        await fill(w.servers)
        assert await w.histories() == {"hcp:0": [*sent["hcp:0"], "binary"]}
        [(_, (_, history))] = await w.records("segue.history")
        assert history["data"]["events"][-1]["data"] == {"topic": "b"}


async def test_a_subject_with_many_events_comes_in_several_records(world: Callable[..., Any]) -> None:
    async with world() as w:
        await w.apply(BEFORE)
        ids = []
        for _ in range(8):
            await w.live.send("hcp:0", data={"topic": "x" * 200_000})
            ids.append(f"e{w.live.sent}")
        await w.live.producer.flush()
        await w.apply(LOGINS)
        await fill(w.servers)
        assert await w.histories() == {"hcp:0": ids}
        assert len(await w.records("segue.history")) == 2


async def test_the_first_catalogue_over_an_old_topic_wants_everything_and_over_an_empty_one_nothing(
    world: Callable[..., Any],
) -> None:
    async with world() as w:
        await w.apply(BEFORE, Options())
        assert await w.records("segue.filled") == []
        assert await open_fills(w.servers, 0) == []
    async with world() as w:
        sent = await logins(w, 5)
        await w.live.send("hcp:0", "portal.left")
        await w.live.send("hcp:9", "undeclared.type")
        await w.live.producer.flush()
        await w.apply(BEFORE, Options())
        sent["hcp:0"].append("e11")
        assert await w.histories() == sent
        assert len(await w.records("segue.filled")) == 2


async def test_a_cut_whose_offset_nobody_wrote_is_found(world: Callable[..., Any]) -> None:
    async with world() as w:
        await w.apply(BEFORE)
        await logins(w, 5)
        await w.apply(LOGINS)
        for partition in (0, 1):
            # as the transaction wrote it: the apply died before it could write the offset
            topic = w.live.deployment.fills_topic
            first = (await w.live.read(topic))[partition][2]
            assert json.loads(first.value)["offset"] == -1
            await w.live.producer.send_and_wait(topic, first.value, key=first.key, partition=partition)
        await fill(w.servers)
        assert len(await w.histories()) == 5
        for partition in (0, 1):
            records = await w.servers.log.read_to_end(w.live.deployment.fills_topic, partition)
            assert all(each.fill.filled for each in read_fills(records))


async def test_where_the_log_has_dropped_its_beginning_filled_says_since_when_it_is_whole(
    world: Callable[..., Any],
) -> None:
    async with world() as w:
        await w.apply(BEFORE)
        await logins(w, 20)
        topic = w.live.deployment.events_topic
        before = await w.live.read(topic)
        ends = {partition: records[-1].offset + 1 for partition, records in before.items()}
        async with connected(KafkaConnection(w.live.settings.kafka_bootstrap_servers)) as cluster:
            await cluster._admin.delete_records(  # noqa: SLF001 - retention, at once
                {TopicPartition(topic, p): RecordsToDelete(end) for p, end in ends.items()}
            )
        sent = await logins(w, 20, each=1)
        said: list[str] = []
        await w.apply(LOGINS, Options(on_say=said.append))
        assert await w.histories() == sent
        kept = {p: records[0].timestamp for p, records in (await w.live.read(topic)).items()}
        filled = {p: value["data"]["since"] for p, (_, value) in await w.records("segue.filled")}
        assert filled == kept
        [sentence] = said
        assert sentence == (
            "history: active (2 or more of portal.login within 30d) looks at what happened before now;"
            f" the log tells since {format_instant(min(kept.values()))}"
        )

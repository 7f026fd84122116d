"""What a worker appends to quiet partitions, and what leaves the disk of a real broker because of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from streams.clock import SystemClock
from streams.embedded import KafkaServer, prepare
from streams.log.admin import connected
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.records import OutRecord
from streams.settings import Deployment
from streams.wire.names import restricted_topics
from streams.wire.staying import staying
from streams.wire.topics import activation_topics, topics
from streams.worker.rolling import KEY, Rolling
from tests.models.broker import Broker
from tests.models.log import MemoryLog, Network
from tests.servers import temporary_folder
from tests.streams.live import wait_for
from tests.streams.world import ManualClock

ONE = Deployment(partitions=2, roll_after_ms=1_000)
CURRENT = ONE.current_topic
CATALOGUE = orjson.dumps({"files": {"activations/a.yaml": {"channel": "sms", "status": "approved"}}})


async def test_only_a_quiet_partition_that_has_records_and_is_held_gets_one() -> None:
    names = [CURRENT, restricted_topics(ONE)[1], "activation.sms.current", ONE.catalogues_topic]
    log = MemoryLog(Network(Broker(dict.fromkeys(names, 2))))
    clock = ManualClock()
    held = [1]
    rolling = Rolling(log, ONE, lambda: held, clock)

    async def rolls(topic: str, partition: int) -> int:
        return sum(record.key == KEY for record in await log.read_to_end(topic, partition))

    await log.append(OutRecord(ONE.catalogues_topic, 0, b"h", CATALOGUE))
    await log.append(OutRecord(CURRENT, 0, b"hcp:1|s", b"{}"))
    await log.append(OutRecord(CURRENT, 1, b"hcp:2|s", b"{}"))
    await log.append(OutRecord("activation.sms.current", 1, b"hcp:2|a", b"{}"))
    last = await log.last(CURRENT, 0)
    assert last is not None
    clock.ms = last.timestamp_ms + 999.0
    await rolling.look()
    assert await rolls(CURRENT, 0) == 0
    clock.ms = last.timestamp_ms + 2_000.0
    await rolling.look()
    assert await rolls(CURRENT, 1) == await rolls("activation.sms.current", 1) == 1
    assert await rolls(CURRENT, 0) == 0  # another worker has it
    assert await rolls(restricted_topics(ONE)[1], 1) == 0  # it has no record
    held.append(0)
    await rolling.look()
    assert await rolls(CURRENT, 0) == 1


async def test_a_worker_that_starts_asks_for_no_partition_in_its_first_minute() -> None:
    broker = Broker({CURRENT: 1, restricted_topics(ONE)[1]: 1, ONE.catalogues_topic: 1})
    log = MemoryLog(Network(broker))
    clock = ManualClock()
    slow = ONE.model_copy(update={"roll_after_ms": 21_600_000})
    await log.append(OutRecord(CURRENT, 0, b"hcp:1|s", b"{}"))
    last = await log.last(CURRENT, 0)
    assert last is not None
    clock.ms = last.timestamp_ms + 30_000_000.0
    running = asyncio.ensure_future(Rolling(log, slow, lambda: [0], clock).run())

    async def ends_after(length_ms: float) -> int:
        clock.advance_to(clock.ms + length_ms)
        for _ in range(50):
            await asyncio.sleep(0)
        return (await log.offsets(CURRENT, 0))[1]

    assert [await ends_after(0), await ends_after(59_000), await ends_after(1_000)] == [1, 1, 2]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# -- on a real broker's disk

QUICK = {
    "log.initial.task.delay.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.retention.check.interval.ms": "300",
    "log.segment.delete.delay.ms": "100",
}
SOON = {"segment.ms": "600", "file.delete.delay.ms": "100"}
LOOKS_MS = 8_000
"""In the place of the 3 h that a broker with Kafka's own settings may take."""


@pytest.fixture(scope="module")
def broker() -> Iterator[KafkaServer]:
    """A broker that looks at its segments every moment."""
    prepare(lambda _: None)
    with temporary_folder() as folder:
        server = KafkaServer(settings=QUICK, remove=folder)
        try:
            server.start(folder / "kafka")
            yield server
        finally:
            server.kill()


def on_disk(folder: Path, text: bytes) -> set[str]:
    """Name the folders of partitions whose files hold these bytes."""
    found = set()
    for file in folder.rglob("*"):
        try:
            if file.is_file() and text in file.read_bytes():
                found.add(file.parent.name)
        except FileNotFoundError:  # the broker deletes files meanwhile
            continue
    return found


@pytest.mark.servers
async def test_on_a_real_disk_nothing_names_the_subject_after_the_stated_time_and_without_a_worker_it_stays(
    broker: KafkaServer,
) -> None:
    deployment = Deployment(partitions=2, roll_after_ms=500)
    connection = KafkaConnection(broker.bootstrap)
    small = {"delete": {**SOON, "retention.ms": "5000"}}
    small["compact"] = {**SOON, "max.compaction.lag.ms": "600", "delete.retention.ms": "500"}
    made = [
        replace(each, configs={**each.configs, **small[each.configs["cleanup.policy"]]})
        for each in [*topics(deployment), *activation_topics(deployment, ["sms"])]
        if each.role not in ("progress", "owners", "catalogues", "fills", "erasures") or each.role == "catalogues"
    ]
    log = KafkaLog(connection)
    async with connected(connection) as cluster:
        assert await cluster.create(made, 1) == []
        # as `segue privacy` computes its date: from what the broker says of its topics
        existing = await cluster.existing([each.name for each in made if each.role != "catalogues"])
    bounds = [staying(each.configs or {}, deployment.roll_after_ms, LOOKS_MS).key_ms for each in existing.values()]
    gone_ms = max(each for each in bounds if each is not None)
    assert None not in bounds
    assert gone_ms < 30_000
    # partition 0 has a worker, partition 1 has none
    rolling = asyncio.ensure_future(Rolling(log, deployment, lambda: [0], SystemClock()).run())
    named = [each for each in made if each.role != "catalogues"]
    compacted = {each.name for each in named if each.configs["cleanup.policy"] == "compact"}
    try:
        await log.append(OutRecord(deployment.catalogues_topic, 0, b"h", CATALOGUE))
        for topic in named:
            for partition in range(2):
                await log.append(OutRecord(topic.name, partition, b"hcp:erased|x", b'{"profile":"hcp:erased"}'))
                if topic.name in compacted:
                    await log.append(OutRecord(topic.name, partition, b"hcp:erased|x", None))
        folder = broker.folder / "data"
        assert on_disk(folder, b"hcp:erased") == {f"{topic.name}-{n}" for topic in named for n in range(2)}
        alone = {f"{name}-1" for name in compacted}
        await wait_for(lambda: on_disk(folder, b"hcp:erased") == alone, gone_ms / 1000)
        await asyncio.sleep(2)
        assert on_disk(folder, b"hcp:erased") == alone
    finally:
        rolling.cancel()
        await asyncio.gather(rolling, return_exceptions=True)
        await log.close()

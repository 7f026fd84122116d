"""Laws that only Apache Kafka can show: requests on the wire, sizes, a broker that is away, compaction."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from itertools import groupby

import pytest
from aiokafka import errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from streams.embedded import KafkaServer
from streams.errors import Doubt, HeldUp, NotReachable
from streams.log.answers import Answers
from streams.log.client import KafkaLog
from streams.log.connection import KafkaConnection
from streams.log.producer import Tuning
from streams.records import OutRecord
from tests.contract.log.worlds import KafkaWorld
from tests.servers import running_kafka, unique

pytestmark = pytest.mark.servers


@pytest.fixture
async def world(kafka: KafkaServer) -> AsyncIterator[KafkaWorld]:
    made = await KafkaWorld(kafka.bootstrap).open()
    yield made
    await made.close()


async def make_topic(bootstrap: str, name: str, **settings: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        await admin.create_topics([NewTopic(name, 1, 1, topic_configs=configs)])
    finally:
        await admin.close()
    return name


def rec(topic: str, value: str, key: str = "k") -> OutRecord:
    return OutRecord(topic, 0, key.encode(), value.encode())


def ends_sent(ring: object) -> int:
    producers = ring._producers.values()  # type: ignore[attr-defined]  # noqa: SLF001
    return sum(producer.ends_sent for producer in producers)


async def test_an_end_without_an_answer_is_never_sent_again(world: KafkaWorld) -> None:
    log = world.log()
    world.lose_end(log)
    ring = await log.open_ring(1)
    with pytest.raises(Doubt, match="EndUnanswered"):
        await ring.transaction([rec(world.plain, "1")])
    await asyncio.sleep(0.5)
    await ring.close()
    assert ends_sent(ring) == 1


async def test_an_end_answered_with_ask_again_is_a_doubt(world: KafkaWorld) -> None:
    log = world.log()

    async def refuse() -> None:
        raise errors.NodeNotReadyError

    world.before_end(log, refuse)
    ring = await log.open_ring(1)
    with pytest.raises(Doubt):
        await ring.transaction([rec(world.plain, "1")])
    await ring.close()
    assert ends_sent(ring) == 1
    await log.fence(ring.ids[0])
    assert await log.read_to_end(world.plain, 0) == []


async def test_a_refused_batch_is_a_doubt_and_the_rest_of_its_transaction_is_never_read(
    world: KafkaWorld, kafka: KafkaServer
) -> None:
    small = await make_topic(kafka.bootstrap, unique("small"), max_message_bytes="1000")
    log = world.log()
    ring = await log.open_ring(2)
    with pytest.raises(Doubt, match="MessageSizeTooLarge"):
        await ring.transaction([rec(world.plain, "1"), rec(small, "x" * 5_000), rec(world.other, "1")])
    for id_ in ring.ids:
        await log.fence(id_)
    for topic in (world.plain, small, world.other):
        assert await log.read_to_end(topic, 0) == []
    await ring.close()


async def test_more_than_a_batch_goes_in_several_and_in_order(world: KafkaWorld) -> None:
    log = world.log(Tuning(batch_bytes_max=2_000))
    ring = await log.open_ring(1)
    values = [f"{n:04}" + "x" * 100 * (n % 30) for n in range(150)]
    offsets = await ring.transaction([rec(world.plain, value) for value in values])
    found = await log.read_to_end(world.plain, 0)
    assert [(each.value or b"").decode() for each in found] == values
    assert [each.offset for each in found] == offsets
    await ring.close()


async def test_a_fence_between_two_batches_of_a_transaction_is_a_doubt(world: KafkaWorld) -> None:
    log = world.log(Tuning(batch_bytes_max=2_000))
    ring = await log.open_ring(1)
    [producer] = ring._producers.values()  # noqa: SLF001
    deliver = producer.deliver

    async def fenced_after(builders: Mapping[TopicPartition, object]) -> dict[TopicPartition, object]:
        answers = await deliver(builders)
        await asyncio.ensure_future(log.fence(ring.ids[0]))
        return answers

    producer.deliver = fenced_after  # type: ignore[method-assign]
    with pytest.raises(Doubt, match="ProducerFenced"):
        await ring.transaction([rec(world.plain, "x" * 1_500), rec(world.plain, "y" * 1_500)])
    await ring.close()
    assert await log.read_to_end(world.plain, 0) == []


async def test_a_transaction_makes_three_kinds_of_requests_one_after_the_other(world: KafkaWorld) -> None:
    log = world.log()
    ring = await log.open_ring(1)
    [producer] = ring._producers.values()  # noqa: SLF001
    await ring.transaction([rec(world.plain, "1")])
    send, sent = producer.client.send, []

    async def noting(node: int, request: object, **rest: object) -> object:
        sent.append(type(request).__name__)
        return await send(node, request, **rest)

    producer.client.send = noting
    await ring.transaction([rec(topic, "1") for topic in (world.plain, world.other, world.compacted)])
    await ring.close()
    # the first may be repeated while the broker still writes the markers of the transaction before
    kinds = [name for name, _ in groupby(sent)]
    assert kinds == ["AddPartitionsToTxnRequest", "ProduceRequest", "EndTxnRequest"]


async def test_answers_are_taken_in_the_sockets_callback(world: KafkaWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    hand_over = Answers._hand_over  # noqa: SLF001

    def counting(self: Answers, connection: object, answer: bytes) -> None:
        taken.append(len(answer))
        hand_over(self, connection, answer)

    monkeypatch.setattr(Answers, "_hand_over", counting)
    ring = await world.log().open_ring(1)
    before = len(taken)
    await ring.transaction([rec(world.plain, "1")])
    assert len(taken) >= before + 3
    [producer] = ring._producers.values()  # noqa: SLF001
    for connection in producer.client._conns.values():  # noqa: SLF001
        assert connection._reader._buffer == b""  # noqa: SLF001
    await ring.close()


async def test_a_ring_that_is_closed_sends_nothing_more_of_a_transaction_on_its_way(world: KafkaWorld) -> None:
    log = world.log()
    ring = await log.open_ring(1)
    [producer] = ring._producers.values()  # noqa: SLF001
    send, sent = producer.client.send, []
    held, added = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def holding(node: object, request: object, **rest: object) -> object:
        sent.append((type(request).__name__, producer._closed))  # noqa: SLF001
        answer = await send(node, request, **rest)
        added.set()
        await held
        return answer

    producer.client.send = holding
    publishing = asyncio.ensure_future(ring.transaction([rec(world.plain, "late")]))
    await added.wait()
    await ring.close()
    with pytest.raises(Doubt):
        await publishing
    await asyncio.sleep(0.1)
    assert [name.partition("Request")[0] for name, _ in sent] == ["AddPartitionsToTxn"]
    assert not any(connection.connected() for connection in producer.client._conns.values())  # noqa: SLF001


async def test_a_producer_that_died_of_a_fence_closes_within_its_deadline(world: KafkaWorld) -> None:
    log = world.log()
    ring = await log.open_ring(3)
    for id_ in ring.ids:
        await log.fence(id_)
    with pytest.raises(Doubt):
        await ring.transaction([rec(world.plain, "1")])
    began = time.monotonic()
    await ring.close()
    assert time.monotonic() - began < 10


async def test_request_timeout_must_be_below_the_transactions() -> None:
    with pytest.raises(ValueError, match="below"):
        Tuning(transaction_timeout_ms=5_000, request_timeout_ms=5_000)


async def test_an_unknown_topic_is_not_reachable_and_says_so_in_time(world: KafkaWorld) -> None:
    log = world.log(Tuning(request_timeout_ms=500, read_timeout_ms=1_500))
    for asking in (log.offsets("nowhere", 0), log.read_to_end("nowhere", 0), log.last("nowhere", 0)):
        began = time.monotonic()
        with pytest.raises(NotReachable):
            await asking
        assert time.monotonic() - began < 10


async def test_an_open_transaction_is_waited_for_until_the_deadline_only(world: KafkaWorld) -> None:
    log = world.log(Tuning(request_timeout_ms=300, read_timeout_ms=600))
    opened = await world.leave_open([rec(world.plain, "1")])
    with pytest.raises(HeldUp, match="a transaction is open from offset 0"):
        await log.read_to_end(world.plain, 0)
    await opened.commit()
    assert len(await log.read_to_end(world.plain, 0)) == 1


async def test_the_broker_times_a_forgotten_transaction_out_and_readers_go_on(world: KafkaWorld) -> None:
    log = world.log(Tuning(transaction_timeout_ms=1_000, request_timeout_ms=500))
    reached = asyncio.Event()

    async def hang() -> None:
        reached.set()
        await asyncio.Event().wait()

    world.before_end(log, hang)
    ring = await log.open_ring(1)
    publishing = asyncio.create_task(ring.transaction([rec(world.plain, "1")]))
    await reached.wait()
    assert await world.log().read_to_end(world.plain, 0) == []
    with pytest.raises(Doubt, match="TimeoutError"):
        await publishing
    await ring.close()


async def test_compaction_leaves_holes_that_reading_passes(kafka: KafkaServer, world: KafkaWorld) -> None:
    topic = await make_topic(
        kafka.bootstrap,
        unique("owners"),
        cleanup_policy="compact",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.001",
        delete_retention_ms="0",
        min_compaction_lag_ms="0",
    )
    log = world.log()
    ring = await log.open_ring(2)
    for n in range(30):
        tombstone = OutRecord(topic, 0, b"dead", None)
        await ring.transaction([rec(topic, str(n), "alive"), rec(topic, str(n), "dead"), tombstone])
    opened = await world.leave_open([rec(topic, "x", "aborted") for _ in range(5)])
    await log.fence(opened.id)
    before = await log.read_to_end(topic, 0)
    deadline = time.monotonic() + 120
    while len(await log.read_to_end(topic, 0)) > 12:
        assert time.monotonic() < deadline, "the cleaner did not run"
        await asyncio.sleep(0.5)
        await ring.transaction([rec(topic, "later", "other")])
    found = await log.read_to_end(topic, 0)
    alive = [each for each in found if each.key == b"alive"]
    assert alive[-1] == next(each for each in reversed(before) if each.key == b"alive")
    latest = {each.key: each.value for each in found}
    assert latest[b"alive"] == b"29"
    assert latest.get(b"dead") is None
    assert await log.find(topic, b"alive") == b"29"
    assert await log.find(topic, b"dead") is None
    last = await log.last(topic, 0)
    assert last is not None
    assert last.value == b"later"
    await ring.close()


class TestBrokerAway:
    @pytest.fixture
    async def own(self) -> AsyncIterator[tuple[KafkaServer, KafkaLog]]:
        """A Kafka that the test may stop, and a client that gives up soon."""
        with running_kafka() as server:
            log = KafkaLog(KafkaConnection(server.bootstrap), Tuning(3_000, 1_000, 2_000))
            yield server, log
            await log.close()

    async def test_everything_says_so_within_its_deadline_and_works_again_after(
        self, own: tuple[KafkaServer, KafkaLog]
    ) -> None:
        server, log = own
        topic = await make_topic(server.bootstrap, "t")
        ring = await log.open_ring(2)
        await ring.transaction([rec(topic, "1")])
        await log.append(rec(topic, "2"))
        before = await log.read_to_end(topic, 0)
        server.kill()
        with pytest.raises(Doubt):
            async with asyncio.timeout(30):
                await ring.transaction([rec(topic, "3")])
        asking = [log.read_to_end(topic, 0), log.last(topic, 0), log.fence(ring.ids[0]), log.open_ring(1)]
        for each in [*asking, log.append(rec(topic, "4"))]:
            with pytest.raises(NotReachable):
                async with asyncio.timeout(20):
                    await each
        await ring.close()
        server.restart()
        ring = await log.open_ring(2)
        await ring.transaction([rec(topic, "5")])
        values = [each.value for each in await log.read_to_end(topic, 0)]
        assert values[: len(before)] == [b"1", b"2"]
        assert values[-1] == b"5"
        await ring.close()


async def test_a_client_that_learns_nothing_new_of_the_cluster_is_given_up_after_one_deadline(
    kafka: KafkaServer,
) -> None:
    topic = await make_topic(kafka.bootstrap, unique("t"))
    log = KafkaLog(KafkaConnection(kafka.bootstrap), Tuning(read_timeout_ms=1_000, request_timeout_ms=500))
    assert await log.offsets(topic, 0) == (0, 0)
    stuck = log._client  # noqa: SLF001
    assert stuck is not None
    # as seen in a run: the partition had no leader when the client last looked, and it does not look again
    stuck._sync_task.cancel()  # noqa: SLF001
    known = stuck.cluster._partitions[topic]  # noqa: SLF001
    known[0] = known[0]._replace(leader=-1)
    with pytest.raises(NotReachable, match="LeaderNotAvailable"):
        await log.offsets(topic, 0)
    assert await log.offsets(topic, 0) == (0, 0)
    await log.close()
    assert not [each for each in stuck._conns.values() if each.connected()]  # noqa: SLF001

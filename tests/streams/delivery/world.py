"""A channel's topic with changes in it, as a worker publishes them: in transactions, some of them aborted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from rules.engine.activations.change import ActivationChange, ActivationReason, activation_change
from rules.ground.partitioning import partition_of
from streams.log.admin import connected
from streams.log.connection import KafkaConnection
from streams.settings import Deployment
from streams.wire.erasures import DeletionReceipt, read_erasures
from streams.wire.maker import RecordMaker
from streams.wire.topics import activation_topics, delivery_topic, topics
from tests.acceptance.command import Segue
from tests.servers import unique
from tests.streams.delivery.platform import Told

CHANNEL = "email"
START_MS = 1_772_373_900_000


def changes(seed: int, count: int, profiles: int, *, asset: str = "AC-104") -> list[ActivationChange]:
    """Make changes of synthetic profiles. Each turns one of three activations on or off."""
    chance = Random(seed)
    active: set[tuple[str, str]] = set()
    sequences: dict[str, int] = {}
    made = []
    for n in range(count):
        # a few profiles have most of the changes
        subject = f"hcp:{int(chance.random() ** 3 * profiles):06d}"
        activation = chance.choice(["access-email", "clinical-email", "evidence-email"])
        sequences[subject] = sequences.get(subject, 0) + 1
        activated = (subject, activation) not in active
        (active.add if activated else active.remove)((subject, activation))
        made.append(
            activation_change(
                generation="g1",
                subject=subject,
                activation=activation,
                version=1,
                channel=CHANNEL,
                activated=activated,
                sequence=sequences[subject],
                effective_ms=START_MS + n,
                reason=ActivationReason("allowed" if activated else "consent", (), ("/crm evt-1",)),
                journey="access",
                content={"asset": asset, "intent": "access_resources", "claims": ["CLM-12"]},
                arm=None,
            )
        )
    return made


def erasures(made: Sequence[ActivationChange], every: int) -> list[ActivationChange]:
    """Erase every so many-th profile at the end: each of its activations that are active ends with `erased`."""
    active: dict[str, dict[str, None]] = {}
    sequences: dict[str, int] = {}
    for each in made:
        of = active.setdefault(each.subject, {})
        of.update({each.activation: None}) if each.activated else of.pop(each.activation)
        sequences[each.subject] = each.sequence
    ends: list[ActivationChange] = []
    for person, subject in enumerate(sorted(subject for subject, of in active.items() if of)[::every]):
        for activation in active[subject]:
            sequences[subject] += 1
            ends.append(
                activation_change(
                    generation="g1",
                    subject=subject,
                    activation=activation,
                    version=1,
                    channel=CHANNEL,
                    activated=False,
                    sequence=sequences[subject],
                    effective_ms=START_MS + len(made) + len(ends),
                    reason=ActivationReason("erased", (), (f"/segue/erase of-{person}",)),
                    journey="access",
                    content={"asset": "AC-104", "intent": "access_resources", "claims": ["CLM-12"]},
                    arm=None,
                )
            )
    return ends


def told(made: Sequence[ActivationChange]) -> list[Told]:
    """Return changes as a platform understands them."""
    return [Told(each.id, each.subject, each.activation, each.activated, each.sequence, "") for each in made]


@dataclass
class Channel:
    """The one channel of a deployment."""

    deployment: Deployment
    kafka: str
    producer: AIOKafkaProducer
    segue: Segue
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return f"{self.deployment.activation_topic_prefix}.{CHANNEL}"

    def partition_of(self, change: ActivationChange) -> int:
        return partition_of(change.subject.encode(), self.deployment.partitions)

    async def publish(self, made: Sequence[ActivationChange], per_transaction: int = 50) -> None:
        """Publish changes as a worker does. Every third transaction is aborted once before it is committed."""
        wire = RecordMaker(self.deployment)
        for n, start in enumerate(range(0, len(made), per_transaction)):
            for aborted in (True, False) if n % 3 == 2 else (False,):
                await self.producer.begin_transaction()
                records = [
                    record
                    for change in made[start : start + per_transaction]
                    for record in wire.change_records(self.partition_of(change), change)
                ]
                sent = [
                    await self.producer.send(
                        each.topic, each.value, each.key, partition=each.partition, headers=list(each.headers)
                    )
                    for each in records
                ]
                await asyncio.gather(*sent)
                await (self.producer.abort_transaction if aborted else self.producer.commit_transaction)()

    async def dead_letters(self) -> list[tuple[bytes | None, bytes | None, dict[str, str]]]:
        """Read the dead letters: key, value, and Segue's own headers."""
        return [
            (each.key, each.value, {name: value.decode() for name, value in each.headers if name.startswith("segue_")})
            for each in await self.records(f"{self.topic}.dlt")
        ]

    async def receipts(self) -> list[DeletionReceipt]:
        """Read the receipts, and see that they name nobody and are written to the partition of their changes."""
        records = await self.records(self.deployment.erasures_topic)
        assert not any(b"hcp:" in (each.key or b"") + (each.value or b"") for each in records)
        found = read_erasures(each.value for each in records)
        receipts = [each for each in found if isinstance(each, DeletionReceipt)]
        assert [each.partition for each in receipts] == [each.partition for each in records]
        return receipts

    async def records(self, topic: str) -> list[Any]:
        """Read the records of a topic."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, n) for n in range(self.deployment.partitions)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
            return found
        finally:
            await consumer.stop()


@asynccontextmanager
async def channel(kafka: str, partitions: int = 4) -> AsyncIterator[Channel]:
    """Make a deployment with one channel, and its topics."""
    name = unique("deliver")
    deployment = Deployment(
        partitions=partitions,
        activation_topic_prefix=f"{name}.activation",
        redis_prefix=name,
        erasures_topic=f"{name}.erasures",
    )
    async with connected(KafkaConnection(kafka)) as cluster:
        wanted = [*activation_topics(deployment, [CHANNEL]), delivery_topic(deployment, CHANNEL)]
        wanted += [each for each in topics(deployment) if each.role == "erasures"]
        assert await cluster.create(wanted, 1) == []
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=unique("test"), acks="all")
    await producer.start()
    values = {
        "partitions": partitions,
        "activation_topic_prefix": deployment.activation_topic_prefix,
        "erasures_topic": deployment.erasures_topic,
        "group": name,
        "kafka_bootstrap_servers": kafka,
        "session_timeout_ms": 3_000,
    }
    segue = Segue({f"SEGUE_{key.upper()}": str(value) for key, value in values.items()})
    try:
        yield Channel(deployment, kafka, producer, segue)
    finally:
        await producer.stop()

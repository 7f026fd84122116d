"""A channel's log on a real Kafka, written as Segue writes it, and read by a consumer that shares no code."""

import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from rules.engine.activations.change import ActivationChange, ActivationReason, activation_change
from rules.ground.partitioning import partition_of
from streams.client import Change, Channel
from streams.settings import Deployment
from streams.wire.maker import RecordMaker
from tests.servers import unique

PARTITIONS = 3
ACTIVATIONS = ("access-resources", "clinical-basics")
COMPACTED = {"cleanup.policy": "compact"}


def activation(subject: str, name: str, activated: bool, sequence: int, channel: str = "email") -> ActivationChange:
    """Make a change as the rules make it."""
    return activation_change(
        generation="g1",
        subject=subject,
        activation=name,
        version=1,
        channel=channel,
        activated=activated,
        sequence=sequence,
        effective_ms=1_772_373_900_000 + sequence,
        reason=ActivationReason("allowed" if activated else "consent"),
        journey=None,
        content={"intent": "education"},
        arm=None,
    )


@dataclass
class Log:
    """One channel's two topics and their one writer."""

    kafka: str
    prefix: str
    wire: RecordMaker
    producer: AIOKafkaProducer
    dice: random.Random
    sequences: dict[str, int] = field(default_factory=dict)
    active: set[tuple[str, str]] = field(default_factory=set)

    @property
    def topic(self) -> str:
        return f"{self.prefix}.email"

    def channel(self, **options: object) -> Channel:
        """Make a reader of the channel."""
        given: dict[str, Any] = {"topic_prefix": self.prefix, **options}
        return Channel("email", bootstrap_servers=self.kafka, **given)

    def flips(self, count: int, profiles: int = 40) -> list[ActivationChange]:
        """Make random changes; each turns one activation of one profile on or off."""
        made = []
        for _ in range(count):
            subject, name = f"hcp:{self.dice.randrange(profiles)}", self.dice.choice(ACTIVATIONS)
            sequence = self.sequences[subject] = self.sequences.get(subject, 0) + 1
            self.active ^= {(subject, name)}
            made.append(activation(subject, name, (subject, name) in self.active, sequence))
        return made

    async def write(self, changes: Iterable[ActivationChange], *, abort: bool = False) -> None:
        """Write changes in one transaction."""
        await self.producer.begin_transaction()
        await self.send(changes)
        await (self.producer.abort_transaction() if abort else self.producer.commit_transaction())

    async def send(self, changes: Iterable[ActivationChange]) -> None:
        """Write changes in the transaction that is open."""
        sent = []
        for change in changes:
            partition = partition_of(change.subject.encode(), PARTITIONS)
            for each in self.wire.change_records(partition, change):
                headers = [(name, value or b"") for name, value in each.headers]
                sent.append(
                    await self.producer.send(
                        each.topic, each.value, key=each.key, partition=each.partition, headers=headers
                    )
                )
        for one in sent:
            await one

    async def committed(self) -> dict[int, list[tuple[int, bytes]]]:
        """Return all committed changes: by partition, (offset, value)."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, isolation_level="read_committed", enable_auto_commit=False
        )
        await consumer.start()
        try:
            tps = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await consumer.end_offsets(tps)
            found: dict[int, list[tuple[int, bytes]]] = {partition: [] for partition in range(PARTITIONS)}
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                    found[tp.partition] += [(record.offset, record.value) for record in records]
            return found
        finally:
            await consumer.stop()

    async def drop_before(self, offsets: dict[int, int]) -> None:
        """Delete changes below these offsets, as retention does."""
        from aiokafka.admin.records_to_delete import RecordsToDelete

        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.delete_records(
                {TopicPartition(self.topic, partition): RecordsToDelete(each) for partition, each in offsets.items()}
            )
        finally:
            await admin.close()


@asynccontextmanager
async def written(kafka: str, seed: int = 0) -> AsyncIterator[Log]:
    """Make the topics of a new channel, empty."""
    prefix = unique("activation")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(f"{prefix}.email", PARTITIONS, 1),
                NewTopic(f"{prefix}.email.current", PARTITIONS, 1, topic_configs=COMPACTED),
            ]
        )
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=unique("writer"), acks="all")
    await producer.start()
    wire = RecordMaker(Deployment(activation_topic_prefix=prefix, partitions=PARTITIONS))
    try:
        yield Log(kafka, prefix, wire, producer, random.Random(seed))
    finally:
        await producer.stop()


async def taken(channel: Channel, count: int) -> list[Change]:
    """Return the next `count` changes."""
    found: list[Change] = []
    if count:
        async for change in channel.changes():
            found.append(change)
            if len(found) == count:
                break
    return found


def by_partition(changes: Sequence[Change]) -> dict[int, list[bytes]]:
    """Return the values of each partition in the order of the changes."""
    found: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
    for change in changes:
        found[change.partition].append(change.value)
    return found

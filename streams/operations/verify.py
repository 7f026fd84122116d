"""`segue verify`: apply the log again and compare every published change byte for byte.

The input is applied from its first record up to the published offset (`segue.progress`); each change that comes out
must be the next record of its output topic: same key, same value, same type. At the end the rolling digest must be the
published one. Each effect on another profile must stand in the input of its target (`verify_effects`). Nothing is
written, and nothing is asked of the workers.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from aiokafka import TopicPartition

from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.record import Record
from streams.operations.errors import InputTruncated
from streams.operations.partitions import OnOffset, chosen
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, Shadow, records
from streams.operations.verify_effects import Exchange
from streams.wire.names import channel_topics, restricted_topics
from streams.wire.progress import Progress, read_progress


@dataclass(frozen=True, slots=True)
class PartitionVerdict:
    """What came of one partition. `difference`: the first, in words without personal data; "" : none."""

    partition: int
    records: int
    changes: int
    skipped: int
    """Changes whose published records the output's retention has dropped: compared by the digest only."""
    offset: int
    """The published offset up to which the log was applied."""
    difference: str
    effects: int = 0
    """Effects on other profiles that stand in the input of their targets."""


async def published(servers: Servers, partition: int) -> Progress | None:
    """Return the last progress record of a partition; None: nothing was ever published."""
    last = await servers.log.last(servers.deployment.progress_topic, partition)
    return None if last is None else read_progress(last.value)


async def check_whole(servers: Servers, partition: int) -> None:
    """See that the input still has its first record; raises InputTruncated otherwise."""
    start, _ = await servers.log.offsets(servers.deployment.events_topic, partition)
    if start > 0:
        raise InputTruncated(partition, start)


async def verify(servers: Servers, partitions: Sequence[int] | None, on_offset: OnOffset) -> list[PartitionVerdict]:
    """Verify partitions (None: all), one after the other; return a verdict for each, by partition."""
    deployment = servers.deployment
    wanted = chosen(partitions, deployment.partitions)
    await servers.expect_topics(deployment.events_topic, deployment.membership_topic, deployment.progress_topic)
    for partition in wanted:
        await check_whole(servers, partition)
    progresses = {partition: await published(servers, partition) for partition in wanted}
    exchange = Exchange(deployment.partitions, deployment.generation)
    verdicts = [
        PartitionVerdict(partition, 0, 0, 0, 0, "")
        if progress is None
        else await _verify(servers, partition, progress, exchange, on_offset)
        for partition, progress in progresses.items()
    ]
    for partition in sorted(exchange.targets()):
        await _read_effects(servers, partition, exchange, on_offset)
    return [_with_effects(verdict, exchange, exchange.targets() | {*wanted}) for verdict in verdicts]


async def _read_effects(servers: Servers, partition: int, exchange: Exchange, on_offset: OnOffset) -> None:
    """Read the effects of a partition's input from where it was read already to its end."""
    topic = servers.deployment.events_topic
    start, end = await servers.log.offsets(topic, partition)
    inputs = TopicPartition(topic, partition)
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        consumer.seek(inputs, exchange.read_to.get(partition, start))
        async for record in records(consumer, inputs, end, lambda offset: on_offset(partition, offset, end)):
            exchange.take(partition, record)


def _with_effects(verdict: PartitionVerdict, exchange: Exchange, read: set[int]) -> PartitionVerdict:
    sent = sum(len(told) for (source, _), told in exchange.sent.items() if source == verdict.partition)
    difference = exchange.difference(verdict.partition, verdict.offset, read)
    return replace(verdict, effects=sent, difference=verdict.difference or difference)


async def _verify(
    servers: Servers, partition: int, progress: Progress, exchange: Exchange, on_offset: OnOffset
) -> PartitionVerdict:
    deployment = servers.deployment
    shadow = Shadow(partition, deployment.partitions, progress.generation, servers.catalogue_of)
    inputs = TopicPartition(deployment.events_topic, partition)
    counted = compared = skipped = 0
    async with servers.reading(deployment.events_topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, _):
        consumer.assign([inputs])
        await consumer.seek_to_beginning(inputs)
        async with AsyncExitStack() as opened:
            outputs = _Outputs(servers, partition, opened)
            until = progress.offset
            async for record in records(consumer, inputs, until, lambda offset: on_offset(partition, offset, until)):
                applied = await shadow.feed(record)
                counted += 1
                exchange.take(partition, record)
                for effect in applied.effects:
                    exchange.send(partition, effect)
                for change in applied.changes:
                    output = await outputs.of(change)
                    if not await output.reached(change):
                        skipped += 1
                        continue
                    wrong = await output.compare(change)
                    if wrong:
                        at = f"the change {compared + skipped + 1} of the partition, at input offset {record.offset}"
                        return PartitionVerdict(
                            partition, counted, compared, skipped, progress.offset, f"{at}: {wrong}"
                        )
                    compared += 1
            extra = await outputs.rest(progress, shadow.channels)
    difference = extra
    if not difference and shadow.engine.digest != progress.digest:
        difference = f"at offset {progress.offset} the digest is not the published one"
    return PartitionVerdict(partition, counted, compared, skipped, progress.offset, difference)


class _Outputs:
    """The output topics of one partition, each opened when it is first asked for."""

    def __init__(self, servers: Servers, partition: int, opened: AsyncExitStack) -> None:
        self._servers = servers
        self._partition = partition
        self._opened = opened
        self._found: dict[str, _Output] = {}

    async def of(self, change: AnyChange) -> "_Output":
        """The topic to which a change belongs."""
        deployment = self._servers.deployment
        if isinstance(change, ActivationChange):
            return await self._open(channel_topics(deployment, change.channel)[0])
        hidden = restricted_topics(deployment)[0]
        return await self._open(hidden if change.restricted else deployment.membership_topic)

    async def _open(self, topic: str) -> "_Output":
        if topic not in self._found:
            self._found[topic] = await self._opened.enter_async_context(_Output(self._servers, topic, self._partition))
        return self._found[topic]

    async def rest(self, progress: Progress, channels: Iterable[str]) -> str:
        """See that no topic has anything that the log does not account for; "" if so."""
        deployment = self._servers.deployment
        topics = [deployment.membership_topic, restricted_topics(deployment)[0]]
        topics += [channel_topics(deployment, channel)[0] for channel in sorted(channels)]
        for topic in topics:
            extra = await (await self._open(topic)).rest(progress)
            if extra:
                return extra
        return ""


class _Output:
    """The published changes of one topic's partition, in order."""

    def __init__(self, servers: Servers, topic: str, partition: int) -> None:
        self._servers = servers
        self._partition = TopicPartition(topic, partition)
        self._records: AsyncIterator[Record] | None = None
        self._next: Record | None = None
        self._started = False

    async def __aenter__(self) -> "_Output":
        servers, topic = self._servers, self._partition.topic
        async with servers.cluster() as cluster:
            exists = bool(await cluster.existing([topic]))
        if not exists:
            return self
        start, end = await servers.log.offsets(topic, self._partition.partition)
        self._started = start == 0
        self._reading = servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES)
        consumer, _ = await self._reading.__aenter__()
        consumer.assign([self._partition])
        await consumer.seek_to_beginning(self._partition)
        self._records = records(consumer, self._partition, end)
        await self._advance()
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._records is not None:
            await self._reading.__aexit__(None, None, None)

    async def _advance(self) -> None:
        if self._records is not None:
            self._next = await anext(self._records, None)

    async def reached(self, change: AnyChange) -> bool:
        """Tell whether the topic still has this change; once it has one, it has all that follow."""
        if not self._started and self._next is not None:
            self._started = _id_of(self._next) == change.id.encode()
        return self._started

    async def compare(self, change: AnyChange) -> str:
        """Compare the next published record with a change; "" if they are equal."""
        found = self._next
        if found is None:
            return f"it was never published to {self._partition.topic}"
        await self._advance()
        where = f"{self._partition.topic} offset {found.offset}"
        if found.value != change.value:
            return f"{where} has other bytes" + (" of the same id" if _id_of(found) == change.id.encode() else "")
        if found.key != change.subject.encode():
            return f"{where} has another key"
        if dict(found.headers).get("ce_type") != change.type.encode():
            return f"{where} has another type"
        return ""

    async def rest(self, progress: Progress) -> str:
        """See that nothing follows that the log does not account for; "" if so.

        Changes published while we were reading belong to records after `progress.offset`; the end was taken before.
        """
        if self._next is None or not self._started:
            return ""
        later = await published(self._servers, self._partition.partition)
        if later is not None and later.offset > progress.offset:
            return ""
        return f"{self._partition.topic} offset {self._next.offset} is no change of the log"


def _id_of(record: Record) -> bytes | None:
    return dict(record.headers).get("ce_id")

"""What the brokers' disks hold under the keys of some subjects: how many records, from when, and until when.

Only the partition of each subject is read, once for all subjects, and no longer than asked for. Records of aborted
transactions count too: they lie on the same disk. A compacted topic's key is the subject, or begins with it and `|`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from aiokafka import TopicPartition

from rules.engine.persons.effects import EFFECT_TYPES
from rules.ground.partitioning import partition_of
from rules.language.dictionary import ERASED
from streams.log.consumers import Consumer
from streams.operations.concerning import History
from streams.operations.servers import REACH_MS, Servers
from streams.operations.shadow import FETCH_BYTES
from streams.wire.staying import Staying, staying
from streams.wire.topics import Topic

LOOK_MS: Final = 200
_HISTORY_ROLE: Final = "events"
_CHANGE_ROLES: Final = ("membership", "restricted", "activation")
_ERASURES: Final = tuple(each.encode() for each in (ERASED, *sorted(EFFECT_TYPES)) if each.endswith(".erased"))


@dataclass(slots=True)
class Held:
    """The records of one subject in one topic."""

    topic: Topic
    count: int = 0
    oldest_ms: int | None = None
    newest_ms: int | None = None
    erasure_ms: int | None = None
    """Of the input: when the latest record came that may carry an erasure."""
    change_ms: int | None = None
    """Of the changes of segments and channels: when the latest came. A person's last one is the erasure's."""
    standing: set[bytes] | None = None
    """Of a compacted topic: the keys whose latest record is no tombstone."""

    def add(self, record: Any) -> None:
        """Count a record of this subject."""
        t_ms = record.timestamp
        self.count += 1
        self.oldest_ms = t_ms if self.oldest_ms is None else min(self.oldest_ms, t_ms)
        self.newest_ms = t_ms if self.newest_ms is None else max(self.newest_ms, t_ms)
        if self.standing is not None:
            (self.standing.discard if record.value is None else self.standing.add)(record.key)
        elif self.topic.role == _HISTORY_ROLE and _may_erase(record):
            self.erasure_ms = t_ms
        elif self.topic.role in _CHANGE_ROLES:
            self.change_ms = max(self.change_ms or 0, t_ms)


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a topic's partition that was not read in time."""

    topic: str
    partition: int
    offset: int
    """The first that was not read."""
    end: int


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What was found."""

    held: Mapping[str, Sequence[Held]]
    """By subject: the topics with records of it, in the order of the topics."""
    stays: Mapping[str, Staying]
    """By topic: how long a record stays, by the topic's settings."""
    unread: tuple[Unread, ...]


async def on_disk(servers: Servers, subjects: Collection[str], topics: Sequence[Topic], seconds: float) -> OnDisk:
    """Read the partitions of subjects in the topics that exist, for so many seconds at most. Raises Unreachable."""
    deployment = servers.deployment
    async with servers.cluster() as cluster:
        existing = await cluster.existing([each.name for each in topics])
    topics = [each for each in topics if each.name in existing]
    stays = {each.name: staying(existing[each.name].configs or {}, deployment.roll_after_ms) for each in topics}
    partitions = sorted({partition_of(each.encode(), deployment.partitions) for each in subjects})
    ends: dict[TopicPartition, tuple[int, int]] = {}
    for topic in topics:
        for partition in partitions:
            ends[TopicPartition(topic.name, partition)] = await servers.log.offsets(topic.name, partition)
    found = {
        each.name: {
            subject: Held(each, standing=set() if each.configs["cleanup.policy"] == "compact" else None)
            for subject in subjects
        }
        for each in topics
    }
    unread = await _read(servers, ends, found, seconds)
    held: defaultdict[str, list[Held]] = defaultdict(list)
    for by_subject in found.values():
        for subject, one in by_subject.items():
            if one.count:
                held[subject].append(one)
    return OnDisk(held, stays, tuple(unread))


async def _read(
    servers: Servers,
    ends: Mapping[TopicPartition, tuple[int, int]],
    found: Mapping[str, Mapping[str, Held]],
    seconds: float,
) -> list[Unread]:
    """Read every partition to its end, or until the time is over; return what was not read."""
    waiting = {at: end for at, (start, end) in ends.items() if start < end}
    if not waiting:
        return []
    keys = {each.encode(): each for each in next(iter(found.values()))}
    histories = {each: History(each) for each in keys.values()}
    consumer = Consumer(
        **servers.connection.options(),
        isolation_level="read_uncommitted",
        enable_auto_commit=False,
        request_timeout_ms=REACH_MS,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    until_s = monotonic() + seconds
    try:
        await consumer.start()
        consumer.assign(list(waiting))
        for at in waiting:
            consumer.seek(at, ends[at][0])
        while waiting and monotonic() < until_s:
            batches: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=LOOK_MS)
            for at, records in batches.items():
                _count(found[at.topic], records, ends[at][1], keys, histories)
            for at in [each for each, end in waiting.items() if await consumer.position(each) >= end]:
                del waiting[at]
                consumer.pause(at)
        return [Unread(at.topic, at.partition, await consumer.position(at), end) for at, end in waiting.items()]
    finally:
        await consumer.stop()


def _count(
    held: Mapping[str, Held],
    records: Sequence[Any],
    end: int,
    keys: Mapping[bytes, str],
    histories: Mapping[str, History],
) -> None:
    """Count the records of each subject in a batch."""
    of_input = next(iter(held.values())).topic.role == _HISTORY_ROLE
    for record in records:
        if record.offset >= end:
            return
        subject = keys.get((record.key or b"").partition(b"|")[0])
        if subject is not None:
            held[subject].add(record)
        elif of_input:
            # a record of history has a key of its own, and names the profile inside
            for each, brings in histories.items():
                if brings(record.key, record.value, record.headers):
                    held[each].add(record)


def _may_erase(record: Any) -> bool:
    value = record.value or b""
    if any(name in value for name in _ERASURES):
        return True
    return any(raw in _ERASURES for name, raw in record.headers if name == "ce_type")

"""Judge a run from outside: input, output and dead letters from offset 0, what Redis holds, and the concurrent reader.

    L0  every expected change is there           D0  none is there twice
    O0  each profile's sequence is 1, 2, 3 …     C0  no change id ever has two payloads, aborted ones included
    S0  member sets, standing memberships and standing activations are the expected ones
    Q0  every input record is applied or dead-lettered, once

Each holds for the memberships and for every channel; `promises` says what O0 means across topics.

Shares no code with the engine: it uses aiokafka, redis and `model`. Errors name offsets and ids of made-up events.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import redis.asyncio
from aiokafka import TopicPartition

from streams.store.access import RedisConnection
from tests.faults.catalogues import CHANNELS, Rules
from tests.faults.model import Partition
from tests.faults.promises import (
    Violated,
    check_payloads,
    check_progress,
    check_sequences,
    check_standing,
    compare,
)
from tests.faults.reading import Records, read_all

__all__ = ["Counted", "Follower", "Names", "Outcome", "Violated", "compare", "expected"]

GENERATION: Final = "g1"


class Stream(NamedTuple):
    """The topics of the memberships (""), or of a channel: changes, and the snapshot."""

    channel: str
    topic: str
    current: str


@dataclass(frozen=True)
class Names:
    """The addresses and names of a deployment, for a reader."""

    bootstrap: str
    redis_url: str
    partitions: int
    events: str
    membership: str
    current: str
    dead_letters: str
    prefix: str
    generation: str = GENERATION

    @property
    def activations(self) -> str:
        """The beginning of the names of the channels' topics."""
        return f"{self.prefix}.activation"

    @property
    def progress(self) -> str:
        """The topic of progress."""
        return f"{self.prefix}.segue.progress"

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The outputs."""
        channels = ((channel, f"{self.activations}.{channel}") for channel in CHANNELS)
        return (
            Stream("", self.membership, self.current),
            *(Stream(channel, topic, f"{topic}.current") for channel, topic in channels),
        )

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that are read."""
        out = (topic for stream in self.streams for topic in (stream.topic, stream.current))
        return (self.events, *out, self.dead_letters, self.progress)


@dataclass(frozen=True)
class Counted:
    """The counts of a run."""

    records: int
    events: int
    changes: int
    """Changes of memberships."""
    refused: int
    activations: int = 0
    """Changes of activations."""


def expected(records: Sequence[Any], catalogues: Sequence[Rules], generation: str = GENERATION) -> Partition:
    """Apply a partition's records to the model."""
    model = Partition(catalogues, generation)
    for record in records:
        model.apply(record)
    return model


class Follower:
    """Tells what is still missing while a deployment runs, from the records that the concurrent reader has so far."""

    def __init__(self, names: Names, catalogues: Sequence[Rules]) -> None:
        """`catalogues` may grow, and so may the records that were read."""
        self._names = names
        self._models = [Partition(catalogues, names.generation) for _ in range(names.partitions)]
        self._applied = [0] * names.partitions

    def behind(self, found: Records, horizon_ms: int) -> str:
        """Return what is missing, or due before the horizon; "": nothing. Raises Violated: waiting cannot mend it."""
        for partition, model in enumerate(self._models):
            records = found[TopicPartition(self._names.events, partition)]
            fresh = records[self._applied[partition] :]
            for record in fresh:
                model.apply(record)
            self._applied[partition] += len(fresh)
            due = model.next_due()
            if due is not None and due < horizon_ms:
                return f"partition {partition}: something is due at {due}, and the input ends at {model.clock_ms}"
            for stream in self._names.streams:
                values = [record.value for record in found[TopicPartition(stream.topic, partition)]]
                wanted = model.of(stream.channel)
                if values != wanted:
                    if values[: len(wanted)] == wanted and len(set(values)) == len(values):
                        # the reader may have come further in the output than in the input
                        return f"partition {partition}: {stream.topic} has more than the input that was read makes"
                    if values != wanted[: len(values)]:
                        compare(f"partition {partition} {stream.channel}".rstrip(), wanted, values)
                    return f"partition {partition}: {len(values)} of {len(wanted)} changes are in {stream.topic}"
        return ""


class Outcome:
    """All records of a deployment that stands still."""

    def __init__(self, names: Names, catalogues: Sequence[Rules], found: Records, uncommitted: Records) -> None:
        self.names = names
        self.catalogues = catalogues
        self.found = found
        self.uncommitted = uncommitted

    @classmethod
    async def read(cls, names: Names, catalogues: Sequence[Rules]) -> "Outcome":
        """Read them."""
        found = await read_all(names.bootstrap, names.topics, names.partitions)
        topics = [stream.topic for stream in names.streams]
        uncommitted = await read_all(names.bootstrap, topics, names.partitions, isolation="read_uncommitted")
        return cls(names, catalogues, found, uncommitted)

    def of(self, topic: str, partition: int, found: Records | None = None) -> list[Any]:
        """Return the records of one partition."""
        return (self.found if found is None else found)[TopicPartition(topic, partition)]

    async def check(self, observed: Records | None = None) -> Counted:
        """Check everything. Raises Violated."""
        names, counted = self.names, Counted(0, 0, 0, 0)
        client = connect(names.redis_url)
        try:
            for partition in range(names.partitions):
                meta = await self._meta(client, partition)
                counted = await self._check(partition, int(meta["offset"]), client, observed, counted)
        finally:
            await client.aclose()
        return counted

    async def _check(
        self, partition: int, offset: int, client: Any, observed: Records | None, counted: Counted
    ) -> Counted:
        names = self.names
        records = self.of(names.events, partition)
        left = [record for record in records if record.offset >= offset]
        for record in left:
            # a worker that stops may leave its own last tick
            if b'"segue.tick"' not in (record.value or b""):
                raise Violated(f"Q0 partition {partition}: record {record.offset} is not applied, meta is at {offset}")
        model = expected(records[: len(records) - len(left)], self.catalogues, names.generation)
        check_progress(f"partition {partition}", model, [one.value for one in self.of(names.progress, partition)])
        for stream in names.streams:
            self._check_stream(stream, partition, model, observed)
        self._check_dead_letters(partition, model, {record.offset: record for record in records})
        await self._check_members(partition, model, client)
        moved = len(model.changes) - len(model.of())
        return Counted(
            counted.records + len(records),
            counted.events + model.events,
            counted.changes + len(model.changes) - moved,
            counted.refused + len(model.refused),
            counted.activations + moved,
        )

    def _check_stream(self, stream: Stream, partition: int, model: Partition, observed: Records | None) -> None:
        where = f"partition {partition} {stream.channel}".rstrip()
        values = [record.value for record in self.of(stream.topic, partition)]
        check_sequences(values)
        check_payloads([record.value for record in self.of(stream.topic, partition, self.uncommitted)])
        compare(where, model.of(stream.channel), values)
        if observed is not None:
            seen = [record.value for record in self.of(stream.topic, partition, observed)]
            compare(where, model.of(stream.channel), seen)
        changes = [change for change in model.changes if change.channel == stream.channel]
        standing: dict[bytes, bytes] = {}
        for record in self.of(stream.current, partition):
            if record.value is None:
                standing.pop(record.key, None)
            else:
                standing[record.key] = record.value
        check_standing(where, changes, standing)

    def _check_dead_letters(self, partition: int, model: Partition, records: Mapping[int, Any]) -> None:
        found = []
        for letter in self.of(self.names.dead_letters, partition):
            headers = dict(letter.headers)
            offset = int(headers["segue_offset"])
            found.append((offset, headers["segue_reason"].decode()))
            origin = records[offset]
            if letter.key != origin.key or letter.value != origin.value:
                raise Violated(f"Q0 partition {partition}: the dead letter of record {offset} is not as it was read")
        if found != model.refused:
            wrong = next(
                pair for pair in zip([*found, None], [*model.refused, None], strict=False) if pair[0] != pair[1]
            )
            raise Violated(f"Q0 partition {partition}: dead letter {wrong[0]}, expected {wrong[1]}")

    async def _check_members(self, partition: int, model: Partition, client: Any) -> None:
        found: dict[str, set[str]] = {}
        pattern = re.compile(rb".*\}:m:(.*)")
        async for key in client.scan_iter(match=self._glob(partition, "m:*"), count=1_000):
            matched = pattern.fullmatch(key)
            assert matched is not None
            found[matched[1].decode()] = {member.decode() for member in await client.smembers(key)}
        wanted = model.members()
        if found != wanted:
            wrong = [name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)]
            raise Violated(f"S0 partition {partition}: the member sets of {sorted(wrong)} differ in Redis")
        profiles = {
            key.decode().partition("}:p:")[2]
            async for key in client.scan_iter(match=self._glob(partition, "p:*"), count=1_000)
        }
        if profiles != model.profiles.keys():
            raise Violated(
                f"S0 partition {partition}: {len(profiles)} profiles in Redis, {len(model.profiles)} expected"
            )

    def _glob(self, partition: int, rest: str) -> str:
        return f"{self.names.prefix}:{{{partition}.*}}:{rest}"

    async def _meta(self, client: Any, partition: int) -> dict[str, str]:
        async for key in client.scan_iter(match=self._glob(partition, "meta"), count=1_000):
            return {name.decode(): value.decode() for name, value in (await client.hgetall(key)).items()}
        raise Violated(f"S0 partition {partition} has no meta")


def connect(url: str) -> Any:
    """Connect to a store; to all nodes of a cluster where the address names several."""
    access = RedisConnection.at(url)
    if len(access.nodes) == 1:
        return redis.asyncio.Redis.from_url(url)
    nodes = [redis.asyncio.cluster.ClusterNode(node.host, node.port) for node in access.nodes]
    return redis.asyncio.RedisCluster(startup_nodes=nodes)

"""Judge a run from outside: input, output and dead letters from offset 0, what Redis holds, and the concurrent reader.

    L0  every expected change is there           D0  none is there twice
    O0  each profile's sequence is 1, 2, 3 …     C0  no change id ever has two payloads, aborted ones included
    S0  member sets, standing memberships and standing activations are the expected ones
    Q0  every input record is applied or dead-lettered, once
    E0  every effect of a link or an erasure stands in its target's partition once, in order, and nothing else does
    P0  nobody is anywhere under two names of one person (`one_person`)

Each holds for the memberships and for every channel; `promises` says what O0 means across topics.

Shares no code with the engine: it uses aiokafka, redis and `model`. Errors name offsets and ids of made-up events.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import redis.asyncio
from aiokafka import TopicPartition

from streams.store.access import RedisConnection
from tests.faults.catalogues import CHANNELS, Rules
from tests.faults.effects import check_effects, missing_effects
from tests.faults.loosely import firmly
from tests.faults.model import Early, Partition, Post
from tests.faults.one_person import check_one_person, links_of
from tests.faults.promises import (
    Violated,
    check_payloads,
    check_profiles,
    check_progress,
    check_sequences,
    check_standing,
    compare,
)
from tests.faults.reading import Records, read_all
from tests.faults.scenes import Forgotten, scenes_of

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
    keyed: bool = False
    """Whether workers have an erasure key: Redis names what stays of the erased by hashes."""
    loose: frozenset[str] = frozenset()
    """Segments and activations that are judged by the end (`loosely`)."""

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
    effects: int = 0
    """Records that one profile's records brought to another."""
    merged: int = 0
    """Entries that a link brought to another name of the person."""


def expected(records: Sequence[Any], catalogues: Sequence[Rules], generation: str = GENERATION) -> Partition:
    """Apply a partition's records to the model; it has no effects of others."""
    model = Partition(catalogues, generation)
    for record in records:
        model.apply(record)
    return model


def advance(models: Sequence[Partition], records: Sequence[Sequence[Any]], applied: list[int]) -> None:
    """Apply what was read of each partition to its model, as far as the causes of effects were read, too.

    `applied`: how many records of each are applied; it grows.
    """
    moved = True
    while moved:
        moved = False
        for partition, model in enumerate(models):
            with contextlib.suppress(Early):
                for record in records[partition][applied[partition] :]:
                    model.apply(record)
                    applied[partition] += 1
                    moved = True


def models_of(names: Names, catalogues: Sequence[Rules]) -> list[Partition]:
    """Return a model for each partition. They know what the others send."""
    post = Post()
    return [Partition(catalogues, names.generation, post) for _ in range(names.partitions)]


class Follower:
    """Tells what is still missing while a deployment runs, from the records that the concurrent reader has so far."""

    def __init__(self, names: Names, catalogues: Sequence[Rules]) -> None:
        """`catalogues` may grow, and so may the records that were read."""
        self._names = names
        self._models = models_of(names, catalogues)
        self._applied = [0] * names.partitions

    def behind(self, found: Records, horizon_ms: int) -> str:
        """Return what is missing, or due before the horizon; "": nothing. Raises Violated: waiting cannot mend it."""
        records = [found[TopicPartition(self._names.events, n)] for n in range(self._names.partitions)]
        advance(self._models, records, self._applied)
        for partition, model in enumerate(self._models):
            if self._applied[partition] < len(records[partition]):
                return f"partition {partition}: the cause of an effect is not read yet"
            due = model.next_due()
            if due is not None and due < horizon_ms:
                return f"partition {partition}: something is due at {due}, and the input ends at {model.clock_ms}"
            for stream in self._names.streams:
                loose = self._names.loose
                values = firmly([record.value for record in found[TopicPartition(stream.topic, partition)]], loose)
                wanted = firmly(model.of(stream.channel), loose)
                if values != wanted:
                    if values[: len(wanted)] == wanted and len(set(values)) == len(values):
                        # the reader may have come further in the output than in the input
                        return f"partition {partition}: {stream.topic} has more than the input that was read makes"
                    if values != wanted[: len(values)]:
                        compare(f"partition {partition} {stream.channel}".rstrip(), wanted, values)
                    return f"partition {partition}: {len(values)} of {len(wanted)} changes are in {stream.topic}"
        return missing_effects(self._models)


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

    def scenes(self, forgotten: Sequence[Forgotten] = ()) -> Counter[str]:
        """Count what came of links and what crossed them (`scenes`)."""
        names, every = self.names, range(self.names.partitions)
        inputs = [self.of(names.events, partition) for partition in every]
        return scenes_of(inputs, [self.of(names.progress, partition) for partition in every], forgotten)

    async def check(self, observed: Records | None = None) -> Counted:
        """Check everything. Raises Violated."""
        names, counted = self.names, Counted(0, 0, 0, 0)
        client = connect(names.redis_url)
        try:
            ends = [int((await self._meta(client, n))["offset"]) for n in range(names.partitions)]
            models = self._models(ends)
            check_effects(models)
            for partition, model in enumerate(models):
                counted = await self._check(partition, model, client, observed, counted)
        finally:
            await client.aclose()
        return replace(counted, merged=self._check_persons())

    def _check_persons(self) -> int:
        names, every = self.names, range(self.names.partitions)
        anew = any(rules.anew for rules in self.catalogues)  # the catalogues of a run have one policy
        links = links_of([self.of(names.events, partition) for partition in every], anew=anew)
        topics = {stream.topic: [self.of(stream.topic, n) for n in every] for stream in names.streams}
        return check_one_person(links, topics) if links else 0

    def _models(self, ends: Sequence[int]) -> list[Partition]:
        """Apply all that was applied. `ends`: by partition, the offset that the state in Redis stands at."""
        names = self.names
        models = models_of(names, self.catalogues)
        records = []
        for partition, end in enumerate(ends):
            every = self.of(names.events, partition)
            records.append([record for record in every if record.offset < end])
            for record in every[len(records[-1]) :]:
                # a worker that stops may leave its own last tick
                if b'"segue.tick"' not in (record.value or b""):
                    raise Violated(f"Q0 partition {partition}: record {record.offset} is not applied, meta is at {end}")
        applied = [0] * names.partitions
        advance(models, records, applied)
        for partition, count in enumerate(applied):
            if count < len(records[partition]):
                raise Violated(
                    f"E0 partition {partition}: no cause of the effect at {records[partition][count].offset}"
                )
        return models

    async def _check(
        self, partition: int, model: Partition, client: Any, observed: Records | None, counted: Counted
    ) -> Counted:
        names = self.names
        records = self.of(names.events, partition)
        progress = [one.value for one in self.of(names.progress, partition)]
        if not names.loose:
            check_progress(f"partition {partition}", model.digests(), progress)
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
            counted.effects + len(model.effects),
        )

    def _check_stream(self, stream: Stream, partition: int, model: Partition, observed: Records | None) -> None:
        where = f"partition {partition} {stream.channel}".rstrip()
        values = [record.value for record in self.of(stream.topic, partition)]
        check_sequences(values)
        check_payloads([record.value for record in self.of(stream.topic, partition, self.uncommitted)])
        loose = self.names.loose
        wanted = firmly(model.of(stream.channel), loose)
        compare(where, wanted, firmly(values, loose))
        if observed is not None:
            seen = [record.value for record in self.of(stream.topic, partition, observed)]
            compare(where, wanted, firmly(seen, loose))
        changes = [change for change in model.changes if change.channel == stream.channel]
        standing: dict[bytes, bytes] = {}
        for record in self.of(stream.current, partition):
            if record.value is None:
                standing.pop(record.key, None)
            else:
                standing[record.key] = record.value
        check_standing(where, changes, standing, loose)

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
        hidden = {key async for key in client.scan_iter(match=self._glob(partition, "e:*"), count=1_000)}
        check_profiles(partition, model, profiles, len(hidden), keyed=self.names.keyed)

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

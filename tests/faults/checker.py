"""Judge a run from outside: input, output and dead letters from offset 0, what Redis holds, and the concurrent reader.

    L0  every expected change is there          D0  none is there twice
    O0  each profile's sequence is 1, 2, 3 …     C0  no change id ever has two payloads, aborted ones included
    S0  member sets and standing memberships are the expected ones
    Q0  every input record is applied or dead-lettered, once

Shares no code with the engine: aiokafka, redis and `model`. Errors name offsets and ids of these made-up events.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import redis.asyncio
from aiokafka import TopicPartition

from tests.faults.model import Partition, Rules
from tests.faults.reading import Records, read_all

GENERATION: Final = "g1"


class Violated(AssertionError):
    """A promise is broken; the text begins with its letter."""


@dataclass(frozen=True)
class Names:
    """Where a deployment is, for a reader."""

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
    def topics(self) -> tuple[str, ...]:
        """What is read."""
        return (self.events, self.membership, self.current, self.dead_letters)


@dataclass(frozen=True)
class Counted:
    """What a run came to."""

    records: int
    events: int
    changes: int
    refused: int


def expected(records: Sequence[Any], catalogues: Sequence[Rules], generation: str = GENERATION) -> Partition:
    """Apply a partition's records to the model."""
    model = Partition(catalogues, generation)
    for record in records:
        model.apply(record)
    return model


def compare(partition: int, model: Partition, values: Sequence[bytes]) -> None:
    """L0, D0, O0 of one partition: the published changes are the expected ones, to the byte and in their order."""
    wanted = [change.value for change in model.changes]
    if values == wanted:
        return
    counted = Counter(values)
    repeated = [value for value, times in counted.items() if times > 1]
    if repeated:
        raise Violated(f"D0 partition {partition}: {len(repeated)} changes are there twice, first {_say(repeated[0])}")
    missing = set(wanted) - counted.keys()
    extra = counted.keys() - set(wanted)
    if missing or extra:
        first = next((n for n, pair in enumerate(zip(values, wanted, strict=False)) if pair[0] != pair[1]), -1)
        here = values[first] if 0 <= first < len(values) else None
        there = wanted[first] if 0 <= first < len(wanted) else next(iter(missing), None)
        raise Violated(
            f"L0 partition {partition}: {len(missing)} changes missing, {len(extra)} not expected;"
            f" first at {first}: found {_say(here)}, expected {_say(there)}"
        )
    where = next(n for n, pair in enumerate(zip(values, wanted, strict=True)) if pair[0] != pair[1])
    raise Violated(
        f"O0 partition {partition}: order differs at {where}: {_say(values[where])} before {_say(wanted[where])}"
    )


def check_sequences(values: Sequence[bytes]) -> None:
    """O0 by itself: each profile's sequence is 1, 2, 3 … in order."""
    last: Counter[str] = Counter()
    for change in map(json.loads, values):
        last[change["profile"]] += 1
        if change["sequence"] != last[change["profile"]]:
            raise Violated(f"O0 {change['id']} came where {last[change['profile']]} was expected")


def check_payloads(values: Sequence[bytes]) -> None:
    """C0: no id has two payloads."""
    seen: dict[str, bytes] = {}
    for value in values:
        id_ = json.loads(value)["id"]
        if seen.setdefault(id_, value) != value:
            raise Violated(f"C0 {id_} has two payloads: {_say(seen[id_])} and {_say(value)}")


def _say(value: bytes | None) -> str:
    return "nothing" if value is None else value.decode()[:260]


class Outcome:
    """Everything read of a deployment that stands still."""

    def __init__(self, names: Names, catalogues: Sequence[Rules], found: Records, uncommitted: Records) -> None:
        self.names = names
        self.catalogues = catalogues
        self.found = found
        self.uncommitted = uncommitted

    @classmethod
    async def read(cls, names: Names, catalogues: Sequence[Rules]) -> "Outcome":
        """Read it."""
        found = await read_all(names.bootstrap, names.topics, names.partitions)
        uncommitted = await read_all(
            names.bootstrap, [names.membership], names.partitions, isolation="read_uncommitted"
        )
        return cls(names, catalogues, found, uncommitted)

    def of(self, topic: str, partition: int, found: Records | None = None) -> list[Any]:
        """The records of one partition."""
        return (self.found if found is None else found)[TopicPartition(topic, partition)]

    async def check(self, observed: Records | None = None) -> Counted:
        """Check everything. Raises Violated."""
        names, counted = self.names, Counted(0, 0, 0, 0)
        client = redis.asyncio.Redis.from_url(names.redis_url)
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
        values = [record.value for record in self.of(names.membership, partition)]
        check_sequences(values)
        check_payloads([record.value for record in self.of(names.membership, partition, self.uncommitted)])
        compare(partition, model, values)
        if observed is not None:
            seen = [record.value for record in self.of(names.membership, partition, observed)]
            compare(partition, model, seen)
        self._check_dead_letters(partition, model, {record.offset: record for record in records})
        self._check_current(partition, model)
        await self._check_members(partition, model, client)
        return Counted(
            counted.records + len(records),
            counted.events + model.events,
            counted.changes + len(values),
            counted.refused + len(model.refused),
        )

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

    def _check_current(self, partition: int, model: Partition) -> None:
        standing: dict[bytes, bytes] = {}
        for record in self.of(self.names.current, partition):
            if record.value is None:
                standing.pop(record.key, None)
            else:
                standing[record.key] = record.value
        wanted: dict[bytes, bytes] = {}
        for change in model.changes:
            key = f"{change.subject}|{change.segment}".encode()
            if change.entered:
                wanted[key] = change.value
            else:
                wanted.pop(key, None)
        if standing != wanted:
            wrong = {key for key in standing.keys() | wanted.keys() if standing.get(key) != wanted.get(key)}
            raise Violated(f"S0 partition {partition}: {len(wrong)} standing memberships differ, as {min(wrong)!r}")

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

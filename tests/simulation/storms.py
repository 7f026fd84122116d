"""Workers over the models under everything at once: kills, reassignments, lost or late replies, rollbacks, cuts, fills.

The real `Worker` runs with the models in place of Kafka, Faust and Redis, under the catalogues of the fault runs. It
writes memberships and channels to their topics. Each seed is one run. In every run, a read_committed reader must get
exactly the changes that the checker's own model makes of the records, in some runs those that the naive evaluator
makes of them, and progress records must tell their one order.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from unittest.mock import patch

from rules.ground.partitioning import partition_of
from streams.errors import Unanswered
from streams.operations.filling.histories import histories
from streams.partition import shared
from streams.records import Stored
from streams.settings import Deployment, Settings
from streams.wire.maker import RecordMaker
from streams.worker.worker import Worker
from tests.faults.catalogues import BASE, CHANNELS, OFTEN, SECOND, THIRD, VISITS
from tests.faults.model import EXPECTED_HEADER, Partition
from tests.faults.promises import check_progress, check_standing, compare
from tests.faults.scenes import Forgotten
from tests.faults.traffic import CONTACTS, TYPES
from tests.models.broker import Broker
from tests.models.log import Lost, MemoryLog, Network
from tests.models.store import MemoryStore, Request
from tests.rules.catalogues import load
from tests.simulation.judging import expected, readable
from tests.streams.world import CURRENT, DEAD, EVENTS, OUT, OWNERS, PROGRESS, START_MS, MemoryInput, World

T = TypeVar("T")
PARTITIONS = 2

CATALOGUES = (BASE, VISITS, SECOND, OFTEN, THIRD)
"""A segment whose history must be filled in comes with the second, goes with the third, and comes back with another."""
LOADED = tuple(load(rules.files()) for rules in CATALOGUES)
READABLE = tuple(readable(rules) for rules in CATALOGUES)
STREAMS = {"": (OUT, CURRENT)} | {name: (f"activation.{name}", f"activation.{name}.current") for name in CHANNELS}
"""The output topics of the memberships and of each channel: (changes, current state)."""
HISTORIC = (b"i-visits", b"j-often")
"""The segments that nobody enters with `backfill` but at the end of a fill."""
NAIVE_EVERY = 256
"""The naive evaluator judges the seeds that are a multiple of this, which are storms."""
FEW, FEW_EVERY = 6, 3
"""In one of so many seeds so few profiles may be unwritten, in memories that keep no more."""
SHARES = {**TYPES, "unknown.type": 2}


DEPLOYMENT = Deployment(
    partitions=PARTITIONS,
    events_topic=EVENTS,
    dead_letter_topic=DEAD,
    membership_topic=OUT,
    current_topic=CURRENT,
    progress_topic=PROGRESS,
    owners_topic=OWNERS,
    catalogues_topic="catalogues",
)
WIRE = RecordMaker(DEPLOYMENT, "n")
HISTORY_BYTES_MAX = 3_000
"""Small, so that most histories come in several records."""


@dataclass(frozen=True)
class Judged:
    """A record of the input in the form that the model takes."""

    offset: int
    timestamp: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def judged(partition: int, record: Stored) -> Judged:
    """Mark a record for the model as refused when its type is unknown or its partition is wrong."""
    wrong = record.key is not None and partition_of(record.key, PARTITIONS) != partition
    refused = wrong or b"unknown.type" in (record.value or b"")
    return Judged(record.offset, record.timestamp_ms, record.value, [(EXPECTED_HEADER, b"refused")] if refused else [])


class Sky(World):
    """A world on a loop without a clock: one of its turns ends when no task has work left."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        topics = (EVENTS, DEAD, OWNERS, PROGRESS, *(topic for stream in STREAMS.values() for topic in stream))
        self.broker = Broker(dict.fromkeys(topics, partitions), START_MS)

    async def _quiet(self) -> None:
        await asyncio.sleep(1)


class Storm(Network):
    """A network that loses a share `bad` of requests and replies."""

    def __init__(self, world: World, rng: random.Random) -> None:
        super().__init__(world.broker)
        self.rng = rng
        self.bad = 0.0

    async def call(self, name: str, request: Callable[[], T]) -> T:
        for _ in range(self.rng.randrange(3)):
            await asyncio.sleep(0)
        if name != "fetch" and self.rng.random() < self.bad:
            if self.rng.random() < 0.5:
                request()
            raise Lost(name)
        return request()

    async def pause(self, name: str, attempt: int) -> None:
        await super().pause(name, attempt)
        for id_ in self.broker.open_transactions():
            if attempt > 50:
                self.broker.time_out(id_)


class Process:
    """One worker process of the simulation."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        every, cached, unpublished = rng.choice([10, 200, 1_000]), rng.choice([0, 10, 1_000]), rng.choice([100, 5_000])
        settings = Settings(
            ring_size=2,
            bad_input_share_max=1.0,
            checkpoint_every_ms=every,
            profiles_cached_max=cached,
            unpublished_records_max=unpublished,
            # not drawn: what is drawn after it would be another run
            changes_per_transaction_max=1 if (cached, unpublished) == (0, 100) else 1_000,
        )
        self.input = MemoryInput(world, rng.choice([1, 7, 100]))
        world.inputs.append(self.input)
        self.worker = Worker(
            DEPLOYMENT,
            settings,
            clock=world.clock,
            log_=MemoryLog(world.network, patience=200),
            input_=self.input,
            store=lambda partition: MemoryStore(world.server, partition),
        )
        # catalogues come from the world, not from a topic
        self.worker._catalogues._loaded = world.catalogues  # noqa: SLF001

    @property
    def owned(self) -> set[int]:
        return set(self.worker.holding.runners)

    async def give(self, partitions: set[int]) -> None:
        await self.worker.on_assigned(frozenset(partitions))

    async def revoke(self) -> None:
        """Release the partitions in order, however long it takes."""
        leaving = asyncio.ensure_future(self.worker.on_revoked(frozenset(self.owned)))
        await self.world.until(leaving.done)
        leaving.result()

    async def kill(self) -> None:
        self.world.inputs.remove(self.input)
        tasks = {held.tending for held in self.worker.holding._held.values() if held.tending is not None}  # noqa: SLF001
        if self.worker._sessions.current is not None:  # noqa: SLF001
            tasks.add(self.worker._sessions.current.publishing)  # noqa: SLF001
            self.worker._sessions.current = None  # noqa: SLF001
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Run:
    """One run of two processes over two partitions, by its seed."""

    loaded = LOADED
    """The catalogues that cuts put into force, in order."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.bad_store = 0.0
        self.cuts = 1
        self.forgotten: list[Forgotten] = []
        """What Redis forgot when it went back."""
        self.processes: list[Process] = []

    async def begin(self) -> "Run":
        self.world: World = await Sky(PARTITIONS).create()
        self.storm = self.world.network = Storm(self.world, self.rng)
        self.world.server.carry = self.carry
        for partition in range(PARTITIONS):
            self.world.cut(self.loaded[0], partition)
        self.processes = [Process(self.world, self.rng), Process(self.world, self.rng)]
        await self.deal({0})
        return self

    async def carry(self, partition: int, method: str, request: Request) -> object:
        await asyncio.sleep(0)
        if self.rng.random() < self.bad_store:
            if self.rng.random() < 0.5:
                request()
            raise Unanswered("lost")
        return request()

    async def deal(self, first: set[int]) -> None:
        await self.processes[0].give(first)
        await self.processes[1].give(set(range(PARTITIONS)) - first)

    def traffic(self) -> None:
        rng, world = self.rng, self.world
        for _ in range(rng.randrange(5, 60)):
            world.advance(rng.choice([0, 1, 50, 2_000]))
            type_ = rng.choices(list(SHARES), list(SHARES.values()))[0]
            data = CONTACTS[type_](rng) if type_ in CONTACTS else {}
            if type_ == "portal.login":
                data = {"tier": rng.choice(["gold", "silver", ""])}
            subject = f"hcp:{rng.randrange(12)}"
            partition = partition_of(subject.encode(), PARTITIONS)
            world.send(subject, type_, rng.randrange(PARTITIONS) if rng.random() < 0.05 else partition, data)

    def weather(self, *, fair: bool = False) -> None:
        self.storm.bad = 0.0 if fair else self.rng.choice([0.0, 0.0, 0.02, 0.1])
        self.bad_store = 0.0 if fair else self.rng.choice([0.0, 0.0, 0.05, 0.3])

    async def kill(self) -> None:
        n = self.rng.randrange(2)
        owned = self.processes[n].owned
        await self.processes[n].kill()
        self.processes[n] = Process(self.world, self.rng)
        await self.processes[n].give(owned)

    async def rebalance(self) -> None:
        for process in self.processes:
            await process.revoke()
        await self.deal(set(self.rng.sample(range(PARTITIONS), self.rng.randrange(PARTITIONS + 1))))

    async def zombie(self) -> None:
        """Give a partition to another worker; the old owner does not hear of it."""
        thief = Process(self.world, self.rng)
        await thief.give({self.rng.randrange(PARTITIONS)})
        await self.world.pass_time(self.rng.choice([5, 500, 5_000]))
        await thief.revoke()
        await thief.kill()
        await self.rebalance()

    async def roll_back(self) -> None:
        partition = self.rng.randrange(PARTITIONS)
        contents = self.world.server.history[partition]
        whole = [n for n, content in enumerate(contents) if content.meta is not None]
        before = self.world.meta(partition).offset
        self.world.server.roll_back(partition, self.rng.choice(whole[-10:]))
        self.forgotten.append(Forgotten(partition, self.world.meta(partition).offset, before))

    async def cut(self) -> None:
        if self.cuts < len(self.loaded):
            for partition in range(PARTITIONS):
                self.world.cut(self.loaded[self.cuts], partition)
            self.cuts += 1

    async def fill(self, *, fair: bool = False) -> None:
        """Bring the history of a cut, as `segue fill` does; sometimes it dies half-way, and the end is not told.

        `fair`: it does not die.
        """
        for partition in range(PARTITIONS):
            records = self.world.broker.fetch(EVENTS, partition, 0)[0]
            cuts = [
                record for record in records if record.key is None and b'"segue.catalogue"' in (record.value or b"")
            ]
            stamps = [record.timestamp_ms for record in cuts]
            later = [record for record in cuts[1:] if stamps.count(record.timestamp_ms) == 1]
            if later:
                cut = self.rng.choice(later)
                self._fill(partition, cut, [record for record in records if record.offset < cut.offset], fair)

    def _fill(self, partition: int, cut: Stored, before: Sequence[Stored], fair: bool) -> None:
        past: dict[bytes, list[bytes]] = {}
        for record in before:
            if (
                record.key is not None
                and b'"segue.' not in (record.value or b"")
                and not judged(partition, record).headers
            ):
                past.setdefault(record.key, []).append(record.value or b"")
        dies = not fair and self.rng.random() < 0.3
        for key, texts in past.items():
            for brought in histories(WIRE, partition, cut.timestamp_ms, key, texts, (), HISTORY_BYTES_MAX):
                if not dies or self.rng.random() < 0.5:
                    self.world.broker.append(brought)
                    self.meanwhile()
        if not dies:
            self.world.broker.append(WIRE.filled(partition, cut.timestamp_ms, None))

    def meanwhile(self) -> None:
        """Do what comes between two records of history."""

    async def nothing(self) -> None:
        pass

    def settled(self) -> bool:
        known = {p: one for process in self.processes for p, one in process.worker.status.partitions.items()}
        return all(known[p].state == "running" and known[p].written_offset >= self.end(p) for p in range(PARTITIONS))

    def end(self, partition: int) -> int:
        return self.world.broker.fetch(EVENTS, partition, 0)[0][-1].offset + 1


def check(world: World, partition: int, *, naively: bool) -> None:
    """Compare the output of a partition: each topic, and the order across topics that progress tells.

    `naively`: the naive evaluator says what is right; it takes twenty times as long as the checker's own model.
    """
    records = world.broker.fetch(EVENTS, partition, 0)[0]
    wanted = expected(partition, PARTITIONS, records, READABLE) if naively else modelled(partition, records)
    where = f"partition {partition}"
    for channel, (topic, current) in STREAMS.items():
        compare(f"{where} {channel}", wanted.of(channel), world.out(topic, partition))
        latest = {record.key or b"": record.value for record in world.broker.fetch(current, partition, 0)[0]}
        standing = {key: value for key, value in latest.items() if value is not None}
        check_standing(f"{where} {channel}", [one for one in wanted.changes if one.channel == channel], standing)
    assert len(world.out(DEAD, partition)) == len(wanted.refused), f"Q0 {where}"
    check_progress(where, wanted.digests(), world.out(PROGRESS, partition))


def modelled(partition: int, records: Sequence[Stored]) -> Partition:
    """Apply the records of a partition to the checker's own model."""
    model = Partition(CATALOGUES)
    for record in records:
        model.apply(judged(partition, record))
    return model


async def storm(seed: int) -> Counter[str]:
    """Run one seed to its end; return how often each kind of event came.

    Raises AssertionError when a law does not hold, or nothing moves any more.
    """
    with patch.object(shared, "UNWRITTEN_MIN", FEW if seed % FEW_EVERY == 0 else shared.UNWRITTEN_MIN):
        return await _storm(seed)


async def _storm(seed: int) -> Counter[str]:
    run = await Run(seed).begin()
    events = (run.kill, run.rebalance, run.zombie, run.roll_back, run.cut, run.fill, run.nothing)
    came: Counter[str] = Counter()
    for _ in range(14):
        run.weather()
        run.traffic()
        await run.world.pass_time(run.rng.choice([0, 5, 300, 4_000]))
        event = run.rng.choice(events)
        came[event.__name__] += 1
        await event()
    run.weather(fair=True)
    run.traffic()
    await run.world.until(run.settled, 600_000)
    for partition in range(PARTITIONS):
        check(run.world, partition, naively=seed % NAIVE_EVERY == 0)
        entered = [each for each in run.world.out(OUT, partition) if b'"backfill":true' in each]
        came["entered by a fill"] += sum(b'"segment":"%b"' % name in each for each in entered for name in HISTORIC)
    for process in run.processes:
        assert not process.worker.status.failure
        assert not any(one.incident for one in process.worker.status.partitions.values())
        await process.revoke()
        await process.kill()
    for partition in range(PARTITIONS):
        assert run.world.meta(partition).offset == run.end(partition)
    return came

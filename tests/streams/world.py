"""A small world for partition runners: models of log and store, an input over that log, and a clock moved by hand."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.engine.activations.change import ActivationChange
from rules.engine.change import AnyChange
from rules.engine.outcome import Withdrawal, whole
from rules.engine.partition import Partition
from rules.engine.persons.effects import Effect
from rules.engine.record import Record
from rules.ground.digest import DIGEST_START
from rules.ground.partitioning import partition_of
from streams.errors import Incident
from streams.intake.bad_input import BadInputLimits
from streams.intake.decoding import decoder_of
from streams.intake.input import BatchQueue, InputOffsets
from streams.log.terms import Ring
from streams.partition.outgoing import TransactionPace
from streams.partition.points import UNOBSERVED, OnPoint
from streams.partition.publisher import Publisher
from streams.partition.runner import PartitionRunner, TenureEnd
from streams.partition.shared import PartitionLimits, PartitionShared
from streams.partition.status import PartitionStatus
from streams.records import Fetched, OutRecord
from streams.settings import Deployment
from streams.store.terms import Meta, Token
from tests.models.broker import Broker
from tests.models.log import MemoryLog, Network
from tests.models.store import MemoryServer, MemoryStore
from tests.rules.catalogues import load

START_MS = 1_772_373_600_000
"""2026-03-01T14:00:00Z."""
EVENTS, OUT, CURRENT, DEAD, OWNERS, PROGRESS = "events", "membership", "current", "dlt", "owners", "progress"
HIDDEN, HIDDEN_CURRENT = "hidden", "hidden-current"
"""The topics of restricted segments."""
TOPICS = (EVENTS, OUT, CURRENT, HIDDEN, HIDDEN_CURRENT, DEAD, OWNERS, PROGRESS)
TICK = json.dumps({"specversion": "1.0", "id": "tick", "source": "/segue", "type": "segue.tick"}).encode()

DICTIONARY = """\
traits: {country: {type: string}}
events:
  portal.login: {data: {topic: {type: string}, country: {type: string}}, sets: {country: country}}
  portal.left: {}
"""


def catalogue(*segments: str, hidden: bool = False, events: str = "") -> Catalogue:
    """Load a catalogue of segments, each `name|rest of the file`. `hidden`: membership that looks at the country is.

    `events`: lines of the dictionary that declare more event types.
    """
    files = {"dictionary.yaml": DICTIONARY + events}
    if hidden:
        files["dictionary.yaml"] = files["dictionary.yaml"].replace(
            "{type: string}", "{type: string, restricted: place}", 1
        )
        files["policy.yaml"] = "restrictions: {place: {membership: restricted}}\n"
    for text in segments:
        name, _, rest = text.partition("|")
        files[f"segments/{name}.yaml"] = f"segment: {name}\nversion: 1\nstatus: approved\n{rest}\n"
    return load(files)


async def first_of(*works: Coroutine[Any, Any, object]) -> None:
    """Wait until one of these is done, and cancel the others."""
    waiting = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


class ManualClock:
    """Time that moves only when the world moves it."""

    def __init__(self) -> None:
        self.ms = float(START_MS)
        self._timers: list[tuple[float, asyncio.Event]] = []

    def wall_ms(self) -> int:
        return int(self.ms)

    def now_ms(self) -> float:
        return self.ms

    async def sleep(self, length_ms: float) -> None:
        timer = (self.ms + max(0.0, length_ms), asyncio.Event())
        self._timers.append(timer)
        try:
            await timer[1].wait()
        finally:
            self._timers.remove(timer)

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        await first_of(event.wait(), self.sleep(length_ms))

    def advance_to(self, ms: float) -> None:
        self.ms = max(self.ms, ms)
        for due, event in self._timers:
            if due <= self.ms:
                event.set()

    def next_timer(self) -> float | None:
        return min((due for due, event in self._timers if not event.is_set()), default=None)


@dataclass(frozen=True, slots=True)
class Read:
    """A record as a fetch brings it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_type: int = 1


class MemoryInput:
    """The input over the model's log. `pump` delivers what is there, in batches of `size`."""

    def __init__(self, world: "World", size: int = 1_000) -> None:
        self.world = world
        self.size = size
        self.position: dict[int, int] = {}
        self.held: set[int] = set()
        self.queues: dict[int, BatchQueue] = {}

    async def open(self, partition: int, offset: int, queue: BatchQueue) -> None:
        self.position[partition] = offset
        self.queues[partition] = queue
        self.held.discard(partition)

    def shut(self, partition: int) -> None:
        self.position.pop(partition, None)

    def hold(self, partition: int) -> None:
        self.held.add(partition)

    def resume(self, partition: int) -> None:
        self.held.discard(partition)

    def offsets(self, partition: int) -> InputOffsets:
        return InputOffsets(
            self.position.get(partition), self.world.broker.watermarks(EVENTS, partition)[1], self.world.clock.wall_ms()
        )

    def pump(self) -> bool:
        moved = False
        for partition in list(self.position):
            if partition in self.held:
                continue
            before = self.position[partition]
            found, after = self.world.broker.fetch(EVENTS, partition, before, self.size)
            self.position[partition] = after
            moved |= after != before
            if found:
                self.queues[partition].put([Read(r.offset, r.timestamp_ms, r.key, r.value) for r in found])
        return moved


@dataclass(frozen=True)
class PlainWire:
    """Makes the plainest records of the output."""

    partitions: int

    def change_records(self, partition: int, change: AnyChange) -> Sequence[OutRecord]:
        key = change.subject.encode()
        name, stands = (
            (change.activation, change.activated)
            if isinstance(change, ActivationChange)
            else (change.segment, change.entered)
        )
        current = change.value if stands else None
        hidden = not isinstance(change, ActivationChange) and change.restricted
        return [
            OutRecord(HIDDEN if hidden else OUT, partition, key, change.value),
            OutRecord(HIDDEN_CURRENT if hidden else CURRENT, partition, key + b"|" + name.encode(), current),
        ]

    def withdrawal(self, partition: int, withdrawal: Withdrawal) -> OutRecord:
        topic = HIDDEN_CURRENT if withdrawal.was_restricted else CURRENT
        return OutRecord(topic, partition, f"{withdrawal.subject}|{withdrawal.segment}".encode(), None)

    def effect(self, effect: Effect) -> OutRecord:
        key = effect.subject.encode()
        return OutRecord(EVENTS, partition_of(key, self.partitions), key, effect.value)

    def dead_letter(self, partition: int, record: Fetched, code: str, place: str = "") -> OutRecord:
        return OutRecord(DEAD, partition, record.key, record.value, (("reason", code.encode()),))

    def tick(self, partition: int) -> OutRecord:
        return OutRecord(EVENTS, partition, None, TICK)


@dataclass
class Worker:
    """One incarnation of a worker: its ring, publisher, input and runners."""

    world: "World"
    limits: PartitionLimits = field(default_factory=PartitionLimits)
    on_point: OnPoint = UNOBSERVED
    batch: int = 1_000
    status: dict[int, PartitionStatus] = field(default_factory=dict)
    bad_input: BadInputLimits = field(default_factory=BadInputLimits)
    pace: TransactionPace = field(
        default_factory=lambda: TransactionPace(quiet_ms=5_000, linger_max_ms=0, linger_behind_ms=0)
    )

    async def start(self, *partitions: int) -> "Worker":
        world = self.world
        self.log = MemoryLog(world.network)
        self.input = MemoryInput(world, self.batch)
        world.inputs.append(self.input)
        self.ring: Ring = await self.log.open_ring(2)
        self.publisher = Publisher(
            self.ring,
            "g1",
            PROGRESS,
            self._on_doubt,
            self.pace,
            world.clock,
        )
        self.publishing = asyncio.ensure_future(self.publisher.run())
        shared = PartitionShared(
            self.log,
            self.input,
            PlainWire(world.deployment.partitions),
            world.deployment,
            world.clock,
            self.bad_input,
            world.catalogue,
            self.limits,
            self.on_point,
            held=lambda: len(self.runners),
        )
        self.runners: dict[int, PartitionRunner] = {}
        self.tasks: dict[int, asyncio.Task[TenureEnd]] = {}
        for partition in partitions:
            self.status[partition] = PartitionStatus(partition)
            runner = PartitionRunner(partition, MemoryStore(world.server, partition), shared, self.status[partition])
            self.runners[partition] = runner
            self.tasks[partition] = asyncio.ensure_future(runner.run(self.publisher, self.ring))
        return self

    def _on_doubt(self, error: BaseException) -> None:
        for runner in self.runners.values():
            runner.on_doubt(error)

    def applied(self, partition: int = 0) -> int:
        return self.status[partition].applied_offset

    async def release(self) -> list[TenureEnd]:
        for runner in self.runners.values():
            runner.release()
        await self.world.until(lambda: all(task.done() for task in self.tasks.values()))
        return [task.result() for task in self.tasks.values()]

    async def kill(self) -> None:
        """End at once and finish nothing."""
        self.world.inputs.remove(self.input)
        tasks = [*self.tasks.values(), self.publishing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class World:
    """Broker, store server, clock, catalogues."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = partitions
        self.deployment = Deployment(
            generation="g1",
            partitions=partitions,
            events_topic=EVENTS,
            owners_topic=OWNERS,
            progress_topic=PROGRESS,
        )
        self.clock = ManualClock()
        self.broker = Broker(dict.fromkeys(TOPICS, partitions), START_MS)
        self.network = Network(self.broker)
        self.server = MemoryServer()
        self.inputs: list[MemoryInput] = []
        self.catalogues: dict[str, Catalogue] = {}
        self.events = 0

    async def create(self) -> "World":
        for partition in range(self.partitions):
            meta = Meta("g1", Token(-1, 0), 0, -1, "", self.partitions, DIGEST_START, -1)
            assert await MemoryStore(self.server, partition).create(meta)
        return self

    async def catalogue(self, digest: str) -> Catalogue:
        if digest not in self.catalogues:
            raise Incident(f"catalogue {digest} is nowhere")
        return self.catalogues[digest]

    def advance(self, length_ms: float) -> None:
        self.clock.advance_to(self.clock.ms + length_ms)
        self.broker.now_ms = int(self.clock.ms)

    async def until(self, done: Callable[[], bool], limit_ms: float = 8_000_000) -> None:
        """Let every task run, and move the clock from timer to timer, until `done`."""
        end, idle = self.clock.ms + limit_ms, 0
        while True:
            await self._quiet()
            self.broker.settle()
            moved = False
            for one in self.inputs:
                moved |= one.pump()
            if done():
                return
            timer = self.clock.next_timer()
            idle = 0 if moved or timer is not None else idle + 1
            if moved or 0 < idle < 200:
                # a task may be asking the broker again and again
                continue
            assert timer is not None, "nothing will ever happen"
            assert timer < end, "it took too long"
            self.clock.advance_to(timer)
            self.broker.now_ms = int(self.clock.ms)

    async def _quiet(self) -> None:
        """Let every task run as far as it can."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def pass_time(self, length_ms: float) -> None:
        end = self.clock.ms + length_ms
        await self.until(lambda: self.clock.ms >= end or (self.clock.next_timer() or end) >= end)
        self.clock.advance_to(end)
        self.broker.now_ms = int(self.clock.ms)

    def send(
        self, subject: str, type_: str = "portal.login", partition: int = 0, data: Mapping[str, str] | None = None
    ) -> int:
        """Append an event, stamped now."""
        self.events += 1
        event = {
            "specversion": "1.0",
            "id": f"e{self.events}",
            "source": "/test",
            "type": type_,
            "subject": subject,
            "time": self.broker.now_ms and _instant(self.broker.now_ms),
            "data": dict(data or {}),
        }
        return self.broker.append(OutRecord(EVENTS, partition, subject.encode(), json.dumps(event).encode()))

    def cut(self, found: Catalogue, partition: int = 0) -> int:
        """Append a catalogue record."""
        self.catalogues[found.hash] = found
        event = {
            "specversion": "1.0",
            "id": found.hash,
            "source": "/segue",
            "type": "segue.catalogue",
            "data": {"catalogue": found.hash},
        }
        return self.broker.append(OutRecord(EVENTS, partition, None, json.dumps(event).encode()))

    def end(self, partition: int = 0) -> int:
        return self.broker.watermarks(EVENTS, partition)[1]

    def out(self, topic: str = OUT, partition: int = 0) -> list[bytes]:
        """Return what a read_committed reader has got."""
        self.broker.settle()
        return [record.value or b"" for record in self.broker.fetch(topic, partition, 0)[0]]

    def expected(self, partition: int = 0) -> list[bytes]:
        """Return the changes that the engine makes of the input as it stands, with everything in memory."""
        engine = Partition("g1", decoder_of(partition, self.partitions), clock_ms=-1)
        for digest, found in self.catalogues.items():
            engine.give_catalogue(digest, found)
        changes: list[AnyChange] = []
        for record in self.broker.fetch(EVENTS, partition, 0)[0]:
            changes += whole(engine.feed(Record(record.offset, record.timestamp_ms, record.key, record.value))).changes
        return [change.value for change in changes]

    def meta(self, partition: int = 0) -> Meta:
        found = self.server.content(partition).meta
        assert found is not None
        return found


def changes_of(values: Iterable[bytes]) -> list[str]:
    """Return changes in short: subject, what, segment."""
    return [f"{c['profile']} {c['change']} {c['segment']}" for c in map(json.loads, values)]


def _instant(ms: int) -> str:
    from rules.ground.instants import format_instant

    return format_instant(ms)

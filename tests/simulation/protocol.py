"""Workers that claim, publish and checkpoint with the real code over the models, under a seeded scheduler of faults.

One process, one thread, no clock: everything takes turns of the event loop, and the seed decides how many. Record n
folds into profile n mod 2 (a rolling digest of its records) and makes one change. The change carries the state before
the record: a lost, stale or repeated state shows as a wrong change. `Oracle` says what must hold.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, TypeVar

from streams.errors import Doubt, Fenced, Gap, NotReachable, Unanswered
from streams.partition.claim import Claimed, Hooks, LaterClaimant, claim, hand_over, regain
from streams.partition.outgoing import PublishSlice, TransactionPace
from streams.partition.publisher import Publisher
from streams.records import OutRecord
from streams.settings import Deployment
from streams.store.terms import Checkpoint, Meta, Token
from streams.wire.progress import Progress
from tests.models.broker import Broker, Concurrent, Refused
from tests.models.log import Lost, MemoryLog, MemoryRing, Network
from tests.models.store import Carry, Content, MemoryServer, MemoryStore, Request
from tests.simulation.loop import TurnLoop
from tests.streams.world import first_of

T = TypeVar("T")
DIGEST_START: Final = "0" * 16
SUBJECTS: Final = ("even", "odd")
TURNS_MAX: Final = 120_000
"""A run that takes more turns of the loop is stuck. The longest run seen took a tenth."""


@dataclass(frozen=True, slots=True)
class Faults:
    """The rates of faults in a run. Shares are of requests."""

    moves: int = 0
    kills: int = 0
    rollbacks: int = 0
    lost: float = 0.0
    """Share of requests that are lost, lose their reply, arrive late, or arrive twice."""
    time_outs: float = 0.0
    """Share of the broker's idle looks at which it times an open transaction out."""
    stalls: float = 0.0
    """Share of requests before which the sender stands still for long; it goes on as a zombie."""


def roll(digest: str, offset: int) -> str:
    """Return the state after one more record."""
    return blake2b(f"{digest}{offset}".encode(), digest_size=8).hexdigest()


class World:
    """Broker, store, the group's assignment, and the seed."""

    def __init__(self, seed: int, faults: Faults, partitions: int, records: int, workers: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TurnLoop)
        self.loop = loop
        self.random = random.Random(seed)
        self.faults = faults
        self.records = records
        self.deployment = Deployment(
            generation="g1",
            partitions=partitions,
            events_topic="events",
            owners_topic="owners",
            progress_topic="progress",
        )
        self.broker = Broker(dict.fromkeys(("events", "owners", "progress", "out"), partitions))
        self.assigned = {partition: partition % workers for partition in range(partitions)}
        self.oracle = Oracle(self)
        self.server = WatchedServer(self.oracle, self.carry)
        self.late: set[asyncio.Task[None]] = set()
        self.calm = False
        """True: no more faults; all remaining work must now finish."""
        for partition in range(partitions):
            for n in range(records):
                self.broker.now_ms = 1_000 + n
                self.broker.append(OutRecord("events", partition, b"k", b"v"))

    async def create(self) -> None:
        """Create the state of every partition, as `segue topics` does."""
        self.calm = True
        for partition in self.assigned:
            meta = Meta("g1", Token(-1, 0), 0, -1, "", len(self.assigned), DIGEST_START, -1)
            await MemoryStore(self.server, partition).create(meta)
        self.calm = False

    async def turns(self, most: int) -> None:
        """Let other tasks run first, for a while that the seed decides."""
        some = int(self.random.random() * (most + 1))
        if some:
            await self.loop.rest(some)
        else:
            await asyncio.sleep(0)

    async def stall(self) -> None:
        """Sometimes stand still for long; the caller goes on as a zombie."""
        if not self.calm and self.random.random() < self.faults.stalls:
            await self.turns(2_000)

    def befalls(self) -> bool:
        """Tell whether a fault hits the next request."""
        return not self.calm and self.random.random() < self.faults.lost

    def deliver_late(self, request: Callable[[], object]) -> None:
        """Carry a request out some time later, even if its sender is dead by then."""

        async def later() -> None:
            await self.turns(self.random.choice((300, 300, 3_000)))
            with contextlib.suppress(Refused, Concurrent):
                request()

        task = asyncio.ensure_future(later())
        self.late.add(task)
        task.add_done_callback(self.late.discard)

    async def carry(self, partition: int, method: str, request: Request) -> object:
        """Carry a request to the store."""
        await self.turns(4)
        await self.stall()
        if self.befalls():
            match self.random.randrange(3):
                case 0:
                    request()
                case 1:
                    self.deliver_late(request)
            raise Unanswered(method)
        answer = request()
        await self.turns(4)
        return answer

    async def broker_by_itself(self) -> None:
        """At random: write single markers, time transactions out, compact."""
        while True:
            await self.turns(30)
            waiting = self.broker.markers()
            if waiting:
                self.broker.write_marker(*self.random.choice(waiting))
            opened = self.broker.open_transactions()
            if opened and self.random.random() < (0.02 if self.calm else self.faults.time_outs):
                self.broker.time_out(self.random.choice(opened))
            if self.random.random() < 0.05:
                self.broker.compact("owners", self.random.choice(list(self.assigned)))

    def roll_back(self) -> None:
        """Make the store go back to any earlier state except the empty one."""
        partition = self.random.choice(list(self.assigned))
        history = self.server.history[partition]
        if len(history) > 1:
            self.server.roll_back(partition, self.random.randrange(1, len(history)))


class Wires(Network):
    """One client's requests to the broker."""

    def __init__(self, world: World) -> None:
        super().__init__(world.broker)
        self._world = world

    async def call(self, name: str, request: Callable[[], T]) -> T:
        await self._world.turns(4)
        await self._world.stall()
        if self._world.befalls():
            match self._world.random.randrange(4):
                case 0:
                    request()
                case 1:
                    self._world.deliver_late(request)
                case 2:
                    request()
                    self._world.deliver_late(request)
            raise Lost(name)
        answer = request()
        await self._world.turns(4)
        return answer

    async def pause(self, name: str, attempt: int) -> None:
        await self._world.turns(30)


class Waits:
    """The publisher's clock: its time stands still, and every wait takes a few turns."""

    def __init__(self, world: World) -> None:
        self._world = world

    def wall_ms(self) -> int:
        return 0

    def now_ms(self) -> float:
        return 0.0

    async def sleep(self, length_ms: float) -> None:
        await self._world.turns(5)

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        await first_of(event.wait(), self.sleep(length_ms))


class Owner:
    """One worker's ownership of one partition, from the claim to its end."""

    def __init__(self, worker: "Worker", partition: int, claimed: Claimed, store: MemoryStore) -> None:
        self.worker, self.partition, self.claimed, self.store = worker, partition, claimed, store
        self.world = worker.world
        self.published = claimed.published
        self.releasing = False
        self.load(claimed.meta)

    def load(self, meta: Meta) -> None:
        """Begin (again) from a stored state. Profiles are read when they are needed."""
        self.meta = meta
        self.token = meta.token
        self.offset, self.digest = meta.offset, meta.digest
        self.profiles: dict[str, str] = {}
        self.boundaries: dict[int, tuple[dict[str, str], str]] = {}
        """After each record that is applied and not yet written: the profiles in memory, and the digest."""

    def on_published(self, progress: Progress) -> None:
        """Learn that changes are published."""
        self.published = progress

    @property
    def mine(self) -> bool:
        return self.worker.knows[self.partition]

    async def run(self) -> None:
        """Apply, publish and checkpoint until the group takes the partition away. Raises Fenced."""
        while True:
            await self.world.turns(40)
            try:
                if not self.mine and self.offset >= self.claimed.published.offset:
                    return await self.release()
                await self.step()
            except Gap:
                meta = await regain(
                    self.worker.log, self.store, self.claimed, self.published, self.world.deployment, self.worker.hooks
                )
                self.load(meta)

    async def step(self) -> None:
        """Apply one record, write a checkpoint, or check whether the store went back."""
        if self.offset < self.world.records and self.world.random.random() < 0.7:
            subject = SUBJECTS[self.offset % 2]
            if subject not in self.profiles:
                [blob] = await self.store.profiles([subject], [self.token])
                self.profiles[subject] = DIGEST_START if blob is None else blob.decode()
            self.apply(subject)
        elif self.writable_to() > self.meta.offset:
            await self.checkpoint(self.writable_to())
        elif self.world.random.random() < 0.2:
            await self.probe()

    def writable_to(self) -> int:
        """Return the offset that a checkpoint may reach: everything below it is published."""
        return min(self.published.offset, self.offset)

    async def probe(self) -> None:
        """Check whether the store went back. Raises Gap."""
        if await self.store.token() != self.token:
            raise Gap("idle")

    def apply(self, subject: str) -> None:
        """Fold the next record, and submit its change if it is not yet published."""
        offset = self.offset
        change = f"{offset}:{self.profiles[subject]}"
        self.profiles[subject] = roll(self.profiles[subject], offset)
        self.digest = roll(self.digest, hash_of(change))
        self.offset += 1
        self.boundaries[self.offset] = (dict(self.profiles), self.digest)
        if self.offset == self.claimed.published.offset:
            assert self.digest == self.claimed.published.digest, "the digest differs though the law holds"
        submitted = self.worker.submitted.get(self.partition, 0)
        if self.offset > max(self.claimed.published.offset, submitted):
            self.worker.submitted[self.partition] = self.offset
            record = OutRecord("out", self.partition, b"k", change.encode())
            slice_ = PublishSlice(self.offset, [record], 1_000 + offset, "", self.digest, 1)
            self.worker.publisher.submit(self.partition, slice_)

    async def checkpoint(self, upto: int) -> None:
        """Write the published state of touched profiles. Without an answer, repeat the same bytes and tokens."""
        profiles, digest = self.boundaries[upto]
        touched = {SUBJECTS[offset % 2] for offset in range(self.meta.offset, upto)}
        token = self.claimed.tokens.next()
        last_ms = 1_000 + upto - 1
        meta = replace(self.meta, token=token, offset=upto, digest=digest, clock_ms=last_ms, last_ms=last_ms)
        checkpoint = Checkpoint(self.token, meta, {subject: profiles[subject].encode() for subject in touched})
        while True:
            try:
                await self.store.write(checkpoint)
            except Unanswered:
                await self.world.turns(10)
            else:
                break
        self.meta, self.token = meta, token
        self.boundaries = {offset: entry for offset, entry in self.boundaries.items() if offset > upto}
        if upto == self.offset and self.world.random.random() < 0.5:
            self.profiles.clear()  # clean profiles may leave memory

    async def release(self) -> None:
        """Hand the partition over in order."""
        if not await self.worker.publisher.flush(self.partition):
            return
        if self.offset > self.meta.offset:
            await self.checkpoint(self.offset)
        if await self.worker.publisher.drop(self.partition):
            await hand_over(self.partition, self.worker.ring, self.world.deployment)


def hash_of(change: str) -> int:
    """Return a number for `roll`."""
    return int.from_bytes(blake2b(change.encode(), digest_size=6).digest(), "big")


class Worker:
    """One worker: a ring, a publisher, and the partitions that the group gives it."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.number = world, number
        self.log = MemoryLog(Wires(world))
        self.hooks = Hooks(self.wait)
        self.knows = dict.fromkeys(world.assigned, False)
        """The partitions that the group gave it, as far as it has learned."""
        self.news = asyncio.Event()
        """Set for a moment whenever the worker learns of a new assignment."""

    async def wait(self, attempt: int, fault: Exception) -> None:
        await self.world.turns(20)

    async def run(self) -> None:
        """Run for ever; open a new ring after every doubt."""
        while True:
            try:
                self.ring: MemoryRing = await self.log.open_ring(2)
            except NotReachable:
                await self.world.turns(20)
                continue
            self.owners: dict[int, Owner] = {}
            self.submitted: dict[int, int] = {}
            doubt = asyncio.Event()
            self.publisher = Publisher(
                self.ring,
                "g1",
                "progress",
                lambda error, doubt=doubt: doubt.set(),  # type: ignore[misc]
                TransactionPace(changes_max=3),
                Waits(self.world),
            )
            tasks = [asyncio.ensure_future(self.publisher.run()), asyncio.ensure_future(self.learn())]
            tasks += [asyncio.ensure_future(self.keep(partition)) for partition in self.world.assigned]
            try:
                await doubt.wait()
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                    raise result
            await self.ring.close()

    async def learn(self) -> None:
        """Hear from the group from time to time."""
        while True:
            for partition, number in self.world.assigned.items():
                self.knows[partition] = number == self.number
            self.news.set()
            self.news.clear()
            await self.world.turns(30 if self.world.calm else 600)

    async def keep(self, partition: int) -> None:
        """Own a partition whenever the group assigns it."""
        while True:
            await self.world.turns(20)
            if not self.knows[partition]:
                await self.news.wait()
                continue
            store = MemoryStore(self.world.server, partition)
            try:
                claimed = await claim(partition, self.log, self.ring, store, self.world.deployment, self.hooks)
                self.submitted[partition] = 0
                self.owners[partition] = owner = Owner(self, partition, claimed, store)
                self.publisher.begin(claimed, owner.on_published)
                await self.again(self.owners[partition].run)
            except (LaterClaimant, Fenced):
                pass
            except Doubt as error:
                self.publisher.doubt(error)
                return
            finally:
                self.owners.pop(partition, None)
            await self.publisher.drop(partition)

    async def again(self, run: Callable[[], Awaitable[None]]) -> None:
        """Repeat a run whose reads were not answered."""
        while True:
            try:
                return await run()
            except Unanswered:
                await self.world.turns(10)


class Oracle:
    """The laws of the output and the store in every state, written without the engine's code.

    Output: every committed prefix is exactly the expected changes. Store: the profiles are the fold of the records
    below `meta.offset`, and no checkpoint of a lower epoch replaces one of a higher epoch.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.expected: list[str] = []
        self.broken = ""
        """The law of the store that did not hold; "" if all held."""
        states = dict.fromkeys(SUBJECTS, DIGEST_START)
        self.folds = [dict(states)]
        """The profiles below each offset."""
        for n in range(world.records):
            subject = SUBJECTS[n % 2]
            self.expected.append(f"{n}:{states[subject]}")
            states[subject] = roll(states[subject], n)
            self.folds.append(dict(states))
        self.seen = dict.fromkeys(world.assigned, (0, 0))
        """For each partition of the output: the next offset to read, and the number of changes read."""

    def check(self) -> bool:
        """Check new output. Returns True when all changes are published and checkpointed."""
        assert not self.broken, self.broken
        done = True
        for partition, (position, count) in self.seen.items():
            records, position = self.world.broker.fetch("out", partition, position)
            found = [(record.value or b"").decode() for record in records]
            wanted = self.expected[count : count + len(found)]
            assert found == wanted, f"partition {partition}: {found} after {count} changes, not {wanted}"
            count += len(found)
            self.seen[partition] = position, count
            meta = self.world.server.content(partition).meta
            assert meta is not None
            done &= count == self.world.records and meta.offset == self.world.records
        return done

    def look(self, partition: int, before: Content, after: Content) -> None:
        """Check one write to the store."""
        if after.meta is None or before.meta is None or self.broken:
            return
        if after.meta.token.epoch < before.meta.token.epoch:
            self.broken = f"partition {partition}: {after.meta.token} was written over {before.meta.token}"
        found = {name: (after.profiles.get(name) or DIGEST_START.encode()).decode() for name in SUBJECTS}
        if found != self.folds[after.meta.offset]:
            self.broken = f"partition {partition}: the profiles are not those of the records below {after.meta.offset}"


class WatchedServer(MemoryServer):
    """A store that shows every write to the oracle."""

    def __init__(self, oracle: Oracle, carry: Carry) -> None:
        super().__init__(carry)
        self._oracle = oracle
        self._going_back = False

    def put(self, partition: int, content: Content) -> None:
        """Replace the content."""
        if not self._going_back:
            self._oracle.look(partition, self.content(partition), content)
        super().put(partition, content)

    def roll_back(self, partition: int, index: int) -> None:
        """Go back to an earlier content; this is not a write."""
        self._going_back = True
        super().roll_back(partition, index)
        self._going_back = False


async def simulate(seed: int, faults: Faults, partitions: int = 2, records: int = 20, workers: int = 2) -> None:
    """Run one seed to its end. Raises AssertionError when a law does not hold, or nothing moves any more."""
    world = World(seed, faults, partitions, records, workers)
    await world.create()
    oracle = world.oracle
    alive = [asyncio.ensure_future(Worker(world, number).run()) for number in range(workers)]
    broker = asyncio.ensure_future(world.broker_by_itself())
    plan = ["move"] * faults.moves + ["kill"] * faults.kills + ["roll back"] * faults.rollbacks
    world.random.shuffle(plan)
    turns, next_fault = 0, world.random.randrange(400)
    try:
        while not (oracle.check() and world.calm):
            await world.loop.rest(20)
            turns += 20
            assert turns < TURNS_MAX, f"seed {seed}: nothing moves any more"
            for task in alive:
                if task.done():
                    task.result()
            if turns < next_fault:
                continue
            # some faults come while the work that the last fault started is still under way
            next_fault = turns + world.random.randrange(20, world.random.choice((60, 600, 600)))
            if not plan:
                world.calm = True
                continue
            match plan.pop():
                case "move":
                    partition = world.random.choice(list(world.assigned))
                    world.assigned[partition] = world.random.randrange(workers)
                case "kill":
                    number = world.random.randrange(workers)
                    alive[number].cancel()
                    await asyncio.gather(alive[number], return_exceptions=True)
                    alive[number] = asyncio.ensure_future(Worker(world, number).run())
                case _:
                    world.roll_back()
    finally:
        tasks = [*alive, broker, *world.late]
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""A runner over the models of log and store: under every fault, its output depends on the records alone."""

import asyncio
import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from rules.engine import partition as engine
from rules.ground.partitioning import partition_of
from streams.errors import Unanswered
from streams.intake.inbox import RECORDS_LOW
from streams.partition import applier, shared
from streams.partition.outgoing import PublishSlice, TransactionPace
from streams.partition.publisher import Publisher
from streams.partition.runner import TenureEnd
from streams.partition.shared import PartitionLimits
from streams.partition.tenure import CHUNK, Tenure
from streams.records import OutRecord
from streams.store.terms import CHECKPOINT_BYTES_MAX, Checkpoint, Token
from tests.models.log import Lost, Network
from tests.models.store import MemoryStore, Request
from tests.streams.world import (
    CURRENT,
    DEAD,
    EVENTS,
    HIDDEN,
    HIDDEN_CURRENT,
    OUT,
    OWNERS,
    Worker,
    World,
    catalogue,
    changes_of,
)

T = TypeVar("T")
VISITORS = "visitors|enter: {event: portal.login, count: {at_least: 2}, within: 1h}"
"""In with two logins within an hour; out, without an event, when one of them has left the window."""
FOREVER_IN = "known|enter: {everyone: true}"


async def world_with(*segments: str, partitions: int = 1) -> World:
    world = await World(partitions).create()
    for partition in range(partitions):
        world.cut(catalogue(*segments), partition)
    return world


def traffic(world: World, people: int = 20, rounds: int = 3) -> None:
    for n in range(people * rounds):
        world.advance(1_000)
        world.send(f"hcp:{n * 7 % people}")


async def test_changes_come_out_once_and_in_the_order_of_the_records() -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    traffic(world)
    worker = await Worker(world).start(0)
    await world.until(lambda: worker.applied() >= world.end() and worker.status[0].written_offset >= 60)
    assert world.out() == world.expected()
    assert len(world.out()) == 40
    assert await worker.release() == [TenureEnd.RELEASED]
    assert world.meta().offset == worker.applied()
    content = world.server.content(0)
    assert content.members["visitors"] == {f"hcp:{n}" for n in range(20)}
    assert len(content.profiles) == len(content.wakes) == 20


async def test_a_released_partition_is_hidden_by_a_tombstone_and_needs_no_fence() -> None:
    world = await world_with(VISITORS)
    first = await Worker(world).start(0)
    await world.until(lambda: first.status[0].state == "running")
    assert await first.release() == [TenureEnd.RELEASED]
    second = await Worker(world).start(0)
    await world.until(lambda: second.status[0].state == "running")
    assert not first.ring.over
    # the first owner was never fenced: it can still publish
    await first.ring.transaction([OutRecord(OWNERS, 0, b"x", None)])


async def test_an_exit_with_no_event_comes_by_a_tick_and_there_is_no_storm_of_ticks() -> None:
    world = await world_with(VISITORS)
    world.send("hcp:1")
    world.advance(60_000)
    world.send("hcp:1")
    worker = await Worker(world).start(0)
    await world.until(lambda: len(world.out()) == 2)
    assert changes_of(world.out()) == ["hcp:1 entered visitors", "hcp:1 exited visitors"]
    assert world.out() == world.expected()
    exited = json.loads(world.out()[1])
    assert exited["effective_at"] == "2026-03-01T15:00:00.000Z"
    await world.pass_time(600_000)
    assert worker.status[0].ticks == 1
    await worker.release()


async def test_a_worker_that_is_behind_expires_nothing_early() -> None:
    world = await world_with(VISITORS)
    world.send("hcp:1")
    world.send("hcp:1")
    world.advance(24 * 3_600_000)
    worker = await Worker(world).start(0)
    await world.until(lambda: len(world.out()) == 2)
    assert json.loads(world.out()[1])["effective_at"] == "2026-03-01T15:00:00.000Z"
    await worker.release()


@pytest.mark.parametrize(
    "point", ["submitted", "published", "slice", "checkpoint", "checkpointed", "step", "cut", "claim"]
)
@pytest.mark.parametrize("nth", [1, 3])
async def test_a_worker_killed_anywhere_is_replaced_and_nothing_is_lost_or_repeated(point: str, nth: int) -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    traffic(world)
    countdown = nth
    dead = asyncio.Event()

    def on_point(name: str) -> None:
        nonlocal countdown
        if name == point:
            countdown -= 1
            if not countdown:
                dead.set()
                raise asyncio.CancelledError

    first = await Worker(world, PartitionLimits(checkpoint_every_ms=10), on_point, batch=7).start(0)
    await world.until(lambda: dead.is_set() or first.applied() >= world.end())
    await first.kill()
    traffic(world)
    second = await Worker(world, batch=5).start(0)
    await world.until(lambda: second.applied() >= world.end())
    await world.until(lambda: world.out() == world.expected(), 60_000)
    assert await second.release() == [TenureEnd.RELEASED]
    assert world.meta().offset == world.end()


async def test_after_a_rollback_of_the_store_the_same_is_computed_again_silently() -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    traffic(world)
    worker = await Worker(world, PartitionLimits(checkpoint_every_ms=10), batch=5).start(0)
    await world.until(lambda: worker.status[0].written_offset >= 30)
    before = len(world.server.history[0])
    world.server.roll_back(0, before // 2)
    traffic(world)
    await world.until(lambda: worker.applied() >= world.end() and worker.status[0].gaps == 1)
    await world.until(lambda: world.out() == world.expected())
    assert worker.status[0].state == "running"
    assert await worker.release() == [TenureEnd.RELEASED]
    profiles = world.server.content(0).profiles
    # and a fresh computation gives the same state
    fresh = await world_with(VISITORS, FOREVER_IN)
    for record in world.broker.fetch(EVENTS, 0, 1)[0]:
        fresh.broker.now_ms = record.timestamp_ms
        fresh.broker.append(OutRecord(EVENTS, 0, record.key, record.value))
    fresh.clock.advance_to(world.clock.ms)
    again = await Worker(fresh).start(0)
    await fresh.until(lambda: again.applied() >= world.end())
    await again.release()
    assert fresh.server.content(0).profiles == profiles


async def test_an_idle_owner_notices_a_rollback_by_its_token() -> None:
    world = await world_with(FOREVER_IN)
    world.send("hcp:1")
    worker = await Worker(world, PartitionLimits(checkpoint_every_ms=10)).start(0)
    await world.until(lambda: worker.status[0].written_offset == 2)
    written = [n for n, content in enumerate(world.server.history[0]) if content.meta is not None]
    world.server.roll_back(0, written[0])
    await world.until(lambda: worker.status[0].gaps == 1 and worker.status[0].written_offset == 2, 60_000)
    assert len(world.out()) == 1
    await worker.release()


async def test_a_higher_epoch_in_the_store_ends_the_tenure_without_a_trace() -> None:
    world = await world_with(FOREVER_IN)
    worker = await Worker(world, PartitionLimits(checkpoint_every_ms=10)).start(0)
    await world.until(lambda: worker.status[0].written_offset == 1)
    await MemoryStore(world.server, 0).raise_epoch(Token(1_000, 0))
    world.send("hcp:1")
    await world.until(worker.tasks[0].done)
    assert worker.tasks[0].result() is TenureEnd.OVERTAKEN
    assert world.meta().token == Token(1_000, 0)


async def test_a_checkpoint_without_an_answer_is_sent_again_with_the_same_bytes() -> None:
    world = await world_with(FOREVER_IN)
    sent: list[int] = []

    async def carry(partition: int, method: str, request: Request) -> object:
        answer = request()
        if method == "write":
            sent.append(len(world.server.history[0]))
            if len(sent) <= 2:
                raise Unanswered("lost")
        return answer

    world.server.carry = carry
    world.send("hcp:1")
    worker = await Worker(world, PartitionLimits(checkpoint_every_ms=10)).start(0)
    await world.until(lambda: worker.status[0].written_offset == 2)
    assert len(sent) == 3
    assert len(set(sent)) == 1, "the first was applied, the others changed nothing"
    await worker.release()


def written_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collect the total length of the profiles in each checkpoint."""
    found: list[int] = []
    write = MemoryStore.write

    async def watched(self: MemoryStore, checkpoint: Checkpoint) -> None:
        found.append(sum(len(blob or b"") for blob in checkpoint.profiles.values()))
        await write(self, checkpoint)

    monkeypatch.setattr(MemoryStore, "write", watched)
    return found


async def test_no_checkpoint_is_longer_than_a_store_should_take(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await world_with(FOREVER_IN)
    # each profile gets two events, so every profile is already long before its second one
    for n in range(600):
        world.send(f"hcp:{n % 300}", data={"country": f"{n}".ljust(200_000, "x")})
    written = written_bytes(monkeypatch)
    # time never triggers a checkpoint here: only the length can end a slice
    worker = await Worker(world, PartitionLimits(checkpoint_every_ms=1_000_000)).start(0)
    await world.until(lambda: worker.applied() >= world.end())
    assert await worker.release() == [TenureEnd.RELEASED]
    assert sum(written) > 2 * CHECKPOINT_BYTES_MAX
    assert max(written) <= CHECKPOINT_BYTES_MAX
    assert world.meta().offset == world.end()


async def test_the_visits_of_a_cut_make_no_checkpoint_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    # every record passes 20 visits: a chunk of 200 records would touch every profile
    monkeypatch.setattr(engine, "PUBLISHING_WAKES_MAX", 20)
    world = await world_with(FOREVER_IN)
    for n in range(300):
        world.send(f"hcp:{n}", data={"country": "x".ljust(200_000)})
    # time never triggers a checkpoint here: only the length can end a slice
    worker = await Worker(world, PartitionLimits(checkpoint_every_ms=1_000_000)).start(0)
    await world.until(lambda: worker.applied() >= world.end())
    written = written_bytes(monkeypatch)
    world.cut(catalogue(FOREVER_IN, "later|enter: {trait: country, exists: true}"))
    for n in range(30):
        world.advance(1_000)
        world.send(f"hcp:new-{n}")
    await world.until(lambda: worker.applied() >= world.end())
    assert await worker.release() == [TenureEnd.RELEASED]
    assert sum(written) > CHECKPOINT_BYTES_MAX
    assert max(written) <= CHECKPOINT_BYTES_MAX
    assert world.meta().offset == world.end()


class Slow(Network):
    """A network on which an EndTxn takes its time."""

    def __init__(self, world: World, length_ms: float) -> None:
        super().__init__(world.broker)
        self._clock, self._length_ms = world.clock, length_ms
        world.network = self

    async def call(self, name: str, request: Callable[[], T]) -> T:
        if name == "end":
            await self._clock.sleep(self._length_ms)
        return await super().call(name, request)


class Delayed:
    """Carries requests to the store; a write takes its time."""

    def __init__(self, world: World, length_ms: float) -> None:
        self._clock, self._length_ms = world.clock, length_ms

    async def __call__(self, partition: int, name: str, request: Request) -> object:
        if name == "write":
            await self._clock.sleep(self._length_ms)
        return request()


class Stuck(Network):
    """A network on which an EndTxn may have to wait."""

    def __init__(self, world: World) -> None:
        super().__init__(world.broker)
        self.free = asyncio.Event()
        self.free.set()
        world.network = self

    async def call(self, name: str, request: Callable[[], T]) -> T:
        if name == "end":
            await self.free.wait()
        return await super().call(name, request)


async def test_what_was_replayed_is_written_even_if_nothing_more_can_be_published() -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    network = Stuck(world)
    traffic(world)
    first = await Worker(world).start(0)
    await world.until(lambda: first.status[0].published_offset >= world.end())
    published = first.status[0].published_offset
    await first.kill()
    world.server.roll_back(0, next(n for n, one in enumerate(world.server.history[0]) if one.meta is not None))
    traffic(world)

    def on_point(point: str) -> None:
        if point == "take_up":
            # from here on, no change of this worker can be published
            network.free.clear()

    # all of the input in one batch
    second = await Worker(world, PartitionLimits(checkpoint_every_ms=10), on_point).start(0)
    await world.until(lambda: second.status[0].written_offset > 0)
    await world.pass_time(500)
    assert second.status[0].state == "running"
    assert second.status[0].published_offset == published
    assert world.meta().offset == published, "the next claimant would have to replay it all again"
    network.free.set()
    await world.until(lambda: world.out() == world.expected())
    await second.release()


async def test_nothing_more_is_applied_while_a_transaction_is_slow() -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    network = Stuck(world)
    worker = await Worker(world).start(0)
    await world.until(lambda: worker.applied() >= world.end())
    network.free.clear()
    traffic(world, rounds=1)
    await world.until(lambda: worker.applied() >= world.end())
    await world.pass_time(2_000)
    before = worker.applied()
    traffic(world, rounds=1)
    await world.pass_time(3_000)
    assert worker.applied() == before
    network.free.set()
    await world.until(lambda: worker.applied() >= world.end() and world.out() == world.expected())
    await worker.release()


@pytest.mark.parametrize(("limit", "ever"), [(50_000, True), (100, False)])
async def test_a_slice_says_whether_many_records_still_wait(
    monkeypatch: pytest.MonkeyPatch, limit: int, ever: bool
) -> None:
    """But not if what waits to be published will soon let nothing more be applied."""
    submitted: list[tuple[int, bool]] = []
    submit = Publisher.submit

    def noted(self: Publisher, partition: int, slice_: PublishSlice) -> None:
        submitted.append((slice_.upto_offset, slice_.behind))
        submit(self, partition, slice_)

    monkeypatch.setattr(Publisher, "submit", noted)
    world = await world_with(FOREVER_IN)
    traffic(world, people=2_500, rounds=1)
    worker = await Worker(world, PartitionLimits(unpublished_records_max=limit), batch=3_000).start(0)
    await world.until(lambda: world.out() == world.expected())
    behind = {upto for upto, behind in submitted if behind}
    assert bool(behind) is ever
    assert all(world.end() - upto >= RECORDS_LOW - CHUNK for upto in behind)
    assert not submitted[-1][1]
    await worker.release()


async def test_what_many_changes_bring_waits_in_the_log_and_not_in_memory() -> None:
    """Each record brings a change, ten go into a transaction, and two full transactions may wait."""
    world = await world_with(FOREVER_IN)
    network = Stuck(world)
    pace = TransactionPace(changes_max=10, slow_ms=10**9, linger_max_ms=0, linger_behind_ms=0, waiting_max=2)
    worker = await Worker(world, PartitionLimits(changes_per_transaction_max=10), pace=pace).start(0)
    await world.until(lambda: worker.applied() >= world.end())
    network.free.clear()
    traffic(world, people=60, rounds=1)
    await world.pass_time(60_000)
    # one transaction is on its way, and half of a transaction is submitted at a time
    assert 10 < worker.applied() <= 1 + 10 + 2 * 10 + 5 < world.end()
    network.free.set()
    await world.until(lambda: worker.applied() >= world.end() and world.out() == world.expected())
    await worker.release()


async def test_nor_does_a_chunk_go_on_that_gave_the_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applier, "TURN_MS", -1)  # a turn every eight records
    world = await world_with(FOREVER_IN)
    network = Stuck(world)
    pace = TransactionPace(changes_max=10, slow_ms=10**9, linger_max_ms=0, linger_behind_ms=0, waiting_max=2)
    worker = await Worker(world, pace=pace).start(0)
    await world.until(lambda: worker.applied() >= world.end())
    network.free.clear()
    traffic(world, people=120, rounds=1)
    await world.pass_time(60_000)
    assert 10 < worker.applied() <= 1 + 10 + 2 * 10 + 2 * 8 < world.end()
    network.free.set()
    await world.until(lambda: worker.applied() >= world.end() and world.out() == world.expected())
    assert worker.status[0].events == world.end()
    await worker.release()


async def test_while_the_store_is_away_no_more_profiles_are_touched_than_memory_is_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "UNWRITTEN_MIN", 10)
    world = await world_with(FOREVER_IN)
    away = True

    async def carry(partition: int, name: str, request: Request) -> object:
        if away and name == "write":
            raise Unanswered("away")
        return request()

    world.server.carry = carry
    # slices are not taken by time here: without those that are taken sooner nobody would go on
    worker = await Worker(world, PartitionLimits(10**9, profiles_cached_max=5), batch=1).start(0)
    traffic(world, people=100, rounds=1)
    await world.pass_time(120_000)
    assert 10 <= worker.applied() <= 15
    away = False
    await world.until(lambda: worker.applied() >= world.end() and world.out() == world.expected())
    await worker.release()
    assert world.meta().offset == world.end()


async def test_a_partition_of_which_little_waits_does_not_wait_for_one_of_which_much_does() -> None:
    world = await world_with(*(f"s{n}|enter: {{everyone: true}}" for n in range(20)), partitions=2)
    Slow(world, 30)
    world.server.carry = Delayed(world, 20)
    people = [[f"hcp:{n}" for n in range(800) if partition_of(f"hcp:{n}".encode(), 2) == p] for p in (0, 1)]
    limits = PartitionLimits(changes_per_transaction_max=100)
    worker = await Worker(world, limits, pace=TransactionPace(changes_max=100)).start(0, 1)
    await world.until(lambda: all(worker.status[p].state == "running" for p in (0, 1)))
    for subject in people[0]:
        world.send(subject, partition=0)
    behind, slowest_ms = world.end(0), 0.0
    while worker.status[0].published_offset < behind:
        at, sent_ms = world.send(people[1][0], partition=1), world.clock.ms
        await world.until(lambda at=at: worker.applied(1) > at)  # type: ignore[misc]
        slowest_ms = max(slowest_ms, world.clock.ms - sent_ms)
        await world.pass_time(50)
    assert slowest_ms <= 100
    await worker.release()


async def test_what_is_touched_without_a_record_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cut at the end of the log: the visits of erased profiles are read, and no record comes that they belong to."""
    monkeypatch.setattr(shared, "UNWRITTEN_MIN", 10)
    world = await world_with(VISITORS)
    for type_ in ("portal.login", "privacy.erased"):
        for n in range(30):
            world.send(f"hcp:{n}", type_)
        world.advance(1_000)
    limits = PartitionLimits(profiles_cached_max=0)
    first = await Worker(world, limits).start(0)
    await world.until(lambda: first.status[0].written_offset >= world.end() - 1)
    await world.pass_time(20_000)
    await first.release()
    second = await Worker(world, limits).start(0)
    world.cut(catalogue(VISITORS.replace("2", "3")))
    await world.pass_time(5_000)
    for _ in range(5):
        world.send("hcp:new")
    await world.until(lambda: second.applied() >= world.end(), 10_000)
    await second.release()


async def test_a_cut_at_the_end_of_the_log_does_not_bring_every_profile_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The owner looks when the next wake is due: it is the first visit, and a page tells it."""
    monkeypatch.setattr(shared, "UNWRITTEN_MIN", 600)
    world = await world_with(VISITORS)
    for n in range(5_000):
        world.send(f"hcp:{n}")
    worker = await Worker(world, PartitionLimits(10, profiles_cached_max=0)).start(0)
    await world.until(lambda: worker.status[0].written_offset >= world.end())
    most = 0

    def note() -> bool:
        nonlocal most
        most = max(most, worker.status[0].profiles)
        return worker.status[0].ticks >= 5 and worker.status[0].written_offset >= world.end()

    world.cut(catalogue(VISITORS.replace("2", "3")))
    await world.until(note)
    assert 1_000 <= most < 3_000, "a record passes 1,000 visits, and one more page is read"
    await worker.release()


async def test_while_a_checkpoint_is_not_answered_nobody_looks_each_millisecond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await world_with(VISITORS)
    unanswered = asyncio.Event()

    async def carry(partition: int, name: str, request: Request) -> object:
        if name == "write":
            await unanswered.wait()
        return request()

    world.server.carry = carry
    worker = await Worker(world).start(0)
    world.send("hcp:1")
    await world.pass_time(5_000)
    looks = 0
    idle = Tenure._idle  # noqa: SLF001

    async def counted(self: Tenure) -> float:
        nonlocal looks
        looks += 1
        return await idle(self)

    monkeypatch.setattr(Tenure, "_idle", counted)
    await world.pass_time(10_000)
    assert 10 <= looks <= 40
    unanswered.set()
    await world.until(lambda: worker.status[0].written_offset == world.end())
    await worker.release()


async def test_one_record_that_touches_more_than_may_be_unwritten_stands_no_longer_than_it_takes_to_write() -> None:
    world = await world_with(VISITORS)
    people = 6_000
    for n in range(people):
        world.send(f"hcp:{n}")
    worker = await Worker(world, PartitionLimits(profiles_cached_max=0)).start(0)
    await world.until(lambda: worker.status[0].written_offset >= world.end())
    # a cut that changes nobody visits everybody
    world.cut(catalogue(VISITORS.replace("2", "3")))
    world.advance(10)
    began_ms = world.clock.ms
    for _ in range(people // 1_000 + 2):
        world.send("hcp:1")
    await world.until(lambda: worker.applied() >= world.end())
    assert world.clock.ms - began_ms <= 600, "a portion of 100 each 5 ms, and no wait for quiet progress"
    await worker.release()


async def test_the_partitions_of_a_worker_share_what_it_keeps_in_memory() -> None:
    world = await world_with(FOREVER_IN, partitions=2)
    for n in range(100):
        world.send(f"hcp:{n}", partition=partition_of(f"hcp:{n}".encode(), 2))
    limits = PartitionLimits(100, profiles_cached_max=30)
    one = await Worker(world, limits).start(0)
    await world.until(lambda: one.status[0].written_offset == world.end())
    assert one.status[0].profiles == 30
    await one.release()
    both = await Worker(world, limits).start(0, 1)
    for n in range(100):
        world.send(f"hcp:{n}", partition=partition_of(f"hcp:{n}".encode(), 2))
    await world.until(lambda: all(both.status[p].written_offset == world.end(p) for p in (0, 1)))
    assert [both.status[p].profiles for p in (0, 1)] == [15, 15]
    await both.release()


class Away(Network):
    """Nobody can read until an instant: every read waits for its deadline in vain."""

    def __init__(self, world: World) -> None:
        super().__init__(world.broker)
        self.clock = world.clock
        self.until_ms = world.clock.ms + 300_000

    async def call(self, name: str, request: Callable[[], T]) -> T:
        if name in ("watermarks", "fetch") and self.clock.ms < self.until_ms:
            await self.clock.sleep(15_000)
            raise Lost
        return await super().call(name, request)


async def test_a_claim_that_waits_says_for_what_and_less_and_less_often(caplog: pytest.LogCaptureFixture) -> None:
    world = await world_with(VISITORS)
    world.network = away = Away(world)
    began_ms = world.clock.ms
    worker = await Worker(world).start(0)
    await world.until(lambda: worker.status[0].waiting_for != "")
    assert world.clock.ms - began_ms < 20_000
    await world.until(lambda: world.clock.ms >= away.until_ms - 60_000)
    assert worker.status[0].state == "claiming"
    assert "NotReachable" in worker.status[0].waiting_for
    await world.until(lambda: worker.status[0].state == "running")
    assert worker.status[0].waiting_for == ""
    said = [record.getMessage() for record in caplog.records if "its claim waits" in record.getMessage()]
    assert 3 <= len(said) <= 6
    assert "partition 0: its claim waits, for 15 s now: NotReachable" in said[0]


async def test_a_second_claimant_fences_the_first_which_goes_without_a_trace() -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    traffic(world)
    first = await Worker(world, batch=5).start(0)
    await world.until(lambda: first.applied() > 20)
    second = await Worker(world, batch=5).start(0)
    await world.until(lambda: second.status[0].state == "running")
    traffic(world)
    await world.until(lambda: first.tasks[0].done() and second.applied() >= world.end())
    assert first.tasks[0].result() in (TenureEnd.DOUBT, TenureEnd.OVERTAKEN)
    await world.until(lambda: world.out() == world.expected())
    await second.release()


@pytest.mark.parametrize("cached", [0, 3, 1_000])
@pytest.mark.parametrize("batch", [1, 7, 1_000])
async def test_memory_and_batching_change_nothing(cached: int, batch: int) -> None:
    world = await world_with(VISITORS, FOREVER_IN)
    traffic(world)
    worker = await Worker(world, PartitionLimits(10, 500, profiles_cached_max=cached), batch=batch).start(0)
    await world.until(lambda: worker.applied() >= world.end())
    world.advance(3_600_000)
    traffic(world)
    await world.until(lambda: worker.applied() >= world.end())
    await world.until(lambda: world.out() == world.expected())
    await worker.release()


async def test_a_cut_visits_every_profile_also_those_that_are_not_in_memory() -> None:
    world = await world_with(VISITORS)
    for n in range(1_200):
        world.send(f"hcp:{n}")
    worker = await Worker(world, PartitionLimits(10, 50_000, profiles_cached_max=0)).start(0)
    await world.until(lambda: worker.status[0].written_offset == world.end())
    await world.pass_time(5_000)
    world.cut(catalogue(FOREVER_IN))
    world.advance(10)
    world.send("hcp:77")
    await world.until(lambda: len(world.out()) == 1_200)
    assert world.out() == world.expected()
    assert await worker.release() == [TenureEnd.RELEASED]
    second = await Worker(world).start(0)
    await world.until(lambda: second.status[0].state == "running")
    world.send("hcp:78")
    await world.until(lambda: second.applied() >= world.end())
    assert world.out() == world.expected()
    assert world.server.content(0).members["known"] == {f"hcp:{n}" for n in range(1_200)}
    await second.release()


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
async def test_a_worker_killed_while_it_visits_is_replaced(nth: int) -> None:
    world = await world_with(VISITORS)
    for n in range(1_200):
        world.send(f"hcp:{n}")
    world.cut(catalogue(FOREVER_IN))
    for n in range(5):
        world.advance(10)
        world.send(f"hcp:{77 + n}")
    written = 0

    def on_point(name: str) -> None:
        nonlocal written
        written += name == "checkpointed"
        if written == nth:
            raise asyncio.CancelledError

    first = await Worker(world, PartitionLimits(1, 50_000, profiles_cached_max=0), on_point, batch=1).start(0)
    await world.until(lambda: written >= nth or first.applied() >= world.end())
    await first.kill()
    second = await Worker(world, PartitionLimits(10)).start(0)
    await world.until(lambda: second.applied() >= world.end())
    await world.until(lambda: world.out() == world.expected())
    await second.release()


IN_SPAIN = "abroad|enter: {trait: country, equals: ES}\nmin_stay: 1m"


def standing(world: World, topic: str) -> set[str]:
    """Return the profiles and segments with a record in a compacted topic."""
    world.broker.settle()
    latest = {record.key: record.value for record in world.broker.fetch(topic, 0, 0)[0]}
    return {(key or b"").decode() for key, value in latest.items() if value is not None}


def move(world: World, subjects: str, country: str) -> None:
    """Let some profiles log in from a country, a minute later."""
    for subject in subjects.split():
        world.advance(60_000)
        world.send(subject, data={"country": country})


@pytest.mark.parametrize("cached", [0, 10_000])
async def test_a_segment_that_becomes_restricted_leaves_the_public_snapshot_at_the_cut(cached: int) -> None:
    world = await world_with(IN_SPAIN, FOREVER_IN)
    move(world, "hcp:1 hcp:2 hcp:3 hcp:4", "ES")
    worker = await Worker(world, PartitionLimits(10, profiles_cached_max=cached)).start(0)
    await world.until(lambda: worker.status[0].written_offset == world.end())
    everyone = {f"hcp:{n}|known" for n in range(1, 5)}
    assert standing(world, CURRENT) == everyone | {f"hcp:{n}|abroad" for n in range(1, 5)}
    world.cut(catalogue(IN_SPAIN, FOREVER_IN, hidden=True))
    # hcp:2 leaves by her own event, which is also her visit; the same record passes the visits of the others
    move(world, "hcp:2", "FR")
    await world.until(lambda: worker.status[0].written_offset == world.end())
    assert standing(world, CURRENT) == everyone
    assert standing(world, HIDDEN_CURRENT) == set()
    assert world.server.content(0).members["abroad"] == {"hcp:1", "hcp:3", "hcp:4"}
    assert [json.loads(value)["change"] for value in world.out(HIDDEN)] == ["exited"]
    move(world, "hcp:2", "ES")
    world.cut(catalogue(IN_SPAIN, FOREVER_IN))
    move(world, "hcp:3", "FR")
    await world.until(lambda: worker.applied() >= world.end())
    # no record stands in the wrong topic, and hcp:2 has left the restricted segment as well
    assert standing(world, HIDDEN_CURRENT) == set()
    assert standing(world, CURRENT) == everyone
    assert await worker.release() == [TenureEnd.RELEASED]


async def test_an_entry_at_one_cut_and_a_move_at_the_next_come_out_in_their_order() -> None:
    world = await world_with(FOREVER_IN)
    move(world, "hcp:1 hcp:2", "ES")
    world.advance(1)
    # both cuts are at one instant, so one record passes the visits of both
    world.cut(catalogue(IN_SPAIN))
    world.cut(catalogue(IN_SPAIN, hidden=True))
    move(world, "hcp:3", "ES")
    worker = await Worker(world).start(0)
    await world.until(lambda: worker.status[0].written_offset == world.end())
    entered = [json.loads(value)["profile"] for value in world.out() if json.loads(value)["segment"] == "abroad"]
    assert entered == ["hcp:1", "hcp:2"]
    assert standing(world, CURRENT) == set()
    assert standing(world, HIDDEN_CURRENT) == {"hcp:3|abroad"}
    await worker.release()


async def test_a_refused_record_goes_to_the_dead_letters_in_the_same_transaction_and_the_partition_goes_on() -> None:
    world = await world_with(FOREVER_IN)
    world.broker.append(OutRecord(EVENTS, 0, b"hcp:1", b"not json"))
    world.broker.append(OutRecord(EVENTS, 0, b"\xff\xfe", b"{}"))
    world.send("hcp:2")
    worker = await Worker(world).start(0)
    await world.until(lambda: len(world.out()) == 1)
    assert world.out(DEAD) == [b"not json", b"{}"]
    assert worker.status[0].dead_letters == 2
    assert await worker.release() == [TenureEnd.RELEASED]


async def test_an_effect_that_cannot_be_read_is_logged_once_and_the_partition_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = await world_with(FOREVER_IN)
    bad = b'{"specversion":"1.0","id":"x","source":"/x","type":"segue.erased","subject":"hcp:1","data":{}}'
    for _ in range(3):
        world.broker.append(OutRecord(EVENTS, 0, b"hcp:1", bad))
    world.send("hcp:2")
    worker = await Worker(world).start(0)
    await world.until(lambda: len(world.out()) == 1)
    assert world.out(DEAD) == []
    assert [record.getMessage() for record in caplog.records if "cannot be read" in record.getMessage()] == [
        "partition 0: the effect at record 1 cannot be read, so it says nothing."
        " Only Segue should write records of this type: see who else may write to the input"
    ]
    assert await worker.release() == [TenureEnd.RELEASED]


async def test_a_key_of_another_partition_is_bad_input() -> None:
    world = await world_with(FOREVER_IN, partitions=4)
    for partition in range(4):
        world.send("hcp:1", partition=partition)
    worker = await Worker(world).start(0, 1, 2, 3)
    await world.until(lambda: all(worker.applied(p) >= world.end(p) for p in range(4)))
    await world.until(lambda: sum(len(world.out(DEAD, p)) for p in range(4)) == 3)
    assert sum(len(world.out(OUT, p)) for p in range(4)) == 1
    await worker.release()


async def test_a_producers_own_stamp_stops_the_partition_before_anything_moves() -> None:
    world = await world_with(FOREVER_IN)
    worker = await Worker(world).start(0)
    await world.until(lambda: worker.applied() == 1)
    world.broker.now_ms += 400_000
    world.send("hcp:1")
    await world.until(worker.tasks[0].done)
    assert worker.tasks[0].result() is TenureEnd.INCIDENT
    assert "ahead" in worker.status[0].incident
    assert world.out() == []
    assert worker.applied() == 1


async def test_a_digest_that_differs_stops_the_partition_and_says_so() -> None:
    world = await world_with(FOREVER_IN)
    world.send("hcp:1")
    world.send("hcp:2")
    first = await Worker(world, PartitionLimits(checkpoint_every_ms=10_000_000)).start(0)
    await world.until(lambda: len(world.out()) == 2)
    await first.kill()
    # the log has changed: a different event stands at an applied offset
    entry = world.broker._partitions[EVENTS, 0].entries[2]  # noqa: SLF001 - no broker would do this
    assert entry.record is not None
    entry.record = OutRecord(EVENTS, 0, b"hcp:3", (entry.record.value or b"").replace(b"hcp:2", b"hcp:3"))
    second = await Worker(world).start(0)
    await world.until(second.tasks[0].done)
    assert second.tasks[0].result() is TenureEnd.INCIDENT
    assert "digest" in second.status[0].incident
    assert len(world.out()) == 2


async def test_current_memberships_hold_the_members_and_nobody_else() -> None:
    world = await world_with(VISITORS)
    world.send("hcp:1")
    world.send("hcp:1")
    world.send("hcp:2")
    worker = await Worker(world).start(0)
    await world.until(lambda: len(world.out()) == 2)
    found = [(r.key, r.value is None) for r in world.broker.fetch(CURRENT, 0, 0)[0]]
    assert found == [(b"hcp:1|visitors", False), (b"hcp:1|visitors", True)]
    await worker.release()

"""Claims over both logs: who owns a partition, how far its changes are published, and how other claimants end."""

import pytest

from streams.errors import Doubt, Fenced
from streams.log.terms import Log, Ring
from streams.partition.claim import Claimed, Hooks, LaterClaimant, claim, hand_over
from streams.partition.states import STEPS, Step
from streams.records import OutRecord
from streams.settings import Deployment
from streams.store.terms import Meta, Token
from streams.wire.progress import PROGRESS_KEY, Progress, progress_record
from tests.contract.log.worlds import World
from tests.models.store import MemoryServer, MemoryStore

DIGEST = "00"


class Killed(Exception):
    """A crash at a step."""


async def no_wait(attempt: int, fault: Exception) -> None:
    raise AssertionError(f"waited for {fault}")


class Partition:
    """One partition of a deployment: its topics in a world, its state in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.deployment = Deployment(
            generation="g1",
            partitions=1,
            events_topic=world.other,
            owners_topic=world.compacted,
            progress_topic=world.plain,
        )
        self.server = MemoryServer()

    async def create(self) -> "Partition":
        meta = Meta("g1", Token(0, 0), 0, -1, "", 1, DIGEST, -1)
        await MemoryStore(self.server, 0).create(meta)
        return self

    async def claim(self, log: Log, ring: Ring, kill_at: Step | None = None) -> Claimed:
        def on_step(step: Step) -> None:
            if step == kill_at:
                raise Killed(step)

        return await claim(0, log, ring, MemoryStore(self.server, 0), self.deployment, Hooks(no_wait, on_step=on_step))

    def change(self, claimed: Claimed, offset: int) -> list[OutRecord]:
        """The records of a transaction: a change (here in the topic of progress), and the progress."""
        return [
            OutRecord(self.world.plain, 1, b"k", str(offset).encode()),
            progress_record(self.world.plain, 0, Progress("g1", claimed.epoch, offset, offset, "", str(offset))),
        ]

    async def input(self, log: Log, count: int) -> None:
        for _ in range(count):
            await log.append(OutRecord(self.world.other, 0, b"k", b"v"))


@pytest.fixture
async def partition(world: World) -> Partition:
    return await Partition(world).create()


async def test_the_first_claim_publishes_from_where_meta_was_created(world: World, partition: Partition) -> None:
    log = world.log()
    ring = await log.open_ring(2)
    claimed = await partition.claim(log, ring)
    owners = await log.read_to_end(world.compacted, 0)
    assert claimed.epoch == owners[0].offset == 0
    assert claimed.meta.token == Token(0, 0)
    assert (claimed.published.offset, claimed.published.digest) == (0, DIGEST)
    assert claimed.tokens.next() == Token(0, 1)
    await ring.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_claimant_killed_at_any_step_is_fenced_and_the_next_goes_on_where_it_was(
    world: World, partition: Partition, step: Step
) -> None:
    logs = [world.log() for _ in range(3)]
    await partition.input(logs[0], 9)
    rings = [await log.open_ring(2) for log in logs]
    first = await partition.claim(logs[0], rings[0])
    await rings[0].transaction(partition.change(first, 5))
    with pytest.raises(Killed):
        await partition.claim(logs[1], rings[1], kill_at=step)
    third = await partition.claim(logs[2], rings[2])
    assert third.published == Progress("g1", first.epoch, 5, 5, "", "5")
    assert third.epoch > first.epoch
    assert third.meta.token.epoch == third.epoch
    for ring in rings[:2]:
        for _ in ring.ids:
            with pytest.raises(Doubt):
                await ring.transaction(partition.change(first, 7))
    await rings[2].transaction(partition.change(third, 6))
    latest = await logs[2].last(world.plain, 0)
    assert latest is not None
    assert latest.key == PROGRESS_KEY
    assert [each.value for each in await logs[2].read_to_end(world.plain, 1)] == [b"5", b"6"]
    for ring in rings:
        await ring.close()


async def test_after_a_hand_over_in_order_nobody_is_fenced(world: World, partition: Partition) -> None:
    log = world.log()
    rings = [await log.open_ring(1) for _ in range(2)]
    first = await partition.claim(log, rings[0])
    await partition.input(log, 1)
    await rings[0].transaction(partition.change(first, 1))
    await hand_over(0, rings[0], partition.deployment)
    second = await partition.claim(log, rings[1])
    assert second.published.offset == 1
    await rings[0].transaction([OutRecord(world.other, 1, b"k", b"of another partition")])
    await hand_over(0, rings[1], partition.deployment)
    third = await partition.claim(log, rings[0])
    assert third.epoch > second.epoch
    await rings[1].transaction([OutRecord(world.other, 1, b"k", b"of another partition")])
    for ring in rings:
        await ring.close()


async def test_the_transaction_in_hand_of_the_one_before_is_aborted_and_it_never_ends(
    world: World, partition: Partition
) -> None:
    logs = [world.log() for _ in range(2)]
    await partition.input(logs[0], 9)
    taken: list[Claimed] = []
    armed = False

    async def take_over() -> None:
        if armed:
            taken.append(await partition.claim(logs[1], successor))

    world.before_end(logs[0], take_over)
    ring, successor = await logs[0].open_ring(1), await logs[1].open_ring(1)
    first = await partition.claim(logs[0], ring)
    armed = True
    with pytest.raises(Doubt):
        await ring.transaction(partition.change(first, 5))
    assert taken[0].published.offset == 0
    assert await logs[1].read_to_end(world.plain, 1) == []
    await ring.close()
    await successor.close()


async def test_a_claim_again_by_the_same_ring_counts_and_not_the_one_before(world: World, partition: Partition) -> None:
    log = world.log()
    ring = await log.open_ring(2)
    first = await partition.claim(log, ring)
    second = await partition.claim(log, ring)
    assert second.epoch > first.epoch
    await ring.transaction(partition.change(second, 0))
    await ring.close()


async def test_a_later_claim_stops_the_earlier_one(world: World, partition: Partition) -> None:
    logs = [world.log() for _ in range(2)]
    rings = [await log.open_ring(1) for log in logs]
    with pytest.raises(Killed):
        await partition.claim(logs[0], rings[0], kill_at="claimed")
    second = await partition.claim(logs[1], rings[1])
    # the first would publish next, but its ring is fenced by now
    with pytest.raises((LaterClaimant, Doubt)):
        await partition.claim(logs[0], rings[0])
    again = await logs[0].open_ring(1)
    third = await partition.claim(logs[0], again)
    assert third.epoch > second.epoch
    with pytest.raises(Fenced):
        await MemoryStore(partition.server, 0).raise_epoch(second.tokens.next())
    for ring in (*rings, again):
        await ring.close()

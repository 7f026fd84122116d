"""The contract of `streams.log.terms`: rings, fences, and the records that readers see."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streams.errors import Doubt, RecordTooLarge
from streams.log.terms import Log, Ring
from streams.records import OutRecord, Stored
from tests.contract.log.worlds import Refusal, World

TOO_LARGE = 8_100_000


def rec(topic: str, key: str, value: str | None, partition: int = 0) -> OutRecord:
    return OutRecord(topic, partition, key.encode(), None if value is None else value.encode(), (("h", b"1"),))


def pairs(records: Sequence[Stored]) -> list[tuple[str, str | None]]:
    return [((each.key or b"").decode(), None if each.value is None else each.value.decode()) for each in records]


async def still_waiting(task: asyncio.Task[object], turns: int = 20) -> bool:
    """Return whether a task is still not done, after many turns for the model and some time for the server."""
    for _ in range(turns):
        await asyncio.sleep(0.01)
    return not task.done()


async def abort(world: World, log: Log, records: Sequence[OutRecord]) -> None:
    """Leave records of an aborted transaction."""
    opened = await world.leave_open(records)
    await log.fence(opened.id)


@pytest.fixture
def log(world: World) -> Log:
    return world.log()


class TestRing:
    async def test_a_record_that_the_broker_stamps_too_early_is_not_committed(self, world: World, log: Log) -> None:
        ring = await log.open_ring(2)
        later = replace(rec(world.plain, "k", "early", 1), stamp_min_ms=1 << 45)
        with pytest.raises(Doubt, match=r"stamp"):
            await ring.transaction([rec(world.plain, "k", "with it"), later])
        assert ring.over
        for id_ in ring.ids:
            await log.fence(id_)
        assert [await log.read_to_end(world.plain, partition) for partition in (0, 1)] == [[], []]
        await ring.close()

    async def test_committed_records_are_read_back_in_order_at_the_offsets_reported(
        self, world: World, log: Log
    ) -> None:
        ring = await log.open_ring(2)
        first = [rec(world.plain, f"k{n}", f"v{n}", n % 2) for n in range(6)]
        offsets = await ring.transaction(first)
        offsets += await ring.transaction([rec(world.plain, "k6", "v6"), rec(world.compacted, "p", None)])
        for partition in (0, 1):
            found = await log.read_to_end(world.plain, partition)
            here = [
                (offset, record.key, record.value)
                for offset, record in zip(offsets, [*first, rec(world.plain, "k6", "v6")], strict=False)
                if record.partition == partition
            ]
            assert [(each.offset, each.key, each.value) for each in found] == here
        assert pairs(await log.read_to_end(world.compacted, 0)) == [("p", None)]
        await ring.close()

    async def test_ids_and_names_are_never_the_same_twice(self, log: Log) -> None:
        rings = [await log.open_ring(2) for _ in range(3)]
        assert len({id_ for ring in rings for id_ in ring.ids}) == 6
        assert len({ring.name for ring in rings}) == 3
        for ring in rings:
            await ring.close()

    async def test_transactions_follow_each_other_whatever_the_size_of_the_ring(self, world: World, log: Log) -> None:
        for size in (1, 3):
            ring = await log.open_ring(size)
            for n in range(7):
                await ring.transaction([rec(world.plain, "a", str(n)), rec(world.other, "a", str(n))])
            await ring.close()
        values = [value for _, value in pairs(await log.read_to_end(world.other, 0))]
        assert values == 2 * [str(n) for n in range(7)]

    async def test_calls_at_once_become_transactions_one_after_another(self, world: World, log: Log) -> None:
        ring = await log.open_ring(2)
        await asyncio.gather(*(ring.transaction([rec(world.plain, "a", str(n))]) for n in range(5)))
        assert pairs(await log.read_to_end(world.plain, 0)) == [("a", str(n)) for n in range(5)]
        await ring.close()

    async def test_nothing_to_publish_is_no_transaction(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        assert await ring.transaction([]) == []
        assert await log.offsets(world.plain, 0) == (0, 0)
        await ring.close()

    async def test_many_records_of_a_partition_keep_their_order(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        records = [rec(world.plain, f"k{n}", "v" * 1_000, n % 2) for n in range(2_500)]
        offsets = await ring.transaction(records)
        for partition in (0, 1):
            found = await log.read_to_end(world.plain, partition)
            assert [each.key for each in found] == [each.key for each in records if each.partition == partition]
            assert [each.offset for each in found] == offsets[partition::2]
        await ring.close()

    async def test_a_record_no_broker_takes_is_refused_before_anything_is_sent(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        with pytest.raises(RecordTooLarge):
            await ring.transaction([rec(world.plain, "a", "1"), rec(world.plain, "b", "x" * TOO_LARGE)])
        assert not ring.over
        await ring.transaction([rec(world.plain, "a", "2")])
        assert pairs(await log.read_to_end(world.plain, 0)) == [("a", "2")]
        await ring.close()


class TestFence:
    async def test_a_fenced_ring_raises_doubt_and_ever_after(self, world: World, log: Log) -> None:
        ring = await log.open_ring(2)
        await ring.transaction([rec(world.plain, "a", "1")])
        for id_ in ring.ids:
            await world.log().fence(id_)
        for _ in range(3):
            with pytest.raises(Doubt):
                await ring.transaction([rec(world.plain, "a", "2")])
            assert ring.over
        assert pairs(await log.read_to_end(world.plain, 0)) == [("a", "1")]
        await ring.close()

    async def test_one_fenced_id_ends_the_whole_ring(self, world: World, log: Log) -> None:
        ring = await log.open_ring(2)
        await log.fence(ring.ids[1])
        await ring.transaction([rec(world.plain, "a", "1")])
        with pytest.raises(Doubt):
            await ring.transaction([rec(world.plain, "a", "2")])
        with pytest.raises(Doubt):
            await ring.transaction([rec(world.plain, "a", "3")])
        assert pairs(await log.read_to_end(world.plain, 0)) == [("a", "1")]
        await ring.close()

    async def test_what_was_open_is_aborted_and_its_zombie_refused(self, world: World, log: Log) -> None:
        opened = await world.leave_open([rec(world.plain, "z", "1"), rec(world.other, "z", "1")])
        await log.fence(opened.id)
        with pytest.raises(Refusal):
            await opened.commit()
        assert await log.read_to_end(world.plain, 0) == []
        assert await log.read_to_end(world.other, 0) == []

    async def test_what_was_decided_is_completed(self, world: World, log: Log) -> None:
        opened = await world.leave_open([rec(world.plain, "c", "1")])
        await opened.commit()
        await log.fence(opened.id)
        assert pairs(await log.read_to_end(world.plain, 0)) == [("c", "1")]

    async def test_fencing_again_and_at_once_and_an_id_unheard_of(self, world: World, log: Log) -> None:
        opened = await world.leave_open([rec(world.plain, "z", "1")])
        await asyncio.gather(*(world.log().fence(opened.id) for _ in range(3)))
        await log.fence(opened.id)
        await log.fence("nobody-ever")
        assert await log.read_to_end(world.plain, 0) == []

    async def test_a_fence_between_the_deliveries_and_the_end_is_a_doubt_and_nothing_is_read(
        self, world: World
    ) -> None:
        log, other = world.log(), world.log()
        rings: list[Ring] = []

        async def fence() -> None:
            for id_ in rings[0].ids:
                await other.fence(id_)

        world.before_end(log, fence)
        rings.append(await log.open_ring(2))
        with pytest.raises(Doubt):
            await rings[0].transaction([rec(world.plain, "a", "1"), rec(world.plain, "a", "2", 1)])
        assert await other.read_to_end(world.plain, 0) == []
        assert await other.read_to_end(world.plain, 1) == []
        await rings[0].close()

    async def test_an_end_whose_reply_is_lost_is_a_doubt_though_it_may_be_committed(self, world: World) -> None:
        log = world.log()
        world.lose_end(log)
        ring = await log.open_ring(2)
        with pytest.raises(Doubt):
            await ring.transaction([rec(world.plain, "a", "1")])
        with pytest.raises(Doubt):
            await ring.transaction([rec(world.plain, "a", "2")])
        for id_ in ring.ids:
            await log.fence(id_)
        assert pairs(await log.read_to_end(world.plain, 0)) == [("a", "1")]
        await ring.close()

    async def test_cancelled_half_way_the_ring_is_over(self, world: World) -> None:
        log = world.log()
        reached = asyncio.Event()

        async def hang() -> None:
            reached.set()
            await asyncio.Event().wait()

        world.before_end(log, hang)
        ring = await log.open_ring(1)
        task = asyncio.create_task(ring.transaction([rec(world.plain, "a", "1")]))
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ring.over
        await ring.close()
        await log.fence(ring.ids[0])
        assert await log.read_to_end(world.plain, 0) == []

    async def test_closing_a_ring_twice_is_closing_it(self, log: Log) -> None:
        ring = await log.open_ring(2)
        await ring.close()
        await ring.close()
        with pytest.raises(Doubt):
            await ring.transaction([])


class TestReading:
    async def test_an_empty_partition(self, world: World, log: Log) -> None:
        assert await log.offsets(world.plain, 0) == (0, 0)
        assert await log.read_to_end(world.plain, 0) == []
        assert await log.last(world.plain, 0) is None
        assert await log.record_at(world.plain, 0, 0) is None
        assert await log.find(world.compacted, b"k") is None

    async def test_the_end_is_beyond_an_open_transaction_and_is_waited_for(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        await ring.transaction([rec(world.plain, "a", "1")])
        opened = await world.leave_open([rec(world.plain, "z", "1")])
        await ring.transaction([rec(world.plain, "a", "2")])
        reads = [
            asyncio.create_task(log.read_to_end(world.plain, 0)),
            asyncio.create_task(world.log().last(world.plain, 0)),
        ]
        assert all([await still_waiting(read, 5) for read in reads])
        await log.fence(opened.id)
        everything, last = await asyncio.gather(*reads)
        assert isinstance(everything, list)
        assert pairs(everything) == [("a", "1"), ("a", "2")]
        assert last == everything[-1]
        await ring.close()

    async def test_a_commit_waited_for_is_read(self, world: World, log: Log) -> None:
        opened = await world.leave_open([rec(world.plain, "z", "1")])
        read = asyncio.create_task(log.last(world.plain, 0))
        assert await still_waiting(read, 5)
        await opened.commit()
        found = await read
        assert found is not None
        assert pairs([found]) == [("z", "1")]

    async def test_aborted_records_are_never_read(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        for n in range(3):
            await abort(world, log, [rec(world.plain, "z", str(n))])
            await ring.transaction([rec(world.plain, "a", str(n))])
        assert pairs(await log.read_to_end(world.plain, 0)) == [("a", "0"), ("a", "1"), ("a", "2")]
        await ring.close()

    async def test_the_last_is_found_before_a_long_aborted_tail(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        await ring.transaction([rec(world.plain, "a", str(n)) for n in range(3)])
        await abort(world, log, [rec(world.plain, "z", "x") for _ in range(200)])
        await abort(world, log, [rec(world.plain, "y", "x") for _ in range(3)])
        found = await log.last(world.plain, 0)
        assert found is not None
        assert (pairs([found]), found.offset) == ([("a", "2")], 2)
        await ring.close()

    async def test_a_partition_of_nothing_but_aborts_and_markers_has_no_last(self, world: World, log: Log) -> None:
        await abort(world, log, [rec(world.plain, "z", "x") for _ in range(100)])
        assert await log.last(world.plain, 0) is None
        assert await log.read_to_end(world.plain, 0) == []
        assert await log.offsets(world.plain, 0) == (0, 101)

    async def test_a_record_is_read_at_its_offset_and_nowhere_else(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        await ring.transaction([rec(world.plain, "a", "1"), rec(world.plain, "a", "2")])
        await abort(world, log, [rec(world.plain, "z", "1")])
        await ring.transaction([rec(world.plain, "a", "3")])
        # offsets: 0 a1, 1 a2, 2 marker, 3 z1 (aborted), 4 marker, 5 a3, 6 marker
        found = [await log.record_at(world.plain, 0, offset) for offset in range(8)]
        values = [each and each.value for each in found]
        assert values == [b"1", b"2", None, None, None, b"3", None, None]
        await ring.close()

    async def test_an_append_is_read_back_at_its_offset_and_stamped_by_the_broker(self, world: World, log: Log) -> None:
        offsets = [await log.append(rec(world.plain, "t", str(n), 1)) for n in range(3)]
        assert offsets == [0, 1, 2]
        found = await log.read_to_end(world.plain, 1)
        assert [each.value for each in found] == [b"0", b"1", b"2"]
        assert [each.timestamp_ms for each in found] == sorted(each.timestamp_ms for each in found)
        assert await log.last(world.plain, 1) == found[-1]

    async def test_find_takes_the_last_of_a_key_in_any_partition(self, world: World, log: Log) -> None:
        ring = await log.open_ring(1)
        await ring.transaction(
            [
                rec(world.compacted, "k", "old"),
                rec(world.compacted, "k", None),
                rec(world.compacted, "k", "1", 1),
                rec(world.compacted, "k", "2", 1),
                rec(world.compacted, "l", "gone"),
                rec(world.compacted, "l", None),
            ]
        )
        await abort(world, log, [rec(world.compacted, "k", "3", 1)])
        assert await log.find(world.compacted, b"k") == b"2"
        assert await log.find(world.compacted, b"l") is None
        await ring.close()

    async def test_two_claimants_read_both_claims_in_the_same_order(self, world: World, log: Log) -> None:
        logs = [world.log() for _ in range(2)]
        rings = [await each.open_ring(1) for each in logs]
        claims = [rec(world.compacted, ring.name, "claim") for ring in rings]
        await asyncio.gather(*(ring.transaction([claim]) for ring, claim in zip(rings, claims, strict=True)))
        reads = await asyncio.gather(*(each.read_to_end(world.compacted, 0) for each in logs))
        assert reads[0] == reads[1]
        assert {each.key for each in reads[0]} == {ring.name.encode() for ring in rings}
        for ring in rings:
            await ring.close()

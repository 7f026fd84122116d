"""Publishing in the model: the content of transactions, their time, and the reports about them."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from streams.errors import Doubt, RecordTooLarge
from streams.partition.claim import Claimed, Tokens
from streams.partition.outgoing import PublishSlice, TransactionPace
from streams.partition.publisher import Publisher
from streams.records import OutRecord
from streams.store.terms import Meta, Token
from streams.wire.progress import Progress, read_progress
from tests.models.broker import Broker
from tests.models.log import Lost, MemoryLog, MemoryRing, Network
from tests.streams.world import first_of

T = TypeVar("T")
START = 10
"""The offset up to which every partition is published at first."""


class Wire(Network):
    """A network that can be shut at the EndTxn, and can lose the reply of the EndTxn."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker)
        self.open = asyncio.Event()
        self.open.set()
        self.lose = False
        self.ends = 0

    async def call(self, name: str, request: Callable[[], T]) -> T:
        if name == "end":
            self.ends += 1
            await self.open.wait()
            if self.lose:
                raise Lost
        return await super().call(name, request)


class Time:
    """A clock that stands until a test moves it; a sleep ends when the clock passes its end."""

    def __init__(self) -> None:
        self.ms = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def wall_ms(self) -> int:
        return int(self.ms)

    def now_ms(self) -> float:
        return self.ms

    async def sleep(self, length_ms: float) -> None:
        if length_ms <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.ms + length_ms, future))
        await future

    async def wait(self, event: asyncio.Event, length_ms: float) -> None:
        await first_of(event.wait(), self.sleep(length_ms))

    async def move(self, ms: float) -> None:
        self.ms += ms
        for until_ms, future in self._sleepers:
            if until_ms <= self.ms and not future.done():
                future.set_result(None)
        await settled()


async def settled() -> None:
    for _ in range(300):
        await asyncio.sleep(0)


class Bench:
    """A running publisher over partitions 0 to 2."""

    def __init__(self, ring: MemoryRing, wire: Wire, broker: Broker, pace: TransactionPace) -> None:
        self.ring, self.wire, self.broker = ring, wire, broker
        self.time = Time()
        self.told: list[tuple[int, int]] = []
        self.doubts: list[BaseException] = []
        self.publisher = Publisher(
            ring,
            "g1",
            "progress",
            self.doubts.append,
            pace,
            self.time,
        )
        for partition in range(3):
            self.begin(partition)
        self.running = asyncio.create_task(self.publisher.run())

    @classmethod
    async def make(cls, pace: TransactionPace | None = None) -> "Bench":
        broker = Broker({"out": 3, "progress": 3})
        wire = Wire(broker)
        return cls(await MemoryLog(wire).open_ring(2), wire, broker, pace or TransactionPace())

    def begin(self, partition: int) -> None:
        meta = Meta("g1", Token(7, 0), START, -1, "", 3, "d", -1)
        published = Progress("g1", 6, START, 0, "", "d")
        self.publisher.begin(
            Claimed(partition, 7, meta, published, Tokens(7)),
            lambda progress: self.told.append((partition, progress.offset)),
        )

    def submit(self, partition: int, upto: int, *values: str, changes: int | None = None, behind: bool = False) -> None:
        records = [OutRecord("out", partition, b"k", value.encode()) for value in values]
        count = len(values) if changes is None else changes
        self.publisher.submit(partition, PublishSlice(upto, records, upto, "c", f"d{upto}", count, behind=behind))

    async def fall_behind(self) -> None:
        """Publish a change, and let one of a backlog wait."""
        self.submit(0, 11, "a")
        await settled()
        self.submit(0, 12, "b", behind=True)
        await settled()
        assert self.progress(0) == [11]

    def out(self, partition: int) -> list[str]:
        self.broker.settle()
        return [(record.value or b"").decode() for record in self.broker.fetch("out", partition, 0)[0]]

    def progress(self, partition: int) -> list[int]:
        self.broker.settle()
        return [read_progress(record.value).offset for record in self.broker.fetch("progress", partition, 0)[0]]


@pytest.fixture
async def bench() -> "Bench":
    return await Bench.make()


async def test_changes_go_out_in_order_with_progress_last_and_are_told(bench: Bench) -> None:
    bench.submit(0, 12, "a", "b")
    bench.submit(0, 15, "c")
    await settled()
    assert bench.out(0) == ["a", "b", "c"]
    assert bench.progress(0) == [15]
    assert bench.told == [(0, 15)]
    latest = read_progress(bench.broker.fetch("progress", 0, 0)[0][-1].value)
    assert latest == Progress("g1", 7, 15, 15, "c", "d15")
    assert bench.publisher.published(0) == latest


async def test_partitions_share_a_transaction(bench: Bench) -> None:
    for partition in range(3):
        bench.submit(partition, 12, "a")
    await settled()
    assert bench.wire.ends == 1
    assert [bench.progress(partition) for partition in range(3)] == [[12], [12], [12]]


async def test_one_transaction_at_a_time_and_what_comes_meanwhile_goes_into_the_next(bench: Bench) -> None:
    bench.wire.open.clear()
    bench.submit(0, 12, "a")
    await settled()
    for upto in range(13, 20):
        bench.submit(0, upto, str(upto))
        bench.submit(1, upto, str(upto))
        await settled()
    assert (bench.wire.ends, bench.told, bench.publisher.published(0).offset) == (1, [], START)
    bench.wire.open.set()
    await settled()
    assert bench.wire.ends == 2
    assert bench.told[0] == (0, 12)
    assert sorted(bench.told[1:]) == [(0, 19), (1, 19)]
    assert bench.publisher.published(0).offset == 19


async def test_a_transaction_takes_whole_slices_up_to_the_limit() -> None:
    bench = await Bench.make(TransactionPace(changes_max=10))
    bench.wire.open.clear()
    bench.submit(0, 11, "first")
    await settled()
    for upto in range(12, 18):
        bench.submit(0, upto, *(f"{upto}{n}" for n in range(4)))
    bench.wire.open.set()
    await settled()
    assert bench.progress(0) == [11, 13, 15, 17]
    assert len(bench.out(0)) == 25


async def test_a_slice_larger_than_the_limit_goes_alone_and_whole() -> None:
    bench = await Bench.make(TransactionPace(changes_max=10))
    bench.wire.open.clear()
    bench.submit(0, 11, "first")
    await settled()
    bench.submit(0, 12, *(str(n) for n in range(25)))
    bench.submit(0, 13, "next")
    bench.wire.open.set()
    await settled()
    assert bench.progress(0) == [11, 12, 13]


async def test_no_partition_is_starved_by_another() -> None:
    bench = await Bench.make(TransactionPace(changes_max=4))
    bench.wire.open.clear()
    bench.submit(0, 11, "first")
    await settled()
    for upto in range(12, 40):
        for partition in range(3):
            bench.submit(partition, upto, "x", "y")
    bench.wire.open.set()
    await settled()
    first = [partition for partition, _ in bench.told[1:7]]
    assert set(first) == {0, 1, 2}


async def test_dead_letters_alone_count_too() -> None:
    bench = await Bench.make(TransactionPace(changes_max=10))
    bench.wire.open.clear()
    bench.submit(0, 11, "first")
    await settled()
    for upto in range(12, 15):
        bench.submit(0, upto, *(str(n) for n in range(6)), changes=0)
    bench.wire.open.set()
    await settled()
    assert bench.progress(0) == [11, 12, 13, 14]


async def test_it_is_congested_while_more_waits_than_some_full_transactions() -> None:
    bench = await Bench.make(TransactionPace(changes_max=4, waiting_max=3))
    bench.wire.open.clear()
    bench.submit(0, 11, "first")
    await settled()
    for partition in range(3):
        bench.submit(partition, 12, *"abcd")
    assert not any(bench.publisher.congested(partition) for partition in range(3))
    bench.submit(2, 13, "e")
    # only of one does more wait than a third of what may
    assert [bench.publisher.congested(partition) for partition in range(3)] == [False, False, True]
    bench.wire.open.set()
    await settled()
    assert not bench.publisher.congested(2)


async def test_progress_that_is_wanted_soon_waits_for_nobody(bench: Bench) -> None:
    bench.submit(0, 20)
    bench.submit(1, 20)
    await settled()
    bench.publisher.hasten(0)
    await settled()
    assert (bench.progress(0), bench.progress(1)) == ([20], [])
    bench.submit(0, 30)
    await settled()
    assert bench.progress(0) == [20], "it was wanted once"


class TestQuietProgress:
    async def test_it_waits_two_seconds(self, bench: Bench) -> None:
        bench.submit(0, 20)
        bench.submit(0, 30)
        await bench.time.move(1_900)
        assert bench.progress(0) == []
        await bench.time.move(200)
        assert bench.progress(0) == [30]
        assert bench.told == [(0, 30)]

    async def test_or_until_there_is_much_of_it(self, bench: Bench) -> None:
        bench.submit(0, START + 9_999)
        await settled()
        assert bench.progress(0) == []
        bench.submit(0, START + 10_000)
        await settled()
        assert bench.progress(0) == [START + 10_000]

    async def test_or_until_changes_follow_it(self, bench: Bench) -> None:
        bench.submit(0, 20)
        bench.submit(0, 30, "a")
        bench.submit(0, 40)
        await settled()
        assert (bench.out(0), bench.progress(0)) == (["a"], [40])

    async def test_or_rides_along_with_others_when_it_is_older_than_a_second(self, bench: Bench) -> None:
        bench.submit(0, 20)
        await bench.time.move(900)
        bench.submit(1, 20, "a")
        await settled()
        assert (bench.progress(0), bench.progress(1)) == ([], [20])
        await bench.time.move(200)
        bench.submit(1, 21, "b")
        await settled()
        assert (bench.progress(0), bench.progress(1)) == ([20], [20, 21])

    async def test_or_is_flushed(self, bench: Bench) -> None:
        bench.submit(0, 20)
        bench.submit(1, 20)
        assert await bench.publisher.flush(0)
        assert (bench.progress(0), bench.progress(1)) == ([20], [])
        assert await bench.publisher.flush(0)  # nothing is left to publish: it returns at once
        assert bench.wire.ends == 1


class TestPace:
    async def slow(self, bench: Bench, length_ms: float) -> None:
        """Publish changes of two partitions in a transaction that takes so long."""
        bench.wire.open.clear()
        bench.submit(0, 11, "a")
        bench.submit(1, 11, "a")
        await settled()
        await bench.time.move(length_ms)
        bench.wire.open.set()
        await settled()
        assert (bench.progress(0), bench.progress(1)) == ([11], [11])

    async def test_a_transaction_that_is_not_full_waits_as_long_as_the_last_took(self, bench: Bench) -> None:
        await self.slow(bench, 3)
        bench.submit(0, 12, "b")
        await settled()
        assert bench.progress(0) == [11]
        bench.submit(0, 13, "c")
        await bench.time.move(2)
        assert bench.progress(0) == [11]
        await bench.time.move(1)
        assert bench.progress(0) == [11, 13]

    async def test_but_not_where_the_last_one_had_gathered_nothing(self, bench: Bench) -> None:
        bench.wire.open.clear()
        bench.submit(0, 11, "a")
        await settled()
        await bench.time.move(3)
        bench.submit(0, 12, "b")
        bench.wire.open.set()
        await settled()
        assert bench.progress(0) == [11, 12]

    async def test_a_full_one_does_not_wait(self) -> None:
        bench = await Bench.make(TransactionPace(changes_max=2))
        bench.wire.open.clear()
        bench.submit(0, 11, "a")
        await settled()
        await bench.time.move(8)
        bench.wire.open.set()
        bench.submit(0, 12, "b", "c")
        await settled()
        assert bench.progress(0) == [11, 12]

    async def test_it_never_waits_longer_than_its_limit(self, bench: Bench) -> None:
        await self.slow(bench, 3_000)
        bench.submit(0, 12, "b")
        await settled()
        await bench.time.move(14)
        assert bench.progress(0) == [11]
        await bench.time.move(1)
        assert bench.progress(0) == [11, 12]

    async def test_changes_of_a_backlog_wait_longer(self, bench: Bench) -> None:
        bench.submit(0, 11, "a")
        await settled()
        bench.submit(0, 12, "b", behind=True)
        bench.submit(1, 12, "c", behind=True)
        bench.submit(2, 12)  # quiet progress has nobody waiting
        await settled()
        await bench.time.move(99)
        assert (bench.progress(0), bench.progress(1)) == ([11], [])
        await bench.time.move(1)
        assert (bench.progress(0), bench.progress(1)) == ([11, 12], [12])

    async def test_unless_another_partition_has_none(self, bench: Bench) -> None:
        await bench.fall_behind()
        bench.submit(1, 12, "c")
        await settled()
        assert (bench.progress(0), bench.progress(1)) == ([11, 12], [12])

    async def test_and_a_backlog_that_is_flushed_waits_no_more(self, bench: Bench) -> None:
        await bench.fall_behind()
        assert await asyncio.wait_for(bench.publisher.flush(0), 5)
        assert bench.progress(0) == [11, 12]

    async def test_nor_one_whose_progress_is_wanted_soon(self, bench: Bench) -> None:
        await bench.fall_behind()
        bench.publisher.hasten(0)
        await settled()
        assert bench.progress(0) == [11, 12]

    async def test_nor_does_it_once_the_transaction_is_full(self) -> None:
        bench = await Bench.make(TransactionPace(changes_max=2))
        await bench.fall_behind()
        bench.submit(1, 12, "c")
        await settled()
        assert (bench.progress(0), bench.progress(1)) == ([11, 12], [12])

    async def test_nor_once_it_is_closed(self, bench: Bench) -> None:
        await bench.fall_behind()
        await asyncio.wait_for(bench.publisher.close(), 5)
        await asyncio.wait_for(bench.running, 5)
        assert bench.progress(0) == [11]


class TestDoubt:
    async def test_it_ends_the_publisher_and_is_told_once(self, bench: Bench) -> None:
        bench.wire.lose = True
        bench.submit(0, 11, "a")
        bench.submit(1, 11, "a")
        await settled()
        assert len(bench.doubts) == 1
        assert isinstance(bench.doubts[0], Doubt)
        assert bench.publisher.over
        assert bench.told == []
        await bench.running
        bench.submit(0, 12, "b")
        assert not await bench.publisher.flush(0)
        assert not await bench.publisher.drop(0)
        bench.publisher.doubt(Doubt("again"))
        assert (len(bench.doubts), bench.wire.ends) == (1, 1)

    async def test_one_that_a_claim_met_ends_it_too(self, bench: Bench) -> None:
        bench.publisher.doubt(Doubt("of a claim"))
        bench.submit(0, 11, "a")
        await settled()
        await bench.running
        assert (len(bench.doubts), bench.wire.ends) == (1, 0)

    async def test_a_flush_under_way_ends_with_it(self, bench: Bench) -> None:
        bench.wire.open.clear()
        bench.wire.lose = True
        bench.submit(0, 11, "a")
        flush = asyncio.create_task(bench.publisher.flush(0))
        await settled()
        bench.wire.open.set()
        assert not await flush

    async def test_a_record_too_large_is_raised_from_run(self, bench: Bench) -> None:
        bench.submit(0, 11, "x" * 8_100_000)
        await settled()
        with pytest.raises(RecordTooLarge):
            await bench.running
        assert bench.publisher.over
        assert (bench.doubts, bench.told, bench.ring.over) == ([], [], False)


class TestDropping:
    async def test_what_is_queued_is_forgotten_and_the_others_go_on(self, bench: Bench) -> None:
        bench.wire.open.clear()
        bench.submit(0, 11, "a")
        await settled()
        bench.submit(0, 12, "b")
        bench.submit(1, 12, "b")
        drop = asyncio.create_task(bench.publisher.drop(0))
        await settled()
        assert not drop.done(), "the transaction in hand touches it"
        bench.wire.open.set()
        assert await drop
        await settled()
        assert (bench.out(0), bench.out(1)) == (["a"], ["b"])
        assert bench.told == [(1, 12)]

    async def test_one_not_in_hand_is_dropped_at_once(self, bench: Bench) -> None:
        bench.wire.open.clear()
        bench.submit(0, 11, "a")
        await settled()
        assert await bench.publisher.drop(1)
        bench.wire.open.set()
        await settled()

    async def test_a_partition_may_be_taken_again(self, bench: Bench) -> None:
        assert await bench.publisher.drop(0)
        bench.begin(0)
        bench.submit(0, 11, "a")
        await settled()
        assert bench.told == [(0, 11)]

    async def test_no_hand_over_after_a_transaction_without_an_answer(self, bench: Bench) -> None:
        bench.wire.open.clear()
        bench.wire.lose = True
        bench.submit(0, 11, "a")
        await settled()
        drop = asyncio.create_task(bench.publisher.drop(0))
        await settled()
        bench.wire.open.set()
        assert not await drop

    async def test_a_flush_of_a_dropped_partition_ends(self, bench: Bench) -> None:
        bench.wire.open.clear()
        bench.submit(1, 11, "a")
        await settled()
        bench.submit(0, 11, "a")
        flush = asyncio.create_task(bench.publisher.flush(0))
        await settled()
        await bench.publisher.drop(0)
        assert not await flush
        bench.wire.open.set()


async def test_closing_ends_the_transaction_in_hand_and_no_more(bench: Bench) -> None:
    bench.wire.open.clear()
    bench.submit(0, 11, "a")
    await settled()
    bench.submit(0, 12, "b")
    close = asyncio.create_task(bench.publisher.close())
    await settled()
    assert not close.done()
    bench.wire.open.set()
    await close
    await bench.running
    assert bench.out(0) == ["a"]
    assert bench.doubts == []


async def test_slices_must_go_forward(bench: Bench) -> None:
    bench.submit(0, 12, "a")
    with pytest.raises(ValueError, match="after one up to 12"):
        bench.submit(0, 12, "a")

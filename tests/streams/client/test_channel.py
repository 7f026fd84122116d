"""Laws of the client, on a real Kafka: the snapshot is the fold of the log at one offset; what follows is the rest."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.engine.activations.change import ActivationChange
from streams.client import (
    ActiveKey,
    Change,
    Channel,
    Disorder,
    Hole,
    NoChannel,
    NoOffset,
    Position,
    Unreadable,
    silence,
)
from streams.client.snapshot import take
from streams.embedded import KafkaServer
from tests.streams.client.log import PARTITIONS, Log, activation, by_partition, taken, written
from tests.streams.live import wait_for

pytestmark = pytest.mark.servers
ALL = range(PARTITIONS)


@pytest.fixture
async def log(kafka: KafkaServer) -> AsyncIterator[Log]:
    async with written(kafka.bootstrap) as log:
        yield log


def fold(values: Iterable[bytes]) -> dict[tuple[str, str], str]:
    """Return the active keys after these changes, each with the id of its change."""
    active = {}
    for value in values:
        change = orjson.loads(value)
        key = (change["profile"], change["activation"])
        if change["change"] == "activated":
            active[key] = change["id"]
        else:
            active.pop(key)
    return active


def before(committed: Mapping[int, list[tuple[int, bytes]]], positions: Mapping[int, Position]) -> list[bytes]:
    return [value for n, rows in committed.items() for offset, value in rows if offset < positions[n].offset]


def ids(active: Mapping[ActiveKey, Change]) -> dict[tuple[str, str], str]:
    return {(key.subject, key.activation): change.id for key, change in active.items()}


async def test_an_empty_channel_has_nobody_active_and_then_what_comes(log: Log) -> None:
    async with log.channel() as channel:
        assert await channel.snapshot() == {}
        changes = log.flips(5)
        await log.write(changes)
        found = await taken(channel, 5)
    assert sorted(each.value for each in found) == sorted(each.value for each in changes)


async def test_a_snapshot_taken_while_changes_flow_is_the_fold_of_the_log_and_the_rest_follows(log: Log) -> None:
    over = asyncio.Event()

    async def flow() -> None:
        while not over.is_set():
            changes = log.flips(log.dice.choice((1, 3, 30, 200)))
            for _ in range(log.dice.choice((0, 0, 1, 2))):
                await log.write(changes[: log.dice.randrange(len(changes) + 1)], abort=True)
            await log.write(changes)

    async def read(number: int) -> tuple[dict[tuple[str, str], str], dict[int, Position], dict[int, list[bytes]]]:
        isolation = ("read_committed", "read_uncommitted")[number % 2]
        async with log.channel(isolation=isolation) as channel:
            active = ids(await channel.snapshot())
            positions = channel.positions
            return active, positions, by_partition(await taken(channel, 300))

    flowing = asyncio.create_task(flow())
    try:
        read_ = [await read(number) for number in range(12)]
    finally:
        over.set()
        await flowing
    committed = await log.committed()
    moved = 0
    for active, positions, followed in read_:
        assert active == fold(before(committed, positions))
        for partition in ALL:
            rest = [value for offset, value in committed[partition] if offset >= positions[partition].offset]
            assert followed[partition] == rest[: len(followed[partition])]
        moved += len(active)
    assert moved > 100


class Meddling:
    """Makes the snapshot's consumers; when the end of the changes is asked for, a transaction is half-way."""

    def __init__(self, log: Log, changes: list[ActivationChange]) -> None:
        self.log = log
        self.changes = changes
        self.rest: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def __call__(self, isolation: str) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.log.kafka, isolation_level=isolation, enable_auto_commit=False
        )
        await consumer.start()
        if isolation == "read_uncommitted":
            ask = consumer.end_offsets

            async def asked(tps: list[TopicPartition]) -> Any:
                if tps[0].topic == self.log.topic:
                    await self.log.producer.begin_transaction()
                    await self.log.send(self.changes[:10])
                    self.rest = asyncio.create_task(self.abort())
                return await ask(tps)

            consumer.end_offsets = asked
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def abort(self) -> None:
        await asyncio.sleep(0.5)
        await self.log.send(self.changes[10:])
        await self.log.producer.abort_transaction()


async def test_a_snapshot_never_ends_inside_a_transaction(log: Log) -> None:
    await log.write(log.flips(20, profiles=2))
    # all changes are of one profile: each half of the transaction shows whether the other half was seen
    changes = log.flips(20, profiles=1)
    meddling = Meddling(log, changes)
    taken_ = await take(meddling, log.topic, f"{log.topic}.current", ALL)
    assert meddling.rest is not None
    await meddling.rest
    start = {partition: Position(offset, offset) for partition, offset in taken_.offsets.items()}
    async with log.channel(isolation="read_uncommitted", start=start) as channel:
        await log.write(changes)
        assert [each.value for each in await taken(channel, 20)] == [each.value for each in changes]


async def test_a_reader_that_is_not_read_committed_gets_every_change_once(log: Log) -> None:
    for _ in range(20):
        changes = log.flips(20)
        await log.write(changes[:10], abort=True)
        await log.write(changes, abort=True)
        await log.write(changes)
    committed = await log.committed()
    async with log.channel(isolation="read_uncommitted", start="earliest") as channel:
        found = by_partition(await taken(channel, 400))
    assert found == {partition: [value for _, value in rows] for partition, rows in committed.items()}


@pytest.mark.parametrize("isolation", ["read_committed", "read_uncommitted"])
async def test_restarts_lose_nothing_and_repeat_only_what_was_not_committed(log: Log, isolation: str) -> None:
    total = 0
    for _ in range(15):
        changes = log.flips(20)
        await log.write(changes, abort=True)
        await log.write(changes)
        total += 20
    options = {"isolation": isolation, "group": log.prefix, "start": "earliest"}
    kept: dict[int, list[bytes]] = {partition: [] for partition in ALL}
    done = 0
    while done < total:
        async with log.channel(**options) as channel:
            wanted = min(log.dice.randrange(1, 50), total - done)
            for partition, values in by_partition(await taken(channel, wanted)).items():
                kept[partition] += values
            done += wanted
            assert await channel.commit()
            # handed out, not committed: it comes again
            await taken(channel, min(7, total - done))
    committed = await log.committed()
    assert kept == {partition: [value for _, value in rows] for partition, rows in committed.items()}


async def test_a_restart_between_an_aborted_change_and_its_repetition_loses_nothing(log: Log) -> None:
    first, second = log.flips(10), log.flips(10)
    await log.write(first)
    await log.write(second, abort=True)
    options = {"isolation": "read_uncommitted", "group": log.prefix}
    async with log.channel(**options) as channel:
        assert len(await channel.snapshot()) > 0
        assert await channel.commit()
    await log.write(second)
    async with log.channel(**options) as channel:
        # the reader never handed out the changes that were aborted before the snapshot, and the snapshot lacks them
        found = await taken(channel, 10)
    assert sorted(each.value for each in found) == sorted(each.value for each in second)


async def test_positions_kept_by_the_reader_itself_go_on_where_it_was(log: Log) -> None:
    for _ in range(4):
        await log.write(log.flips(25))
    async with log.channel() as channel:
        await channel.snapshot()
        positions = channel.positions
        await log.write(log.flips(50))
        found = await taken(channel, 20)
        positions = {n: Position(*orjson.loads(orjson.dumps(tuple(each)))) for n, each in channel.positions.items()}
    async with log.channel(start=positions) as channel:
        found += await taken(channel, 30)
    everything = [value for rows in (await log.committed()).values() for _, value in rows]
    assert len({each.id for each in found}) == 50
    assert {each.value for each in found} <= set(everything)


async def test_a_gap_is_told_without_the_profile_and_again_until_the_snapshot_is_taken(log: Log) -> None:
    await log.write([activation("hcp:secret", "basics", True, 1)])
    async with log.channel(start="earliest") as channel:
        assert [each.sequence for each in await taken(channel, 1)] == [1]
        await log.write([activation("hcp:secret", "basics", True, 3)])
        for _ in range(2):
            with pytest.raises(Disorder, match="missing: sequence 2 was due, 3 came") as told:
                await taken(channel, 1)
            assert "secret" not in str(told.value)
            assert (told.value.topic, told.value.due, told.value.came) == (log.topic, 2, 3)
        assert [each.sequence for each in (await channel.snapshot()).values()] == [3]
        await log.write([activation("hcp:secret", "basics", False, 4)])
        assert [each.sequence for each in await taken(channel, 1)] == [4]


async def test_a_change_that_comes_again_and_differs_is_told(log: Log) -> None:
    await log.write([activation("hcp:secret", "basics", True, 1), activation("hcp:secret", "basics", False, 2)])
    await log.write([activation("hcp:secret", "another", True, 1)])
    async with log.channel(start="earliest") as channel:
        assert [each.sequence for each in await taken(channel, 2)] == [1, 2]
        with pytest.raises(Disorder, match="it came again and differs: sequence 3 was due, 1 came"):
            await taken(channel, 1)


async def test_a_record_that_is_no_change_stops_the_reader_at_its_place(log: Log) -> None:
    await log.producer.begin_transaction()
    await log.producer.send_and_wait(log.topic, b"{}", key=b"hcp:secret", partition=1)
    await log.producer.commit_transaction()
    async with log.channel(start="earliest") as channel:
        with pytest.raises(Unreadable, match="partition 1 offset 0: 'id' is no text"):
            await taken(channel, 1)
    async with log.channel(start="latest") as channel:
        changes = asyncio.create_task(taken(channel, 1))
        await asyncio.sleep(1)
        await log.write(log.flips(1))
        assert len(await changes) == 1


async def test_changes_that_retention_dropped_before_they_were_read_are_a_hole(log: Log) -> None:
    await log.write(log.flips(30))
    async with log.channel() as channel:
        await channel.snapshot()
        positions = channel.positions
    await log.write(log.flips(30))
    await log.drop_before({partition: each.offset + 1 for partition, each in positions.items()})
    async with log.channel(start=positions) as channel:
        with pytest.raises(Hole):
            await taken(channel, 1)
        assert len(await channel.snapshot()) > 0
    beyond = {partition: Position(1_000_000, 0) for partition in ALL}
    async with log.channel(start=beyond) as channel:
        with pytest.raises(Hole):
            await taken(channel, 1)


async def test_it_is_said_what_is_missing_before_anything_is_read(log: Log) -> None:
    with pytest.raises(NoChannel, match=r"telepathy"):
        await log.channel(topic_prefix=f"{log.prefix}.telepathy").__aenter__()
    with pytest.raises(ValueError, match="3 partitions"):
        await log.channel(partitions=[0, 3]).__aenter__()
    with pytest.raises(ValueError, match="name none"):
        log.channel(group="x", partitions=[0])
    for group in (None, log.prefix):
        async with log.channel(group=group) as channel:
            with pytest.raises(NoOffset, match="snapshot"):
                await taken(channel, 1)
    async with log.channel() as channel:
        with pytest.raises(ValueError, match="positions"):
            await channel.commit()


def fall_silent(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a channel's consumer go silent; the channel notices it soon, and once. Return the consumer."""
    open_ = channel._open  # noqa: SLF001

    async def opened() -> None:
        # on a busy machine the next consumer could seem silent, too
        monkeypatch.setattr(silence, "SILENT_S", 600.0)
        await open_()

    monkeypatch.setattr(channel, "_open", opened)
    monkeypatch.setattr(silence, "SILENT_S", 1.0)
    monkeypatch.setattr(silence, "SURE_S", 0.5)
    silent = channel._consumer  # noqa: SLF001
    silent.pause(*silent.assignment())
    return silent


@pytest.mark.parametrize("way", ["alone", "a group", "a group that has committed nothing"])
async def test_a_consumer_gone_silent_is_replaced_and_nothing_is_lost(
    log: Log, way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    in_a_group = way != "alone"
    async with log.channel(**({"group": log.prefix, "start": "latest"} if in_a_group else {})) as channel:
        if in_a_group:
            # the reader must know where to begin before the first change comes
            beginning = asyncio.create_task(taken(channel, 1))
            await wait_for(lambda: len(channel.positions) == PARTITIONS)
            beginning.cancel()
            await asyncio.gather(beginning, return_exceptions=True)
        else:
            assert await channel.snapshot() == {}
        silent, changes = None, []
        if way != "a group that has committed nothing":
            changes = log.flips(20)
            await log.write(changes)
            found = await taken(channel, 20)
            assert not in_a_group or await channel.commit()
            silent = fall_silent(channel, monkeypatch)
            changes += log.flips(30)
            await log.write(changes[20:])
            found += await taken(channel, 30)
        else:
            silent = fall_silent(channel, monkeypatch)
            changes = log.flips(30)
            await log.write(changes)
            found = await taken(channel, 30)
        assert channel._consumer is not silent  # noqa: SLF001
        # an open transaction holds the topic up: that is no silence
        await log.producer.begin_transaction()
        await log.send(log.flips(5))
        at = {TopicPartition(log.topic, partition): place.offset for partition, place in channel.positions.items()}
        ends = await channel._connection.ends("read_committed", list(at))  # noqa: SLF001
        await log.producer.abort_transaction()
    assert all(ends[tp] <= offset for tp, offset in at.items())
    assert sorted(each.value for each in found) == sorted(each.value for each in changes)
    said = [record.getMessage() for record in caplog.records if record.name == "streams.client.channel"]
    assert ["nothing was read" in line for line in said] == [True]


async def test_a_replacement_that_is_cut_off_is_made_later_and_positions_stay(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with log.channel() as channel:
        await channel.snapshot()
        await log.write(log.flips(20))
        await taken(channel, 20)
        stood = channel.positions
        fall_silent(channel, monkeypatch)
        opened = asyncio.Event()
        open_, hangs = channel._open, asyncio.Event()  # noqa: SLF001

        async def held() -> None:
            opened.set()
            await hangs.wait()
            await open_()

        monkeypatch.setattr(channel, "_open", held)
        await log.write(log.flips(10))
        reading = asyncio.create_task(taken(channel, 10))
        await opened.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert channel.positions == stood
        hangs.set()
        assert len(await taken(channel, 10)) == 10


async def test_a_group_goes_on_from_where_it_was_told_to_begin_when_it_has_committed_nothing(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.write(log.flips(40))
    async with log.channel(start="latest") as before:
        follow = asyncio.create_task(taken(before, 1))
        await wait_for(lambda: len(before.positions) == PARTITIONS)
        # the positions of a platform that has read without a group, from the first record on
        start = {partition: place._replace(since=0) for partition, place in before.positions.items()}
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
    async with log.channel(group=log.prefix, start=start) as channel:
        first = log.flips(5)
        await log.write(first)
        found = await taken(channel, 5)
        fall_silent(channel, monkeypatch)
        await log.write(log.flips(5))
        again = await taken(channel, 10)
    # changes that were handed out and not committed come again, and no earlier ones
    assert {each.value for each in found} <= {each.value for each in again}
    assert len({each.value for each in again}) == 10
    assert all(each.offset >= start[each.partition].offset for each in again)


async def test_a_consumer_whose_fetching_has_died_is_replaced_and_leaves_nothing(log: Log) -> None:
    async with log.channel() as channel:
        await channel.snapshot()
        consumer = channel._consumer  # noqa: SLF001

        def dies(*_: object) -> None:
            raise ValueError

        consumer._fetcher._get_actions_per_node = dies  # noqa: SLF001
        changes = log.flips(10)
        await log.write(changes[:5])
        await asyncio.wait({consumer._fetcher._fetch_task}, timeout=30)  # noqa: SLF001
        await log.write(changes[5:])
        found = await taken(channel, 10)
        assert channel._consumer is not consumer  # noqa: SLF001
    assert sorted(each.value for each in found) == sorted(each.value for each in changes)
    assert not [each for each in consumer._client._conns.values() if each.connected()]  # noqa: SLF001


async def test_a_platform_that_waits_for_less_than_a_replacement_takes_is_served_all_the_same(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with log.channel() as channel:
        await channel.snapshot()
        fall_silent(channel, monkeypatch)
        open_ = channel._open  # noqa: SLF001

        async def slow() -> None:
            await asyncio.sleep(3)
            await open_()

        monkeypatch.setattr(channel, "_open", slow)
        await log.write(log.flips(5))
        found: list[Change] = []
        async with asyncio.timeout(120):
            while len(found) < 5:
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        async for change in channel.changes():
                            found.append(change)  # noqa: PERF401 - it is cut off
    assert len({each.id for each in found}) == 5


async def test_a_group_shares_the_partitions_and_takes_over_where_the_other_stood(log: Log) -> None:
    await log.write(log.flips(60))
    found: list[list[Change]] = [[], []]

    async def read(number: int, until: asyncio.Event) -> None:
        async with log.channel(group=log.prefix, start="earliest", session_timeout_ms=6_000) as channel:

            async def follow() -> None:
                async for change in channel.changes():
                    found[number].append(change)
                    await channel.commit()

            following = asyncio.create_task(follow())
            await until.wait()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def seen(count: int) -> None:
        await wait_for(lambda: len({each.id for each in found[0] + found[1]}) == count)

    stops = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(read(0, stops[0]))
    await seen(60)
    second = asyncio.create_task(read(1, stops[1]))
    total = 60
    async with asyncio.timeout(60):
        while not found[1]:
            await log.write(log.flips(20))
            total += 20
            await asyncio.sleep(0.5)
    await seen(total)
    stops[0].set()
    await first
    await log.write(log.flips(60))
    await seen(total + 60)
    stops[1].set()
    await second
    assert {each.partition for each in found[0]} == set(ALL)
    committed = {value for rows in (await log.committed()).values() for _, value in rows}
    assert {each.value for each in found[0] + found[1]} == committed
    for mine in found:
        orders: dict[str, int] = {}
        for change in mine:
            assert change.sequence > orders.get(change.subject, 0)
            orders[change.subject] = change.sequence


def test_the_client_loads_nothing_of_segue_but_itself() -> None:
    code = "import sys, streams.client; print(*sorted(n for n in sys.modules if n.split('.')[0] in sys.argv[1:]))"
    names = ("rules", "streams", "pydantic", "faust", "redis", "ruamel", "typer", "rich")
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {name for name in done.stdout.split() if not name.startswith("streams.client")} == {"streams"}

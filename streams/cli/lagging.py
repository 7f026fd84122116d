"""How far behind the partitions are: the log's end, what is applied, what is published."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any, Final

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streams.cli.render.tables import row, table
from streams.cli.render.terminal import out, write_json
from streams.clock import SystemClock
from streams.exits import Exit
from streams.operations.servers import Servers
from streams.store.redis import RedisStore
from streams.wire.progress import read_progress

LOOK_S: Final = 2.0
"""How long unapplied records are looked for: an open transaction of somebody's producer may hide them."""
COUNTED_MAX: Final = 5_000
"""Unapplied records are counted one by one up to here; beyond, offsets are taken for records."""
FETCH_BYTES: Final = 1 << 17


@dataclass(frozen=True, slots=True)
class Reached:
    """Where one partition stands. Offsets are next records."""

    partition: int
    end: int
    applied: int | None
    """Of the state in Redis; None: there is none."""
    published: int | None
    """None: nothing was ever published."""
    catalogue: str

    @property
    def behind_from(self) -> int:
        """The first offset that may not be applied."""
        return max(self.applied or 0, self.published or 0)


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition's lag."""

    partition: int
    end: int
    applied: int | None
    published: int | None
    lag_records: int
    lag_seconds: float
    """Age of the oldest unapplied record; 0: there is none."""
    catalogue: str


async def follow(servers: Servers, every_s: float | None, as_json: bool) -> None:
    """Show the lag once, or again and again; status 1 if a partition has no state."""
    deployment = servers.deployment
    await servers.expect_topics(deployment.events_topic, deployment.progress_topic)
    options = {"max_partition_fetch_bytes": FETCH_BYTES}
    async with servers.reading(deployment.events_topic, **options) as (consumer, partitions):
        with Live(console=out, auto_refresh=False) if every_s and not as_json and out.is_terminal else _Plain() as live:
            while True:
                lags = await measure(servers, consumer, partitions)
                if as_json:
                    write_json(as_value(lags))
                else:
                    live.update(_table(lags), refresh=True)
                if every_s is None:
                    break
                await asyncio.sleep(every_s)
    if any(each.applied is None for each in lags):
        raise typer.Exit(int(Exit.WRONG_INPUT))


class _Plain:
    """Shows each table below the last."""

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def update(self, shown: Table, *, refresh: bool) -> None:
        out.print(shown)


async def measure(
    servers: Servers, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
) -> list[PartitionLag]:
    """Measure every partition's lag, now."""
    deployment = servers.deployment

    async def reach(partition: int, store: RedisStore) -> Reached:
        _, end = await servers.log.offsets(deployment.events_topic, partition)
        last = await servers.log.last(deployment.progress_topic, partition)
        meta = await store.read_meta()
        return Reached(
            partition,
            end,
            None if meta is None else meta.offset,
            None if last is None else read_progress(last.value).offset,
            "" if meta is None else meta.catalogue,
        )

    reached = await servers.in_each(reach)
    unapplied = await behind(consumer, [each for each in reached if each.end > each.behind_from])
    now_ms = SystemClock().wall_ms()
    return [
        PartitionLag(
            each.partition,
            each.end,
            each.applied,
            each.published,
            count,
            0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000,
            each.catalogue,
        )
        for each in reached
        for count, oldest_ms in [unapplied.get(each.partition, (0, None))]
    ]


async def behind(consumer: AIOKafkaConsumer, reached: Sequence[Reached]) -> dict[int, tuple[int, int | None]]:
    """Count the records between what is applied and the end, and take the first one's timestamp.

    Those hidden by an open transaction are counted by their offsets, without a timestamp.
    """
    if not reached:
        return {}
    [topic] = {partition.topic for partition in consumer.assignment()}
    waiting = {TopicPartition(topic, each.partition): each for each in reached}
    counts = dict.fromkeys(waiting, 0)
    oldest: dict[TopicPartition, int] = {}
    consumer.pause(*consumer.assignment())
    for tp, each in waiting.items():
        beginning = (await consumer.beginning_offsets([tp]))[tp]
        consumer.seek(tp, max(each.behind_from, beginning))
    consumer.resume(*waiting)
    found: dict[int, tuple[int, int | None]] = {}
    until = monotonic() + LOOK_S
    while waiting and monotonic() < until:
        for tp, records in (await consumer.getmany(timeout_ms=100)).items():
            if tp in waiting:
                end = waiting[tp].end
                counts[tp] += sum(record.offset < end for record in records)
                if records and records[0].offset < end:
                    oldest.setdefault(tp, records[0].timestamp)
        for tp in list(waiting):
            position = await consumer.position(tp)
            if position >= waiting[tp].end or counts[tp] >= COUNTED_MAX:
                found[tp.partition] = (counts[tp] + max(0, waiting.pop(tp).end - position), oldest.get(tp))
                consumer.pause(tp)
    for tp, each in waiting.items():
        found[tp.partition] = (counts[tp] + each.end - await consumer.position(tp), oldest.get(tp))
    return found


def as_value(lags: Sequence[PartitionLag]) -> dict[str, Any]:
    """For programs."""
    return {
        "partitions": [asdict(each) for each in lags],
        "lag_records": sum(each.lag_records for each in lags),
        "lag_seconds": max(each.lag_seconds for each in lags),
    }


def _table(lags: Sequence[PartitionLag]) -> Table:
    names = ("partition", "log end", "applied", "published", "lag records", "lag seconds")
    shown = table(*names, "catalogue", right=names)
    for each in lags:
        missing = Text("no state", "bold red")
        shown.add_row(
            *row(
                [
                    each.partition,
                    f"{each.end:,}",
                    missing if each.applied is None else f"{each.applied:,}",
                    "" if each.published is None else f"{each.published:,}",
                    Text(f"{each.lag_records:,}", "yellow" if each.lag_records else ""),
                    f"{each.lag_seconds:.1f}",
                    each.catalogue[:12],
                ]
            )
        )
    totals = as_value(lags)
    shown.add_section()
    shown.add_row(*row(["all", "", "", "", f"{totals['lag_records']:,}", f"{totals['lag_seconds']:.1f}", ""]))
    return shown

"""How many records lie between an offset and the end of a log, and how old the first of them is."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

LOOK_S: Final = 2.0
"""How long unapplied records are looked for: a producer's open transaction may hide them."""
COUNTED_MAX: Final = 5_000
"""Unapplied records are counted one by one up to here; beyond, offsets are taken for records."""
FETCH_BYTES: Final = 1 << 17
"""A fetch of one partition: a count needs no large ones."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Where one partition stands. Offsets are next records."""

    partition: int
    end: int
    applied: int | None
    published: int | None
    catalogue: str

    @property
    def behind_from(self) -> int:
        """The first offset that may not be applied."""
        return max(self.applied or 0, self.published or 0)


async def behind(consumer: AIOKafkaConsumer, reached: Sequence[Reached]) -> dict[int, tuple[int, int | None]]:
    """Return by partition how many records are not applied, and the timestamp of the first in epoch milliseconds.

    Records that an open transaction hides are counted by their offsets; their timestamp is None.
    """
    if not reached:
        return {}
    [topic] = {partition.topic for partition in consumer.assignment()}
    waiting = {TopicPartition(topic, each.partition): each for each in reached}
    counts = dict.fromkeys(waiting, 0)
    oldest: dict[TopicPartition, int] = {}
    await _seek(consumer, waiting)
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


async def _seek(consumer: AIOKafkaConsumer, waiting: dict[TopicPartition, Reached]) -> None:
    """Let the consumer read these partitions only, each from its first record that may not be applied."""
    consumer.pause(*consumer.assignment())
    for tp, each in waiting.items():
        beginning = (await consumer.beginning_offsets([tp]))[tp]
        consumer.seek(tp, max(each.behind_from, beginning))
    consumer.resume(*waiting)

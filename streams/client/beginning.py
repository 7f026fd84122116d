"""Where reading of a partition begins: what the group has committed, else where it was left, else what `start` says."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from .connection import Connection
from .errors import Hole, NoOffset
from .order import REPEATS_MAX
from .position import Position, Start


@dataclass(frozen=True, slots=True)
class Beginning:
    """Read from an offset, hand out from a position: what lies between is looked back at, to know repeats again."""

    offset: int
    position: Position


class Beginnings:
    """Finds where to begin in a channel's topic of changes."""

    def __init__(self, connection: Connection, topic: str, group: str | None, start: Start | None) -> None:
        self._connection: Final = connection
        self._topic: Final = topic
        self._group: Final = group
        self._start: Final = start

    async def find(
        self, consumer: Any, partitions: Collection[int], left: Mapping[int, Position]
    ) -> dict[int, Beginning]:
        """Find where to begin some partitions; `left`: where their reading was left. Raises NoOffset, Hole, KafkaError.

        `consumer`: one that runs.
        """
        tps = {partition: TopicPartition(self._topic, partition) for partition in partitions}
        firsts = await consumer.beginning_offsets(list(tps.values()))
        lasts = firsts
        if self._start == "latest":
            # no reader may begin inside a transaction, whatever its isolation: all begin at the last stable offset
            lasts = await self._connection.ends("read_committed", list(tps.values()))
        kept = {**(self._start if isinstance(self._start, Mapping) else {}), **left, **await self._committed(tps)}
        found = {}
        for partition, tp in tps.items():
            first, position = firsts[tp], kept.get(partition)
            if position is None:
                if self._start not in ("earliest", "latest"):
                    what = "take the snapshot, or say with `start` where to begin"
                    raise NoOffset(self._topic, partition, first, what)
                position = Position(lasts[tp], lasts[tp])
            if position.offset < first:
                raise Hole(self._topic, partition, position.offset, f"the topic begins at {first} now")
            offset = max(position.since, position.offset - REPEATS_MAX, first)
            found[partition] = Beginning(offset, position)
        return found

    async def _committed(self, tps: Mapping[int, TopicPartition]) -> dict[int, Position]:
        if self._group is None:
            return {}
        committed = await self._connection.committed(self._group, list(tps.values()))
        return {
            partition: Position.read_committed(committed[tp])
            for partition, tp in tps.items()
            if committed[tp].offset >= 0
        }

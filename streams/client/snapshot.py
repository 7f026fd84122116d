"""Who is active at one offset of a channel's changes, exactly: nothing is missing, nothing is ahead.

The snapshot's topic and the topic of changes are written in the same transactions, but they are two topics: what their
ends say belongs together only if they are asked in this order (numbers as in `take`):

1. the last stable offset of the changes. Every change before it is decided, and if it was committed its record in the
   snapshot's topic was written before the commit: it stands below any end of that topic that is asked for later;
2. the high watermark of the snapshot's topic, and 3. everything committed below it. Compaction may take a record away
   before it is read, but only for a later record of the same key, whose change is then not before (1): if it were
   decided there, its own record would stand below (2) and be read instead;
4. the high watermark of the changes, asked when all of (3) is decided and read: every change in (3) is below it;
5. everything committed from (1) to (4), folded in by key and sequence: what (3) held already changes nothing;
6. the last stable offset of the changes now, not before (4), and what is committed up to it.

So the result is what all changes before (6) come to, and (6) is where to follow from. Not from (4): that may be amid a
transaction, and who is not `read_committed` would see the rest of one that was aborted before it comes again whole. At
a last stable offset none is cut in two, for a partition has one writer, and that has one transaction at a time.
"""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from aiokafka import ConsumerRecord, TopicPartition

from .change import ActiveKey, Change, Standing
from .connection import Isolation
from .reading import read_change, read_standing

POLL_MS: Final = 500

Connect: TypeAlias = Callable[[Isolation], AbstractAsyncContextManager[Any]]
"""Makes a consumer of an isolation level, started and without partitions."""
Offsets: TypeAlias = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Who is active, and the offset of each partition's changes at which that is so."""

    active: dict[ActiveKey, Change]
    offsets: dict[int, int]


async def take(connect: Connect, changes_topic: str, current_topic: str, partitions: Collection[int]) -> Snapshot:
    """Take the snapshot of some partitions; holds everybody active in memory.

    Waits for transactions that are open (their time-out is Segue's, 10 s). Raises Unreadable, and KafkaError.
    """
    changes = [TopicPartition(changes_topic, partition) for partition in partitions]
    current = [TopicPartition(current_topic, partition) for partition in partitions]
    found: dict[ActiveKey, Standing] = {}
    async with connect("read_committed") as reader, connect("read_uncommitted") as ends:
        decided = await reader.end_offsets(changes)  # 1
        until = await ends.end_offsets(current)  # 2
        async for record in _committed(reader, await reader.beginning_offsets(current), until):  # 3
            standing = read_standing(record)
            found[standing.key] = standing
        until = await ends.end_offsets(changes)  # 4
        async for record in _committed(reader, decided, until):  # 5
            _fold(found, read_change(record))
        after = await reader.end_offsets(changes)  # 6
        async for record in _committed(reader, until, after):
            _fold(found, read_change(record))
    active = {key: standing.active for key, standing in found.items() if standing.active is not None}
    return Snapshot(active, {each.partition: max(until[each], after[each]) for each in changes})


def _fold(found: dict[ActiveKey, Standing], change: Change) -> None:
    before = found.get(change.key)
    if before is None or before.sequence < change.sequence:
        found[change.key] = Standing(change.key, change.sequence, change if change.activated else None)


async def _committed(reader: Any, starts: Offsets, ends: Offsets) -> AsyncIterator[ConsumerRecord]:
    """Read what is committed from one offset to another, waiting for what is undecided between."""
    waiting = [each for each, start in starts.items() if start < ends[each]]
    if waiting:
        reader.assign(waiting)
    for each in waiting:
        reader.seek(each, starts[each])
    while waiting:
        for each, records in (await reader.getmany(timeout_ms=POLL_MS)).items():
            for record in records:
                if record.offset < ends[each]:
                    yield record
        # the position, not the last record: the markers of transactions are no records
        waiting = [each for each in waiting if await reader.position(each) < ends[each]]

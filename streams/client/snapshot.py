"""Read who is active at one offset of a channel's changes, exactly: no change is missing, none is ahead.

Segue writes the snapshot's topic and the topic of changes in the same transactions. But they are two topics: their ends
belong together only if they are asked for in this order (numbers as in `take`):

1. the last stable offset of the changes. Every change before it is decided, and if it was committed its record in the
   snapshot's topic was written before the commit: it stands below any end of that topic that is asked for later;
2. the high watermark of the snapshot's topic, and 3. everything committed below it. Compaction may take a record away
   before it is read, but only for a later record of the same key, whose change is then not before (1): if it were
   decided there, its own record would stand below (2) and be read instead;
4. the high watermark of the changes, asked when all of (3) is decided and read: every change in (3) is below it;
5. everything committed from (1) to (4), folded in by key and sequence: what (3) held already changes nothing;
6. the last stable offset of the changes now, not before (4), and what is committed up to it.

So the result is the fold of all changes before (6), and following begins at (6). It cannot begin at (4): that offset
may lie inside a transaction. A reader that is not `read_committed` would see the rest of an aborted transaction before
all of it comes again. A last stable offset cuts no transaction in two: a partition has one writer, and the writer has
one transaction at a time.
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
"""Makes a consumer of an isolation level: started, without partitions."""
Offsets: TypeAlias = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The active keys, and by partition the offset of the changes at which they are active."""

    active: dict[ActiveKey, Change]
    offsets: dict[int, int]


async def take(connect: Connect, changes_topic: str, current_topic: str, partitions: Collection[int]) -> Snapshot:
    """Take the snapshot of some partitions. Holds all active profiles in memory.

    Waits for transactions that are open (Segue's time out after 10 s). Raises Unreadable, and KafkaError.
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
    """Yield the committed records between two offsets; wait for transactions that are open there."""
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

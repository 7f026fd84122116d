"""Where many partitions begin and end, and up to where readers see them: asked of each leader at a time."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from aiokafka import TopicPartition, errors
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from streams.log.batches import Batches
from streams.log.call import EARLIEST, LATEST, Call

BATCH_BYTES: Final = 1 << 12
"""How much of the first batch is asked for. A larger batch comes whole all the same (KIP-74)."""


class Watermarks(NamedTuple):
    """Offsets of one partition. `stable` and `start` were asked for after `end`."""

    start: int
    """The oldest record that is kept."""
    stable: int
    """The last stable offset: read_committed readers see the records before it."""
    end: int
    """The high watermark."""

    @property
    def unstable_records(self) -> int:
        """Offsets that readers do not see, because a transaction before them is open."""
        return max(0, self.end - self.stable)


async def find_watermarks(call: Call, wanted: Iterable[TopicPartition]) -> dict[tuple[str, int], Watermarks]:
    """Return the watermarks of partitions; those whose leader refuses at the moment are left out. Raises KafkaError."""
    by_leader: dict[int, list[TopicPartition]] = defaultdict(list)
    for topic in {tp.topic for tp in wanted}:
        await call.partitions(topic)
    for tp in wanted:
        leader = call.client.cluster.leader_for_partition(tp)
        if leader is not None and leader != -1:
            by_leader[leader].append(tp)
    found = await asyncio.gather(*(_of_leader(call, leader, tps) for leader, tps in by_leader.items()))
    return {tp: marks for each in found for tp, marks in each.items()}


async def _of_leader(call: Call, leader: int, tps: list[TopicPartition]) -> dict[TopicPartition, Watermarks]:
    topics: dict[str, list[int]] = defaultdict(list)
    for tp in tps:
        topics[tp.topic].append(tp.partition)

    async def ask(isolation: int, which: int) -> dict[TopicPartition, int]:
        asked = [(topic, [(number, which) for number in numbers]) for topic, numbers in topics.items()]
        answer = await call.client.send(leader, OffsetRequest(-1, isolation, asked))
        return {
            TopicPartition(topic, number): offset
            for topic, partitions in answer.topics
            for number, code, _, offset, *_ in partitions
            if code == errors.NoError.errno
        }

    # the end first: what is stable by then may have become so meanwhile, and is never said to be unstable
    ends = await ask(READ_UNCOMMITTED, LATEST)
    stables = await ask(READ_COMMITTED, LATEST)
    starts = await ask(READ_UNCOMMITTED, EARLIEST)
    if not ends:
        call.client.force_metadata_update()
    return {tp: Watermarks(starts[tp], stables[tp], end) for tp, end in ends.items() if tp in stables and tp in starts}


async def find_stamp(call: Call, topic: str, partition: int, offset: int) -> int | None:
    """Return the timestamp of the first record at an offset or after it, also in a transaction that is open or aborted.

    None: there is none in the first batch that comes.
    """
    asked = [(topic, [(partition, offset, BATCH_BYTES)])]
    request = FetchRequest(0, 0, BATCH_BYTES, READ_UNCOMMITTED, asked)
    answer = await call.ask_leader(TopicPartition(topic, partition), request)
    batches = Batches(answer[-1])
    while batches.has_next():
        batch = batches.next_batch()
        if batch is None or batch.is_control_batch:
            continue
        for record in batch:
            if record.offset >= offset:
                return int(record.timestamp)
    return None

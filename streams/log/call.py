"""One question to the Kafka cluster, asked again until it is answered; and the reads that consist of such questions.

Fetches never wait at the broker (`max_wait_ms` 0): requests on one connection are answered in order, so one fetch that
waits would hold up every other claim. A `Call` waits between its requests instead.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from aiokafka import TopicPartition, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, PartitionRecords
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest

from streams.log.batches import Batches
from streams.records import Stored

FETCH_BYTES_MAX: Final = 1 << 20
"""How much a fetch of one partition asks for. A larger batch comes whole all the same (KIP-74)."""
POLL_S: Final = (0.002, 0.05)
"""The first and the longest wait between two requests of a call. The markers of a transaction take a few ms."""
LATEST: Final = -1
EARLIEST: Final = -2


class Call:
    """One question over one client. Its waits grow while it makes no progress, and it remembers what it waits for.

    It has no deadline of its own: `KafkaLog` sets one around it.
    """

    def __init__(self, client: AIOKafkaClient) -> None:
        self.client = client
        self.waits_for = ""
        """Why the last request did not answer the question; "": it did."""
        self.held = False
        """Whether the reason is a transaction that is open."""
        self._wait_s = POLL_S[0]

    async def wait(self, why: errors.KafkaError | str, *, held: bool = False) -> None:
        """Wait before the next request. An error other than CONCURRENT_TRANSACTIONS asks for new metadata, too."""
        self.waits_for, self.held = why if isinstance(why, str) else type(why).__name__, held
        if isinstance(why, errors.KafkaError) and not isinstance(why, errors.ConcurrentTransactions):
            self.client.force_metadata_update()
            self._wait_s = POLL_S[1]
        await asyncio.sleep(self._wait_s)
        self._wait_s = min(2 * self._wait_s, POLL_S[1])

    def got_on(self) -> None:
        """Note progress: the next wait is a short one."""
        self.waits_for, self.held = "", False
        self._wait_s = POLL_S[0]

    async def partitions(self, topic: str) -> list[int]:
        """Return the partitions of a topic. Raises KafkaError: there is no such topic."""
        return sorted(await self.client._wait_on_metadata(topic))  # noqa: SLF001 - no public call asks for one topic

    async def ask_leader(self, tp: TopicPartition, request: Any) -> list[Any]:
        """Send a request for one partition to its leader; return what follows the error code in the answer.

        Asks again after an error that may pass. Raises other KafkaErrors.
        """
        while True:
            try:
                await self.partitions(tp.topic)
                leader = self.client.cluster.leader_for_partition(tp)
                if leader is None or leader == -1:
                    raise errors.LeaderNotAvailableError(tp)
                code, rest = _only(await self.client.send(leader, request))
                check(code)
            except errors.KafkaError as error:
                if not error.retriable:
                    raise
                await self.wait(error)
            else:
                return rest


async def find_offsets(call: Call, topic: str, partition: int) -> tuple[int, int]:
    """Return (log start offset, high watermark).

    Asks by ListOffsets: a new leader refuses it until its high watermark is as high as its predecessor's was (KIP-207),
    which the answer to a fetch does not promise. Asks as read_uncommitted: read_committed would give the last stable
    offset.
    """
    tp = TopicPartition(topic, partition)
    asked = [OffsetRequest(-1, READ_UNCOMMITTED, [(topic, [(partition, which)])]) for which in (EARLIEST, LATEST)]
    start, end = await asyncio.gather(*(call.ask_leader(tp, request) for request in asked))
    call.got_on()
    return start[-1], end[-1]


async def read_records(call: Call, topic: str, partition: int, position: int, end: int) -> list[Stored]:
    """Return the committed records from a position up to an end; waits for transactions that are open between."""
    tp = TopicPartition(topic, partition)
    records: list[Stored] = []
    empty = 0
    while position < end:
        request = FetchRequest(
            0, 0, FETCH_BYTES_MAX, READ_COMMITTED, [(topic, [(partition, position, FETCH_BYTES_MAX)])]
        )
        _, stable, *rest = await call.ask_leader(tp, request)
        # v4: [aborted, records]; v5-10: [start, aborted, records]; v11: [start, aborted, replica, records]
        aborted = rest[0] if len(rest) == 2 else rest[1]
        batches = PartitionRecords(tp, Batches(rest[-1]), aborted, position, None, None, True, READ_COMMITTED)
        records += [Stored(each.offset, each.key, each.value, each.timestamp) for each in batches if each.offset < end]
        if batches.next_fetch_offset > position:
            position, empty = batches.next_fetch_offset, 0
            call.got_on()
        elif stable >= end and empty:
            # every transaction below the end has ended, and two fetches brought nothing: compaction took the tail
            position = end
        else:
            held = stable < end
            empty = 0 if held else empty + 1
            why = f"a transaction is open from offset {stable}" if held else "nothing came before the end"
            await call.wait(why, held=held)
    return records


def _only(answer: Any) -> tuple[int, list[Any]]:
    """Take the answer for the one partition that was asked about: its error code, and what follows it."""
    [(_, [(_, code, *rest)])] = answer.topics
    return code, rest


def check(code: int) -> None:
    """Raise the KafkaError of an error code; return for 0."""
    error: Callable[[], errors.KafkaError] = errors.for_code(code)
    if error is not errors.NoError:
        raise error()

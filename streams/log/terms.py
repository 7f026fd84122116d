"""The log as Segue's protocol needs it: terms and contract. Implementations: `memory` (model), `kafka`.

Terms: *offset* is the next record to read. *Committed* records are those of committed transactions, and those
appended outside any. The *end* of a partition is the high watermark, asked for after the step before, once a
`read_committed` position has come to it (design section 5): never the last stable offset. A reader therefore waits
for the markers of every transaction below it, and for an open one until it is ended, fenced or timed out.
"""

from collections.abc import Sequence
from typing import Protocol

from streams.records import OutRecord, Stored


class Ring(Protocol):
    """A worker's small ring of transactional producers; one transaction at a time, the next producer each time."""

    @property
    def name(self) -> str:
        """Random, of this incarnation; the ring's key in `segue.owners`."""
        ...

    @property
    def ids(self) -> tuple[str, ...]:
        """The transactional ids: random, of this incarnation, each initialised once, before the ring is returned."""
        ...

    @property
    def over(self) -> bool:
        """Whether a Doubt has ended it."""
        ...

    async def transaction(self, records: Sequence[OutRecord]) -> list[int]:
        """Publish the records in one transaction: every delivery awaited, then committed, then answered.

        Records of one partition keep their order. Returns the offset of each record in order, as the producer reports
        it (-1 where the report lacks it: nothing may rest on it). Raises Doubt on anything else; after that every
        further call raises Doubt. Cancelled half-way, the ring is over as well. RecordTooLarge: nothing was sent, the
        ring lives. Calls do not overlap (a second caller waits). An empty sequence does nothing.
        """
        ...

    async def close(self) -> None:
        """Close every producer within a deadline, idempotently; an open transaction is left to be fenced."""
        ...


class Log(Protocol):
    """What claims, publishing and silent replay ask of Kafka. All methods raise NotReachable, within a deadline."""

    async def open_ring(self, size: int) -> Ring:
        """Make a ring of `size` producers with fresh random ids, all initialised."""
        ...

    async def fence(self, transactional_id: str) -> None:
        """InitProducerId on that id: aborts or completes what was open, and returns only when that is done."""
        ...

    async def read_to_end(self, topic: str, partition: int) -> list[Stored]:
        """Read every committed record of a (small) partition to its end as defined above, in offset order."""
        ...

    async def last(self, topic: str, partition: int) -> Stored | None:
        """The last committed record of a partition, its end as defined above, read backwards in growing windows."""
        ...

    async def at(self, topic: str, partition: int, offset: int) -> Stored | None:
        """The committed record at exactly this offset; None: there is none (trimmed, a marker, aborted)."""
        ...

    async def find(self, topic: str, key: bytes) -> bytes | None:
        """The value of the last committed record with that key in any partition of a compacted topic; for catalogues.

        Partitions are looked at in order, and the first that holds the key (not as a tombstone) answers.
        """
        ...

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """(log start offset, high watermark)."""
        ...

    async def append(self, record: OutRecord) -> int:
        """Append one record outside any transaction, acknowledged by all; its offset. For ticks.

        NotReachable: it may or may not have been appended, and may yet be.
        """
        ...

    async def close(self) -> None:
        """Close every client. Rings are closed by their owners."""
        ...

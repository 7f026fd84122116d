"""The log as Segue's protocol needs it: terms and contract. Implementations: `client` (Kafka), `tests.models.log`.

- *Offset*: the next record to read.
- *Committed record*: a record of a committed transaction, or one that was appended outside any transaction.
- *End* of a partition: its high watermark, asked for after the step before. It is never the last stable offset.

A reader reads committed records up to the end. So it waits for the marker of every transaction below the end; a
transaction that is open holds it up until that transaction is ended, fenced or timed out. docs/protocol.md says why
claims need this.
"""

from collections.abc import Sequence
from typing import Protocol

from streams.records import OutRecord, Stored


class Ring(Protocol):
    """A worker's small ring of transactional producers: one transaction at a time, the next producer each time."""

    @property
    def name(self) -> str:
        """A random name, new with every ring; the ring's key in `segue.owners`."""
        ...

    @property
    def ids(self) -> tuple[str, ...]:
        """The transactional ids: random, new with every ring. Each is initialised before the ring is returned."""
        ...

    @property
    def over(self) -> bool:
        """Whether a Doubt has ended the ring."""
        ...

    async def transaction(self, records: Sequence[OutRecord]) -> list[int]:
        """Publish the records in one transaction: await every delivery, then commit, then await the answer.

        Records of one partition keep their order. Returns the offset of each record, in order, as the producer reports
        it; -1 where the report lacks it, so nothing may rest on it. An empty sequence does nothing. Calls do not
        overlap: a second caller waits. A transaction with a record that the broker stamps before its `stamp_min_ms` is
        not committed.

        Raises RecordTooLarge: nothing was sent, and the ring goes on. Raises Doubt in every other case; the ring is
        over then, and every later call raises Doubt. A call that is cancelled half-way ends the ring, too.
        """
        ...

    async def close(self) -> None:
        """Close every producer within a deadline; may be repeated. An open transaction is left to be fenced."""
        ...


class Log(Protocol):
    """What claims, publishing and silent replay ask of Kafka. Every method raises NotReachable, within a deadline."""

    async def open_ring(self, size: int) -> Ring:
        """Make a ring of `size` producers with new random ids, all initialised."""
        ...

    async def fence(self, transactional_id: str) -> None:
        """Initialise that id anew (InitProducerId). Returns when its open transaction is aborted or completed."""
        ...

    async def read_to_end(self, topic: str, partition: int) -> list[Stored]:
        """Return every committed record of a (small) partition up to its end, in offset order."""
        ...

    async def last(self, topic: str, partition: int) -> Stored | None:
        """Return the last committed record of a partition; reads backwards from its end in growing windows."""
        ...

    async def record_at(self, topic: str, partition: int, offset: int) -> Stored | None:
        """Return the committed record at this offset; None if there is none (trimmed, a marker, an aborted record)."""
        ...

    async def find(self, topic: str, key: bytes) -> bytes | None:
        """Return the value of the last committed record with that key in a compacted topic; None if there is none.

        Reads one partition after the other, each whole. The first one in which the key's last record is no tombstone
        answers. For catalogues.
        """
        ...

    async def offsets(self, topic: str, partition: int) -> tuple[int, int]:
        """Return (log start offset, high watermark)."""
        ...

    async def append(self, record: OutRecord) -> int:
        """Append one record outside any transaction, acknowledged by all replicas; return its offset. For ticks.

        NotReachable: the record may have been appended, or may be appended yet.
        """
        ...

    async def close(self) -> None:
        """Close every client. The owners of rings close these."""
        ...

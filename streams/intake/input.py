"""The input of a partition as its owner sees it: batches of fetched records, and how far they are read.

Implementations: `streams.intake.transport.BatchConsumer` (Kafka, in Faust), and the models of tests and simulation.
"""

from typing import NamedTuple, Protocol

from streams.records import Batch


class InputOffsets(NamedTuple):
    """How far the consumer has read a partition, as last heard. None: not known."""

    next: int | None
    """The next record to read."""
    end: int | None
    """The high watermark."""
    heard_ms: int | None = None
    """When the broker last answered with it (UTC epoch ms)."""

    @property
    def at_end(self) -> bool:
        """Whether every record was read."""
        return self.next is not None and self.end is not None and self.next >= self.end


class BatchQueue(Protocol):
    """Takes the batches of one open partition: `streams.intake.inbox.Inbox`."""

    def put(self, batch: Batch) -> None:
        """Take a fetched batch. Must not block; hold the partition when it is too much."""
        ...

    def unreadable(self, error: BaseException) -> None:
        """Learn that the log does not hold the next record to read. The partition was shut."""
        ...


class Input(Protocol):
    """What the owner of a partition may ask of the event topic."""

    async def open(self, partition: int, offset: int, queue: BatchQueue) -> None:
        """Seek a partition and put its batches into the queue from there on, until `shut` or a rebalance.

        A batch that was fetched before is never put into it.
        """
        ...

    def shut(self, partition: int) -> None:
        """Stop reading a partition. Records on their way are dropped."""
        ...

    def hold(self, partition: int) -> None:
        """Stop reading a partition for a while. Records on their way are still put into its queue."""
        ...

    def resume(self, partition: int) -> None:
        """Read again after `hold`."""
        ...

    def offsets(self, partition: int) -> InputOffsets:
        """Return how far a partition is read."""
        ...

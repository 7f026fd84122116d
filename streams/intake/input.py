"""The input of a partition as its runner sees it: batches of fetched records, and where reading stands.

Implementations: `streams.intake.transport.Consumer` (Kafka, in Faust), and the models of tests and simulation.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class InputOffsets:
    """How far the consumer has read a partition, as last heard. None: not known."""

    next: int | None
    """The next record to read."""
    end: int | None
    """The high watermark."""

    @property
    def at_end(self) -> bool:
        """Whether nothing is left to read."""
        return self.next is not None and self.end is not None and self.next >= self.end


class Input(Protocol):
    """What a runner may ask of the event topic. Batches come by `PartitionRunner.on_batch`."""

    async def open(self, partition: int, offset: int) -> None:
        """Seek a partition and read it from there. What was fetched before is never handed over."""
        ...

    def shut(self, partition: int) -> None:
        """Read a partition no more; records on their way are dropped."""
        ...

    def hold(self, partition: int) -> None:
        """Read a partition no more for now; records on their way are still handed over."""
        ...

    def resume(self, partition: int) -> None:
        """Read on after `hold`."""
        ...

    def offsets(self, partition: int) -> InputOffsets:
        """Return how far a partition is read."""
        ...

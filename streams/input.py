"""The input of a partition as its runner sees it: batches of fetched records, and where reading stands.

Implementations: `streams.transport.Consumer` (Kafka, in Faust), and the models of tests and simulation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

LOG_APPEND_TIME: Final = 1
"""`timestamp_type` of a record that the broker stamped."""


class Fetched(Protocol):
    """A fetched record; aiokafka's `ConsumerRecord` is one."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def timestamp_type(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


Batch: TypeAlias = Sequence[Fetched]
"""Committed records of one partition in offset order; offsets may leave gaps (markers); never empty."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reading of a partition stands: its position and the high watermark, as last heard. None: unknown."""

    position: int | None
    end: int | None

    @property
    def at_end(self) -> bool:
        """Whether nothing is left to read."""
        return self.position is not None and self.end is not None and self.position >= self.end


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

    def place(self, partition: int) -> Place:
        """Tell where the reading of a partition stands."""
        ...

"""What the partitions of one worker share: everything that reaches servers and clocks, and the limits to keep."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.outcome import Withdrawal
from rules.engine.persons.effects import Effect
from streams.clock import Clock
from streams.intake.bad_input import BadInputLimits
from streams.intake.input import Input
from streams.log.terms import Log
from streams.metrics.tally import Tally
from streams.partition.points import UNOBSERVED, OnPoint
from streams.records import Fetched, OutRecord
from streams.settings import Deployment


class OutputRecords(Protocol):
    """Makes the records of the output; `streams.wire.maker.RecordMaker` is the one that ships."""

    def change_records(self, partition: int, change: AnyChange) -> Sequence[OutRecord]:
        """Return the records of one change, in order."""
        ...

    def withdrawal(self, partition: int, withdrawal: Withdrawal) -> OutRecord:
        """Return the tombstone of a standing membership in the old topic of its segment."""
        ...

    def effect(self, effect: Effect) -> OutRecord:
        """Return the record of the input that tells an effect to its target, in the target's partition."""
        ...

    def dead_letter(self, partition: int, record: Fetched, code: str, place: str = "") -> OutRecord:
        """Return the dead letter of a refused record; `place` inside the event, "": not known."""
        ...

    def tick(self, partition: int) -> OutRecord:
        """Return a tick for the input partition."""
        ...


UNWRITTEN_MIN: Final = 5_000
"""So many profiles of a worker may wait to be written, even where it keeps fewer that are."""


@dataclass(frozen=True, slots=True)
class PartitionLimits:
    """The limits of each partition of a worker; `streams.settings.Settings` says what they are."""

    checkpoint_every_ms: int = 1_000
    unpublished_records_max: int = 50_000
    changes_per_transaction_max: int = 1_000
    profiles_cached_max: int = 200_000
    """How many clean profiles are kept in memory, of all partitions that the worker holds: each has an equal share."""


@dataclass(frozen=True, slots=True)
class PartitionShared:
    """What the partitions of one worker share."""

    log: Log
    input: Input
    wire: OutputRecords
    deployment: Deployment
    clock: Clock
    bad_input: BadInputLimits
    catalogue: Callable[[str], Awaitable[Catalogue]]
    """Returns the catalogue of a hash. Raises Incident: it is not stored. Waits while the log cannot be reached."""
    limits: PartitionLimits = field(default_factory=PartitionLimits)
    on_point: OnPoint = UNOBSERVED
    tally: Tally | None = None
    """Counts for the metrics; None: nobody asks for them."""
    traced: bool = False
    """Whether spans are wanted."""
    held: Callable[[], int] = lambda: 1
    """Returns how many partitions the worker holds."""

    @property
    def kept_max(self) -> int:
        """How many clean profiles a partition keeps in memory: its share of the worker's."""
        return self.limits.profiles_cached_max // max(1, self.held())

    @property
    def unwritten_max(self) -> int:
        """With more profiles in memory that the store has not as they are, a partition applies nothing."""
        return max(2, max(UNWRITTEN_MIN, self.limits.profiles_cached_max) // max(1, self.held()))

"""What a runner works with: all that reaches the world outside, given in, and the limits it keeps to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from rules.catalogue.catalogue import Catalogue
from rules.engine.change import AnyChange
from rules.engine.partition import Rehomed
from streams.clock import Clock
from streams.intake.guard import RefusalShare
from streams.intake.input import Input
from streams.log.base import Log
from streams.partition.claim import Place
from streams.partition.points import NOWHERE, At
from streams.records import Fetched, OutRecord


class Wire(Protocol):
    """How output looks; see streams.wire.records."""

    def change_records(self, partition: int, change: AnyChange) -> Sequence[OutRecord]:
        """The records of one change, in order."""
        ...

    def withdrawal(self, partition: int, rehomed: Rehomed) -> OutRecord:
        """The tombstone of a standing membership where it stood, its segment having other topics now."""
        ...

    def dead_letter(self, partition: int, record: Fetched, code: str) -> OutRecord:
        """The dead letter of a refused record."""
        ...

    def tick(self, partition: int) -> OutRecord:
        """A tick, for the input partition."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a runner; see Settings for what they are."""

    checkpoint_every_ms: int = 1_000
    unpublished_records_max: int = 50_000
    changes_per_transaction_max: int = 1_000
    profiles_cached_max: int = 25_000
    """Clean profiles of this partition kept in memory."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a runner works with; shared by the runners of a worker."""

    log: Log
    input: Input
    wire: Wire
    place: Place
    clock: Clock
    share: RefusalShare
    catalogue: Callable[[str], Awaitable[Catalogue]]
    """The catalogue of a hash. Raises Incident: it is nowhere. Waits while the log cannot be reached."""
    limits: Limits = field(default_factory=Limits)
    at: At = NOWHERE

"""The state of a partition in a store: terms and contract. Implementations: `memory` (model), `redis`.

Terms: *offset* is the next record to read. A *token* is `<epoch>.<n>`; it names one content for ever.
A store never decides by offsets: every write is a compare-and-set on the token (design section 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from rules.engine.cut import Cut


class Token(NamedTuple):
    """Names one content of a partition's state. Ordered by epoch, then n."""

    epoch: int
    n: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.n}"

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Read `<epoch>.<n>`; ValueError otherwise."""
        epoch, _, n = text.partition(".")
        return cls(int(epoch), int(n))


@dataclass(frozen=True, slots=True)
class Meta:
    """One hash a partition. All instants UTC epoch ms."""

    generation: str
    token: Token
    offset: int
    """Next input record to apply."""
    clock_ms: int
    """Highest record timestamp applied; -1 before the first."""
    catalogue: str
    """Hash of the catalogue in force at `offset`; "" before the first."""
    partitions: int
    digest: str
    """Rolling digest of all changes of this partition up to `offset` (hex)."""
    last_ms: int
    """Timestamp of the last applied record as the broker gave it; -1 before the first. Tells a recreated topic."""
    cuts: tuple[Cut, ...] = ()
    """Catalogues in force or still being visited, oldest first; the last is `catalogue`."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that one checkpoint writes, atomically. `expect` → `meta.token` is the compare-and-set."""

    expect: Token
    meta: Meta
    profiles: Mapping[str, bytes | None] = field(default_factory=dict)
    """Packed blob by subject; None deletes."""
    wakes: Mapping[str, int | None] = field(default_factory=dict)
    """Next wake by subject in ms, FOREVER where none is due (every profile stands in the sorted set); None removes."""
    joined: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Subjects to add to a segment's member set, by segment."""
    left: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Subjects to remove from it."""


CHECKPOINT_PROFILES_MAX: Final = 20_000
"""Profiles in one checkpoint, and in one read, that the caller should not exceed: the server does nothing else
meanwhile (3 µs a profile, 60 ms). One checkpoint is one atomic write: who collects it cuts it at a record boundary."""
CHECKPOINT_BYTES_MAX: Final = 32 << 20
"""Blobs in one checkpoint, likewise: the server queues it whole before executing it. No blob may exceed it."""


class PartitionStore(Protocol):
    """The state of one partition, over one connection. Not for concurrent use by two tasks.

    Every read that takes `expect` compares the stored token in the same atomic call: one of `expect` → fine;
    a higher epoch → Fenced; anything else → Gap (missing meta: Incident). All methods raise Unanswered, and StoreBug.
    Missing meta is an Incident for writes too. A refusal changes nothing. The outcomes as a table: `outcomes`.
    """

    async def read_meta(self) -> Meta | None:
        """Read `meta` whole; None where there is none."""
        ...

    async def create(self, meta: Meta) -> bool:
        """Create `meta` if there is none. For `segue topics` and `segue rebuild` only. False: it exists."""
        ...

    async def raise_epoch(self, token: Token) -> Meta:
        """Claim step 5: set the token if the stored one's epoch is lower; return `meta` as it then stands, in one call.

        A higher epoch stored: Fenced. The same epoch stored (a repeat whose reply was lost): set to the higher n of
        the two. No meta: Incident.
        """
        ...

    async def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint if the stored token is exactly `expect`.

        Already the new token: returns too (our own write whose reply was lost). Higher epoch: Fenced. Else: Gap.
        """
        ...

    async def token(self) -> Token:
        """Read the token alone (the idle owner's probe). No meta: Incident."""
        ...

    async def profiles(self, subjects: Sequence[str], expect: Sequence[Token]) -> list[bytes | None]:
        """Read packed profiles (MGET), in the order asked."""
        ...

    async def due(
        self, before_ms: int, after: tuple[int, str] | None, limit: int, expect: Sequence[Token]
    ) -> list[tuple[int, str]]:
        """Read up to `limit` wakes with due < before_ms that sort after `after`.

        Sorted by (due, subject in UTF-8 byte order, which is code-point order). `after` need not be there any more.
        """
        ...

    async def next_wake(self, expect: Sequence[Token]) -> tuple[int, str] | None:
        """The smallest (due, subject) of all; None for an empty partition; due may be FOREVER."""
        ...

    async def subjects(self, cursor: int, count: int, expect: Sequence[Token]) -> tuple[int, list[str]]:
        """Scan all subjects (ZSCAN on the wakes): (next cursor, 0 at the end; some subjects, perhaps repeated)."""
        ...

    async def members(self, segment: str, cursor: int, count: int) -> tuple[int, list[str]]:
        """Scan the members of a segment (SSCAN). For people's commands; no token is compared."""
        ...

    async def size(self, segment: str) -> int:
        """How many members (SCARD)."""
        ...

    async def drop(self) -> None:
        """Unlink everything of this partition, `meta` included (rebuild, tests), in bounded steps."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...

"""The state of a partition in a store: terms and contract. Implementations: `redis`, `tests.models.store`.

- *Offset*: the next record to read.
- *Token*: `<epoch>.<n>`. It names one content of the state, for ever. The epoch is the offset of the owner's claim, n
  counts the owner's writes.
- *Wake*: the instant at which a profile must be evaluated though no event comes.

A store never decides by offsets: every write is a compare-and-set on the token. `outcomes` has the rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from rules.engine.activations.change import ActiveRows
from rules.engine.cut import Cut
from streams.errors import StoreBug


class Token(NamedTuple):
    """Names one content of a partition's state. Ordered by epoch, then n."""

    epoch: int
    n: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.n}"

    @classmethod
    def parse(cls, text: str) -> "Token":
        """Read `<epoch>.<n>`. Raises ValueError."""
        epoch, _, n = text.partition(".")
        return cls(int(epoch), int(n))


@dataclass(frozen=True, slots=True)
class Meta:
    """What a partition's state belongs to; one hash a partition. All instants are UTC epoch ms."""

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
    """Timestamp of the last applied record as the broker gave it; -1 before the first. It betrays a recreated topic."""
    cuts: tuple[Cut, ...] = ()
    """The catalogue in force, after the earlier ones whose visits are not finished; oldest first."""
    active: ActiveRows | None = None
    """For how many profiles each activation is active at `offset`; None: not known (an earlier version wrote it)."""
    erased_by: tuple[str, ...] = ()
    """Fingerprints of the erasure keys that named a profile of this partition. A store keeps them by itself: what the
    `meta` of a checkpoint says of them is not looked at."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything that one checkpoint writes, atomically, if the stored token is `expect`. `meta.token` stands then."""

    expect: Token
    meta: Meta
    profiles: Mapping[str, bytes | None] = field(default_factory=dict)
    """Packed profile by subject; None deletes it."""
    wakes: Mapping[str, int | None] = field(default_factory=dict)
    """Next wake by subject, in ms; FOREVER where none is due, so that every profile is listed; None removes it."""
    joined: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Subjects to add to a segment's member set, by segment."""
    left: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Subjects to remove from a segment's member set, by segment."""
    erased: Mapping[str, bool] = field(default_factory=dict)
    """Subjects of `profiles` that were erased; True: nothing else is known of it, so a store that has an erasure key
    keeps it under its keyed hash, and lists no wake. Its blob must not name the subject."""

    @property
    def size_bytes(self) -> int:
        """Size of all packed profiles."""
        return sum(len(blob) for blob in self.profiles.values() if blob is not None)

    def check(self) -> None:
        """Raise StoreBug if no store may take it: its token does not follow, or it is too large."""
        new = self.meta.token
        if new.epoch != self.expect.epoch or new <= self.expect:
            raise StoreBug(f"token {new} does not follow {self.expect}")
        if self.size_bytes > WRITE_BYTES_MAX:
            raise StoreBug(f"a checkpoint of {self.size_bytes} bytes; no store takes more than {WRITE_BYTES_MAX}")


CHECKPOINT_PROFILES_MAX: Final = 20_000
"""Profiles up to which slices are merged into one checkpoint, and that one read asks for. Meanwhile the server does
nothing else: 3 µs a profile, 60 ms. A slice ends at a record boundary and is never split: a larger one goes alone."""
CHECKPOINT_BYTES_MAX: Final = 32 << 20
"""Packed profiles in bytes up to which slices are merged into one checkpoint: the server keeps the whole checkpoint in
memory before it executes it. A larger slice goes alone."""
WRITE_BYTES_MAX: Final = 256 << 20
"""Packed profiles in bytes that a store takes in one checkpoint. Sending them takes 2 s at 1 Gbit/s, of the 5 s that a
write has by default. A checkpoint that cannot be sent in time would be sent again for ever, so it is refused: a bug."""


class PartitionStore(Protocol):
    """The state of one partition, over one connection. Not for concurrent use by two tasks.

    A store may have erasure keys (`erasure_keys`). Then what stays of an erased subject is found by asking for the
    subject, and no method ever lists it. Where `meta` names a key that the store lacks, a read that does not find a
    subject, and a write of one that was erased, raise Incident.

    A read that takes `expect`, a write and a claim compare the stored token in the same atomic step, by the rules in
    `outcomes`: they raise Fenced, Gap, Incident. A refusal changes nothing. Every method raises Unanswered, StoreBug.
    """

    async def read_meta(self) -> Meta | None:
        """Return `meta`; None if the partition has none."""
        ...

    async def create(self, meta: Meta) -> bool:
        """Create `meta` if there is none. False: there is one. For `segue topics` and `segue rebuild` only."""
        ...

    async def raise_epoch(self, token: Token) -> Meta:
        """Claim step 5: raise the stored token to `token`; return `meta` as it then stands.

        If the stored token has the same epoch (the reply to an earlier call was lost), the higher n stands.
        """
        ...

    async def write(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint if the stored token is exactly `expect`; return, too, if the new token stands already.

        Raises StoreBug before anything is sent if `checkpoint.check` does.
        """
        ...

    async def token(self) -> Token:
        """Return the stored token. Raises Incident: there is no `meta`. An owner that is idle asks for it."""
        ...

    async def profiles(self, subjects: Sequence[str], expect: Sequence[Token]) -> list[bytes | None]:
        """Return packed profiles in the order of the subjects; None where there is none."""
        ...

    async def due(
        self, before_ms: int, after: tuple[int, str] | None, limit: int, expect: Sequence[Token]
    ) -> list[tuple[int, str]]:
        """Return up to `limit` wakes (due, subject) with due < before_ms that sort after `after`.

        They are sorted by due, then by the subject in code-point order (the order of its UTF-8 bytes, too). `after`
        need not exist any more.
        """
        ...

    async def next_wake(self, expect: Sequence[Token]) -> tuple[int, str] | None:
        """Return the first wake (due, subject) of all; None for an empty partition. Its due may be FOREVER."""
        ...

    async def subjects(self, cursor: int, count: int, expect: Sequence[Token]) -> tuple[int, list[str]]:
        """Return (next cursor, some subjects): begin with cursor 0, go on until it is 0 again.

        A subject that is there throughout is met at least once; subjects may be repeated.
        """
        ...

    async def members(self, segment: str, cursor: int, count: int) -> tuple[int, list[str]]:
        """Return (next cursor, some members of a segment), as `subjects` does. For commands; compares no token."""
        ...

    async def size(self, segment: str) -> int:
        """Return how many members a segment has."""
        ...

    async def sizes(self, segments: Sequence[str]) -> list[int]:
        """Return how many members each of these segments has, in one exchange. Compares no token."""
        ...

    async def drop(self) -> None:
        """Delete everything of this partition, in bounded steps. For rebuild and tests."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...

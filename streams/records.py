"""Records of the log: as fetched, as read back, and as they are to be written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

LOG_APPEND_TIME: Final = 1
"""`timestamp_type` of a record whose timestamp the broker set."""


class Fetched(Protocol):
    """A fetched record. aiokafka's `ConsumerRecord` is one."""

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
"""Committed records of one partition, in offset order; never empty. Offsets may have gaps: markers, aborted records."""


@dataclass(frozen=True, slots=True)
class OutRecord:
    """A record to write, with its partition. `value` None: a tombstone. Key and value are never both None."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    stamp_min_ms: int = 0
    """A transaction in which the broker stamps this record earlier is not committed. 0: any stamp will do."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A committed record as read back."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int

"""Where a reader stands in one partition, and how a group's offsets keep that."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from aiokafka.structs import OffsetAndMetadata

_SINCE: Final = "since="


class Position(NamedTuple):
    """Where a reader stands in one partition: keep it with your own data, and give it back as `start`."""

    offset: int
    """The next record."""
    since: int
    """Where reading began: the reader handed out every change from here to `offset`."""

    def as_committed(self) -> OffsetAndMetadata:
        """Write it as a group keeps it: `since` is the metadata of the offset."""
        return OffsetAndMetadata(self.offset, f"{_SINCE}{self.since}")

    @classmethod
    def read_committed(cls, committed: OffsetAndMetadata) -> Self:
        """Read what a group keeps. Another tool may have set the offset: then nothing was handed out before it."""
        since = committed.metadata.removeprefix(_SINCE)
        return cls(committed.offset, int(since) if since.isdecimal() else committed.offset)


Start: TypeAlias = Mapping[int, Position] | Literal["earliest", "latest"]
"""Where to begin partitions for which nothing is committed: by partition, or all alike."""

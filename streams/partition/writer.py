"""Write an owner's state behind: say when to take a slice, and write one checkpoint at a time."""

from typing import Final

from streams.partition.applier import Applier
from streams.partition.beside import Beside
from streams.partition.checkpoints import Checkpoints
from streams.partition.shared import PartitionShared
from streams.store.terms import CHECKPOINT_BYTES_MAX

SLICE_RECORDS_MAX: Final = 10_000
"""After so many records a slice is taken before its time: it must stay well below a checkpoint's limit."""
SLICE_BYTES_MAX: Final = CHECKPOINT_BYTES_MAX // 2
"""At this estimated length of its packed profiles a slice is taken before its time. A slice is written whole, and its
true length is known only when it is packed."""


class Writer:
    """Takes slices from the engine and writes them, from one `meta` on."""

    def __init__(
        self, shared: PartitionShared, applier: Applier, checkpoints: Checkpoints, writing: Beside[list[str]]
    ) -> None:
        self._shared = shared
        self._clock = shared.clock
        self._every_ms = shared.limits.checkpoint_every_ms
        self._applier = applier
        self._checkpoints = checkpoints
        self._writing = writing
        self._taken_ms = shared.clock.now_ms()
        self._applied_bytes = 0
        """The length of the values of all records applied since the last slice."""

    @property
    def behind(self) -> bool:
        """Whether records were applied since the last slice."""
        return self._applier.engine.offset > self._checkpoints.taken_offset

    @property
    def due_in_ms(self) -> float:
        """How long until the next slice is due by time."""
        return self._taken_ms + self._every_ms - self._clock.now_ms()

    def applied(self, value_bytes: int) -> None:
        """Note the length of the values of a chunk that was applied."""
        self._applied_bytes += value_bytes

    def take_slice_if_due(self, published_offset: int) -> None:
        """Take a slice when it is time, or when it would become too long."""
        full = (
            self._applier.engine.offset - self._checkpoints.taken_offset >= SLICE_RECORDS_MAX
            or self._slice_bytes() >= SLICE_BYTES_MAX
        )
        if full or self.due_in_ms <= 0:
            self.take_slice(published_offset)

    def take_slice(self, published_offset: int) -> None:
        """Take a slice now, if anything was applied since the last one."""
        if self.behind:
            self._checkpoints.take(self._applier.take_slice())
            self._checkpoints.published(published_offset)
            self._taken_ms = self._clock.now_ms()
            self._applied_bytes = 0
            self._shared.on_point("slice")

    @property
    def touched_max(self) -> float:
        """With how many touched profiles a slice would become too long."""
        return (SLICE_BYTES_MAX - self._applied_bytes) / self._checkpoints.profile_bytes

    def _slice_bytes(self) -> float:
        """Estimate the length of a slice taken now: the usual length of its profiles, and the records applied since."""
        return self._applier.engine.touched * self._checkpoints.profile_bytes + self._applied_bytes

    def write_if_ready(self) -> None:
        """Begin to write a checkpoint, if none is in flight and something is published and not written."""
        if not self._writing.busy and self._checkpoints.writable:
            self._writing.start(self._checkpoints.write())

    def reap(self) -> None:
        """Take the result of a checkpoint that ended. Raises Gap, Fenced, Incident, StoreBug."""
        ended = self._writing.ended()
        if ended is not None:
            self._applier.supplies.written(ended.result())

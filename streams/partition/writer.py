"""Write an owner's state behind: begin a slice when it is time, pack it in portions, write one checkpoint at a time.

A slice of a second may hold thousands of profiles. Packed at one go they would keep every partition of the worker
waiting, so a portion is packed now and then. The partitions of a worker begin their slices at different times, and keep
these times, so that neither packing nor the store's work comes all at once.
"""

import math
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
PORTION: Final = 20
"""How many profiles are packed at a time at the least: 1 ms, for a profile that was touched a second ago is in no cache
of the processor any more (20 to 50 µs). An eighth of as many as were touched since the slice was begun are packed if
that is more, so that a slice is whole long before the next one is as long."""
PORTION_FULL: Final = 100
"""… or so many while the partition stands because too much is unwritten."""
PORTION_EVERY_MS: Final = 5
"""How long the other work of the worker has between two portions of a partition."""
SPREAD: Final = 0.618
"""By which part of the interval each partition's first slice comes later than that of the partition before it (the
golden ratio: any number of partitions is spread evenly)."""


class Writer:
    """Takes slices from the engine and writes them, from one `meta` on."""

    def __init__(
        self,
        partition: int,
        shared: PartitionShared,
        applier: Applier,
        checkpoints: Checkpoints,
        writing: Beside[list[str]],
    ) -> None:
        self._shared = shared
        self._clock = shared.clock
        self._every_ms = shared.limits.checkpoint_every_ms
        self._applier = applier
        self._engine = applier.engine
        self._checkpoints = checkpoints
        self._writing = writing
        self._due_ms = shared.clock.now_ms() + self._every_ms * (1 - partition * SPREAD % 1)
        """When the next slice is due by time."""
        self._packed_ms = -math.inf
        """When a portion was packed last."""
        self._begun_offset = applier.engine.offset
        self._applied_bytes = 0
        """The length of the values of all records applied since the last slice was begun."""

    @property
    def behind(self) -> bool:
        """Whether records were applied since the last slice was begun."""
        return self._engine.offset > self._begun_offset

    @property
    def packing(self) -> bool:
        """Whether profiles of a slice are still to be packed."""
        return self._engine.to_pack is not None

    @property
    def due_in_ms(self) -> float:
        """How long until the next slice is due by time."""
        return self._due_ms - self._clock.now_ms()

    @property
    def portion_in_ms(self) -> float:
        """How long until the next portion is due."""
        return self._packed_ms + PORTION_EVERY_MS - self._clock.now_ms()

    @property
    def _unwritten(self) -> int:
        """How many profiles the store has not as they are. One counts twice that is touched, and in a slice."""
        return self._engine.touched + self._taken

    @property
    def full(self) -> bool:
        """Whether to apply no more: too much is unwritten, and some of it will be written without another record.

        Profiles may be touched without a record (`Partition.give_wakes`). No slice takes them before the next one.
        """
        if self._unwritten <= self._shared.unwritten_max:
            return False
        return self.behind or self.packing or not self._checkpoints.settled

    @property
    def needs_progress(self) -> bool:
        """Whether much is unwritten, and a slice of it waits to be published."""
        return self._checkpoints.waits and self._unwritten > self._shared.unwritten_max // 2

    @property
    def _taken(self) -> int:
        """How many profiles slices took that are not written."""
        return self._engine.in_slice + self._checkpoints.unwritten

    def applied(self, value_bytes: int) -> None:
        """Note the length of the values of a chunk that was applied."""
        self._applied_bytes += value_bytes

    def pack(self, published_offset: int) -> None:
        """Begin a slice when it is time, or when it would become too long; pack a portion of one when that is time."""
        long = self._engine.offset - self._begun_offset >= SLICE_RECORDS_MAX or self._slice_bytes() >= SLICE_BYTES_MAX
        half = self._engine.touched >= self._shared.unwritten_max // 2
        if long or (not self.packing and (half or self.due_in_ms <= 0)):
            self.begin_slice(published_offset)
        if self.packing and self.portion_in_ms <= 0:
            portion = max(PORTION, self._engine.touched // 8, PORTION_FULL if self.full else 0)
            self._pack(portion, published_offset)

    def begin_slice(self, published_offset: int) -> None:
        """Begin a slice now, if anything was applied since the last one. The one before it is packed whole first."""
        if self.behind:
            self.finish_slice(published_offset)
            self._engine.begin_slice()
            self._begun_offset, self._applied_bytes = self._engine.offset, 0
            if self.due_in_ms <= 0:
                # after a pause too the partition keeps its time within the interval
                self._due_ms += self._every_ms * (-self.due_in_ms // self._every_ms + 1)

    def finish_slice(self, published_offset: int) -> None:
        """Pack what is left of the slice that was begun, if one was."""
        if self.packing:
            self._pack(None, published_offset)

    def _pack(self, profiles_max: int | None, published_offset: int) -> None:
        taken = self._applier.pack_slice(profiles_max)
        self._packed_ms = self._clock.now_ms()
        if taken is not None:
            self._checkpoints.take(taken)
            self._checkpoints.published(published_offset)
            self._shared.on_point("slice")

    @property
    def touched_max(self) -> float:
        """With how many touched profiles a slice would become too long, or too much be unwritten."""
        fitting = (SLICE_BYTES_MAX - self._applied_bytes) / self._checkpoints.profile_bytes
        return min(fitting, self._shared.unwritten_max - self._taken)

    def _slice_bytes(self) -> float:
        """Estimate the length of a slice taken now: the usual length of its profiles, and the records applied since."""
        return self._engine.touched * self._checkpoints.profile_bytes + self._applied_bytes

    def write_if_ready(self) -> None:
        """Begin to write a checkpoint, if none is in flight and something is published and not written."""
        if not self._writing.busy and self._checkpoints.writable:
            self._writing.start(self._checkpoints.write())

    def reap(self) -> None:
        """Take the result of a checkpoint that ended. Raises Gap, Fenced, Incident, StoreBug."""
        ended = self._writing.ended()
        if ended is not None:
            self._applier.supplies.written(ended.result())

"""The changes in hand: put them into requests, and tell how far each partition is done. Pure: no clock, no I/O.

The laws, for any order of calls:
- A profile's changes go in the order of the log, one request after another: a change is taken when all changes before
  it are settled. Between profiles there is no order.
- A request never holds an activation and a deactivation of one profile, nor two changes of one of its activations: so
  the order in which a platform goes through a request does not matter.
- Where a platform deletes an erased person, deletions have requests of their own. A deletion takes the place of all
  changes of its profile that wait: the platform need not hear of them, and one deletion is enough.
- A request keeps to the limits of changes and bytes.
- A partition's offset goes up to the first change that is not settled, and no further. An erasure whose place a later
  deletion takes is settled with that deletion: else a crash in between would leave it without a receipt.

Profiles take turns, the longest waiting first: a profile with many changes does not hold up the others.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Literal, TypeAlias

ChangeKind: TypeAlias = Literal["activated", "deactivated", "erased"]
"""What a change says. `erased`: an activation ends because its profile was erased."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a receiver takes in one request."""

    changes_max: int
    body_bytes_max: int
    """Of a request's body."""
    part_bytes_max: int
    """Of one object in it."""
    overhead_bytes: int
    """The bytes of a body besides its parts and a comma for each."""
    deletions_max: int | None = None
    """Persons that one request deletes. None: an erasure is a change like others."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One change, ready to go. Its `repr` names no profile."""

    partition: int
    offset: int
    id: str = field(repr=False)
    profile: str = field(repr=False)
    activation: str
    kind: ChangeKind
    effective_ms: int
    parts: tuple[bytes, ...] = field(repr=False)
    """Its part of a request: one object for each list of the body."""
    record: Any = field(repr=False, compare=False, default=None)
    """The record as it was read, for the dead letters."""
    stamped_ms: int = 0
    """The timestamp of its record."""
    erasure: str = field(default="", repr=False)
    """Of an erasure: the event of it, `source id`."""
    also: tuple[tuple[str, int], ...] = field(default=(), repr=False, compare=False)
    """Of an erasure: (erasure, offset) of the earlier ones of its profile whose place it takes."""

    @property
    def size_bytes(self) -> int:
        """The bytes that it adds to a body."""
        return sum(map(len, self.parts)) + len(self.parts)

    @property
    def erases(self) -> bool:
        """Whether its profile was erased."""
        return self.kind == "erased"


def fits(parcel: Parcel, limits: Limits) -> bool:
    """Tell whether a request may carry this change alone."""
    return (
        max(map(len, parcel.parts)) <= limits.part_bytes_max
        and limits.overhead_bytes + parcel.size_bytes <= limits.body_bytes_max
    )


@dataclass(slots=True)
class _Partition:
    unsettled: dict[int, int] = field(default_factory=dict)
    """The timestamps of the records in hand by their offsets, in order: they are added in order."""
    next_offset: int = 0
    """After the last one seen."""


class SendWindow:
    """The changes in hand: read and not settled."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: dict[str, deque[Parcel]] = {}
        """By profile, in order; never empty."""
        self._taken: dict[str, int] = {}
        """How many of a profile's changes are under way; never 0."""
        self._ready: dict[str, None] = {}
        """Profiles that wait with nothing under way, the one that has waited longest first."""
        self._partitions: dict[int, _Partition] = {}
        self.changes = 0
        self.size_bytes = 0

    def add(self, parcel: Parcel) -> int:
        """Take a change in hand. It must fit (`fits`), and come in its partition's order.

        Returns how many changes are done with because this deletion takes their place.
        """
        self.seen(parcel.partition, parcel.offset)
        superseded = self._waiting.pop(parcel.profile, deque()) if self._deletes(parcel) else ()
        for each in superseded:
            self._forget(each)
            if not each.erases:  # else the answer to this deletion is its answer, too: until then it is not done with
                self._pass(each.partition, each.offset)
        erased = [place for each in superseded if each.erases for place in (*each.also, (each.erasure, each.offset))]
        if erased:
            parcel = replace(parcel, also=(*parcel.also, *erased))
        self._partitions[parcel.partition].unsettled[parcel.offset] = parcel.stamped_ms
        self.changes += 1
        self.size_bytes += parcel.size_bytes
        self._waiting.setdefault(parcel.profile, deque()).append(parcel)
        if parcel.profile not in self._taken:
            self._ready[parcel.profile] = None
        return len(superseded)

    def _deletes(self, parcel: Parcel) -> bool:
        return parcel.erases and self._limits.deletions_max is not None

    def _pass(self, partition: int, offset: int) -> None:
        del self._partitions[partition].unsettled[offset]

    def _forget(self, parcel: Parcel) -> None:
        self.changes -= 1
        self.size_bytes -= parcel.size_bytes

    def seen(self, partition: int, offset: int) -> None:
        """Note a record that is done with, or is about to be added."""
        found = self._partitions.setdefault(partition, _Partition())
        if offset < found.next_offset:
            raise AssertionError(f"offset {offset} of partition {partition} came after {found.next_offset - 1}")
        found.next_offset = offset + 1

    def pass_by(self, partition: int, next_offset: int) -> None:
        """Note that there are no more records below an offset: only markers of transactions were."""
        found = self._partitions.get(partition)
        if found is not None and found.next_offset < next_offset:
            found.next_offset = next_offset

    def take(self) -> list[Parcel]:
        """Take the changes of the next request. Returns none when nothing can go now."""
        taken: list[Parcel] = []
        if not self._ready:
            return taken
        size = self._limits.overhead_bytes
        deletes = self._deletes(self._waiting[next(iter(self._ready))][0])
        most = min(self._limits.changes_max, self._limits.deletions_max or 1) if deletes else self._limits.changes_max
        for profile in list(islice(self._ready, self._limits.changes_max)):
            waiting = self._waiting[profile]
            if self._deletes(waiting[0]) != deletes:
                continue
            run: dict[str, None] = {}
            kind = waiting[0].kind
            while waiting and len(taken) < most:
                parcel = waiting[0]
                if parcel.kind != kind or parcel.activation in run:
                    break
                if size + parcel.size_bytes > self._limits.body_bytes_max:
                    break
                size += parcel.size_bytes
                run[parcel.activation] = None
                taken.append(waiting.popleft())
            if run:
                self._taken[profile] = len(run)
                del self._ready[profile]
                if not waiting:
                    del self._waiting[profile]
            if len(taken) == most or (not run and taken):
                break
        return taken

    def settle(self, parcels: Sequence[Parcel]) -> None:
        """Note taken changes that are done with: accepted, or among the dead letters."""
        for parcel in parcels:
            self._forget(parcel)
            for offset in (parcel.offset, *(offset for _, offset in parcel.also)):
                self._pass(parcel.partition, offset)
            left = self._taken.pop(parcel.profile) - 1
            if left:
                self._taken[parcel.profile] = left
            elif parcel.profile in self._waiting:
                self._ready[parcel.profile] = None

    def progress(self) -> dict[int, int]:
        """Return the offset up to which each partition is done: where its next owner begins to read."""
        return {
            partition: next(iter(found.unsettled), found.next_offset) for partition, found in self._partitions.items()
        }

    def oldest_ms(self) -> int | None:
        """Return the timestamp of the oldest change in hand; None: there is none."""
        firsts = [next(iter(found.unsettled.values())) for found in self._partitions.values() if found.unsettled]
        return min(firsts, default=None)

    def idle(self, partition: int) -> bool:
        """Tell whether nothing of a partition is in hand."""
        found = self._partitions.get(partition)
        return found is None or not found.unsettled

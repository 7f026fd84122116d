"""Occurrences: the matching events that a condition remembers of a profile, and which of them count.

A state is a list of entries `[time_ms, source, id, arrival, …]` in the order of (time, source, id). That is an event's
identity: folding one twice changes nothing. An evaluation counts from the window's start and from a mark. Both cut off
the *older* entries in the order of (time, arrival), so the latest k in that order answer every question about "at least
k", and k + 1 of them every question about "exactly k". Entries that have the same time as the k-th are all kept: their
arrivals and their identities stay known.

Every memory is bounded by ENTRIES_MAX entries, the latest by (time, source, id). One more is kept as the witness that
the limit was hit; no verdict looks at it.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from rules.conditions.view import PAST_ARRIVAL, Mark
from rules.conditions.window import rounded_up
from rules.ground.event import Event
from rules.ground.instants import FOREVER

ENTRIES_MAX: Final = 512
"""Entries kept a condition and profile (docs/language.md, Memory)."""
WALK_MAX: Final = 16
"""Steps of a search for the next flip: so many cost about as much as a wake that finds nothing."""
ENTRY_BYTES: Final = 14 + 64 + 6 + 8
"""Packed size of an entry: time, source and id (64 bytes together, as lint reckons), arrival, and punctuation."""

Entry: TypeAlias = list[Any]
Entries: TypeAlias = list[Entry]

TIME: Final = 0
ARRIVAL: Final = 3
VALUE: Final = 4


def entry_of(event: Event, arrival: int) -> Entry:
    """Make the entry of an event."""
    return [event.time_ms, event.source, event.id, arrival]


def keep_latest(entries: Entries | None, entry: Entry, wanted: int, oldest_ms: int) -> Entries | None:
    """Add an entry; return the latest `wanted` by time, and the entries of the same time as the last of them.

    Entries not later than `oldest_ms` are dropped. Returns the very same list if the entry is known or not wanted.
    """
    time_ms = entry[0]
    if time_ms <= oldest_ms:
        return entries
    if not entries:
        return [entry]
    if entries[-1][0] < time_ms:
        kept = [*entries, entry]
    else:
        if len(entries) >= wanted and time_ms < entries[-wanted][0]:
            return entries
        at = bisect_left(entries, entry[:3])
        if at < len(entries) and entries[at][:3] == entry[:3]:
            return entries
        if at == 0 and len(entries) > max(wanted, ENTRIES_MAX):
            return entries
        kept = [*entries[:at], entry, *entries[at:]]
    if len(kept) > wanted:
        floor_ms = max(oldest_ms, kept[-wanted][0] - 1)
        first = max(0, len(kept) - max(wanted, ENTRIES_MAX + 1))
        while kept[first][0] <= floor_ms:
            first += 1
    else:
        first = 0
        while kept[first][0] <= oldest_ms:
            first += 1
    return kept[first:] if first else kept


def keep_all(entries: Entries | None, entry: Entry, oldest_ms: int) -> Entries | None:
    """Add an entry; return the entries later than `oldest_ms`: the latest ENTRIES_MAX, and the witness."""
    if entry[0] <= oldest_ms:
        return entries
    if not entries:
        return [entry]
    if entries[-1][0] < entry[0]:
        kept = [*entries, entry]
    else:
        at = bisect_left(entries, entry[:3])
        if at < len(entries) and entries[at][:3] == entry[:3]:
            return entries
        if at == 0 and len(entries) > ENTRIES_MAX:
            return entries
        kept = [*entries[:at], entry, *entries[at:]]
    first = max(0, len(kept) - ENTRIES_MAX - 1)
    while kept[first][0] <= oldest_ms:
        first += 1
    return kept[first:] if first else kept


def keep_earliest(entries: Entries | None, entry: Entry, wanted: int) -> Entries | None:
    """Add an entry; return the earliest `wanted` by (time, source, id)."""
    if not entries:
        return [entry]
    at = bisect_left(entries, entry[:3])
    if at >= wanted or (at < len(entries) and entries[at][:3] == entry[:3]):
        return entries
    return [*entries[:at], entry, *entries[at:]][:wanted]


def as_past(entries: Entries | None, event: Event) -> Entries | None:
    """Return the entries with the event's, if it is among them, as a record of history brings it: later than no mark.

    The very same list if nothing is to be changed.
    """
    if not entries:
        return entries
    name = [event.time_ms, event.source, event.id]
    at = bisect_left(entries, name)
    if at == len(entries) or entries[at][:3] != name or entries[at][ARRIVAL] == PAST_ARRIVAL:
        return entries
    past = [*name, PAST_ARRIVAL, *entries[at][VALUE:]]
    return [*entries[:at], past, *entries[at + 1 :]]


def drop_until(entries: Entries | None, oldest_ms: int) -> Entries | None:
    """Return the entries later than `oldest_ms`; None: none is left. The very same list if none was dropped."""
    if not entries:
        return None
    if entries[0][0] > oldest_ms:
        return entries
    return entries[bisect_left(entries, [oldest_ms + 1]) :] or None


def remembered(entries: Entries) -> Entries:
    """Return the entries without the witness: those may count."""
    return entries if len(entries) <= ENTRIES_MAX else entries[-ENTRIES_MAX:]


def count_later(entries: Entries, mark: Mark) -> int:
    """Return how many entries are later than a mark; they are the last ones by (time, arrival)."""
    time_ms = mark.time_ms
    if entries[-1][0] < time_ms:
        return 0
    at = bisect_left(entries, [time_ms + 1])
    later = len(entries) - at
    arrival = mark.arrival
    while at and entries[at - 1][0] == time_ms:
        at -= 1
        if entries[at][ARRIVAL] > arrival:
            later += 1
    return later


def later_than(entries: Entries, mark: Mark | None) -> Entries:
    """Return the entries later than a mark, in order; all of them without a mark."""
    if mark is None or not entries:
        return entries
    time_ms, arrival = mark.time_ms, mark.arrival
    start = bisect_left(entries, [time_ms])
    at = bisect_left(entries, [time_ms + 1], start)
    if start == at:
        return entries[at:]
    ties = [entry for entry in entries[start:at] if entry[ARRIVAL] > arrival]
    return ties + entries[at:]


class Slide:
    """A window that slides over entries in order: which are in it at an instant, and when that next changes."""

    __slots__ = ("_bucket_ms", "_older_ms", "_within_ms", "entries")

    def __init__(
        self, entries: Sequence[Entry], within_ms: int | None, older_ms: int | None, bucket_ms: int | None = None
    ) -> None:
        self.entries = entries
        self._within_ms = within_ms
        self._older_ms = older_ms
        self._bucket_ms = bucket_ms

    def slice_at(self, t_ms: int) -> tuple[int, int]:
        """Return the slice in the window at an instant: its first index, and the index after its last."""
        first = 0 if self._within_ms is None else self._after(t_ms - self._within_ms)
        end = len(self.entries) if self._older_ms is None else self._after(t_ms - self._older_ms)
        return min(first, end), end

    def change_after(self, t_ms: int) -> int:
        """Return the next instant at which an entry comes into the window or leaves it; FOREVER: never."""
        next_ms = FOREVER
        for length_ms in (self._within_ms, self._older_ms):
            if length_ms is not None:
                index = self._after(t_ms - length_ms)
                if index < len(self.entries):
                    next_ms = min(next_ms, rounded_up(self.entries[index][0], self._bucket_ms) + length_ms)
        return next_ms

    def _after(self, limit_ms: int) -> int:
        """Return the index of the first entry whose rounded time is later than a limit."""
        if self._bucket_ms is not None:
            limit_ms = limit_ms // self._bucket_ms * self._bucket_ms
        return bisect_left(self.entries, [limit_ms + 1])


def flip_after(t_ms: int, holds: bool, holds_at: Callable[[int], bool], change_after: Callable[[int], int]) -> int:
    """Return the next instant at which the verdict may differ.

    `change_after` gives the next instant at which anything changes. After WALK_MAX of them without another verdict the
    next one is returned: the engine looks again there, and that leaves no trace.
    """
    next_ms = change_after(t_ms)
    for _ in range(WALK_MAX):
        if next_ms >= FOREVER or holds_at(next_ms) is not holds:
            break
        next_ms = change_after(next_ms)
    return next_ms


def evidence_of(entries: Sequence[Entry]) -> list[tuple[int, str, str]]:
    """Return the (time, source, id) of entries."""
    return [(entry[0], entry[1], entry[2]) for entry in entries]

"""What is kept for `bucket`: the latest ENTRIES_MAX occurrences as they are, older ones counted by bucket.

A state is `[entries, units, identities]`:

    entries     as in `rules.conditions.occurrences`, the latest ENTRIES_MAX by (time, source, id)
    units       [[bucket_ms, number, first_ms, last_ms, values], …] in order: the overflowed events of each rounded-up
                time. A figure is made of `values` as of the events' own; null for conditions that only count
    identities  [[identity, until_ms], …]: an overflowed event is recognised for SEEN_MS; then a redelivery counts again

Marks compare the event's own time: a unit counts if all of it is later than the mark. (The mark would have to lie
inside a bucket, with more than ENTRIES_MAX events after it, for a part to be missed; `straddles` tells.)
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from rules.conditions.occurrences import ENTRIES_MAX, ENTRY_BYTES, VALUE, Entries, Entry, drop_until, later_than
from rules.conditions.view import Mark, State
from rules.conditions.window import rounded_up
from rules.ground.digest import identity
from rules.ground.instants import MS_PER_DAY

SEEN_MS: Final = 8 * MS_PER_DAY
"""For how long an overflowed event is recognised: 7 d at least (docs/language.md, Memory), and a day to spare."""
UNITS_LINTED: Final = 1024
"""Units and identities that lint takes: how many there are depends on the load alone."""

NUMBER: Final = 1
FIRST: Final = 2
LAST: Final = 3
VALUES: Final = 4

Join: TypeAlias = Callable[[list[Any], Any], list[Any]]
"""Adds a value to the few values that stand for all earlier ones; returns the new few."""


def keep(state: State, entry: Entry, oldest_ms: int, t_ms: int, bucket_ms: int, join: Join | None) -> State:
    """Add an occurrence; return the same state if it is known or its rounded time is not later than `oldest_ms`."""
    if rounded_up(entry[0], bucket_ms) <= oldest_ms:
        return state
    if state is None:
        return [[entry], [], []]
    entries, units, identities = state
    at = bisect_left(entries, entry[:3])
    if at < len(entries) and entries[at][:3] == entry[:3]:
        return state
    if at == 0 and identities:
        name = identity(*entry[:3])
        if any(known[0] == name for known in identities):
            return state
    kept = [*entries[:at], entry, *entries[at:]]
    if len(kept) > ENTRIES_MAX:
        first = kept.pop(0)
        units = _add(units, first, bucket_ms, join)
        identities = [known for known in identities if known[1] > t_ms]
        identities.append([identity(*first[:3]), max(t_ms, first[0]) + SEEN_MS])
    return drop([kept, units, identities], oldest_ms, bucket_ms)


def _add(units: list[Any], entry: Entry, bucket_ms: int, join: Join | None) -> list[Any]:
    """Return the units with an overflowed entry added to its own."""
    bucket = rounded_up(entry[0], bucket_ms)
    at = bisect_left(units, [bucket])
    known = at < len(units) and units[at][0] == bucket
    _, number, first_ms, last_ms, values = units[at] if known else (bucket, 0, entry[0], entry[0], [])
    joined = None if join is None else join(values, entry[VALUE])
    unit = [bucket, number + 1, min(first_ms, entry[0]), max(last_ms, entry[0]), joined]
    return [*units[:at], unit, *units[at + known :]]


def drop(state: State, oldest_ms: int, bucket_ms: int) -> State:
    """Return the state without rounded times up to `oldest_ms`; None: none is left. The same if none was dropped."""
    if state is None:
        return None
    entries, units, identities = state
    floor_ms = oldest_ms // bucket_ms * bucket_ms
    left = drop_until(entries, floor_ms), drop_until(units, oldest_ms)
    if left[0] is None:
        return None
    if left[0] is entries and (left[1] is units or not units):
        return state
    return [left[0], left[1] or [], identities]


def counted(state: State, mark: Mark | None) -> tuple[list[Any], Entries]:
    """Return the units and the entries later than a mark."""
    if state is None:
        return [], []
    entries, units, _ = state
    if mark is not None:
        units = [unit for unit in units if unit[FIRST] > mark.time_ms]
    return units, later_than(entries, mark)


def straddles(state: State, mark: Mark | None) -> bool:
    """Tell whether a unit was left out although some of its events may be later than the mark."""
    if state is None or mark is None:
        return False
    return any(unit[FIRST] <= mark.time_ms <= unit[LAST] for unit in state[1])


def bytes_max() -> int:
    """Return a size to reckon with: all entries, and units and identities of a busy profile."""
    return (ENTRIES_MAX + UNITS_LINTED) * ENTRY_BYTES

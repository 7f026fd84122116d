"""States joined: entries that lie apart, by the subject that they came from, as if one profile had folded them all.

Entries are those of `rules.conditions.occurrences`. Of several entries with one (time, source, id) the first list's
stands. What a memory keeps of the joined entries is cut to its limits just as folding cuts it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from rules.conditions.occurrences import ARRIVAL, ENTRIES_MAX, TIME, Entries, drop_until
from rules.conditions.view import State


def merged(parts: Iterable[Entries]) -> Entries:
    """Return all entries in the order of (time, source, id), each of them once: as in the first list that has it."""
    found = {(entry[0], entry[1], entry[2]): entry for part in reversed([*parts]) for entry in part}
    return [found[name] for name in sorted(found)]


def latest(entries: Entries, wanted: int, oldest_ms: int) -> Entries | None:
    """Return what `occurrences.keep_latest` keeps of entries in order; None: nothing."""
    kept = drop_until(entries, oldest_ms) or []
    if len(kept) > wanted:
        ties = bisect_left(kept, kept[-wanted][:1])
        kept = kept[max(ties, len(kept) - max(wanted, ENTRIES_MAX + 1)) :]
    return kept or None


def all_of(entries: Entries, oldest_ms: int) -> Entries | None:
    """Return what `occurrences.keep_all` keeps of entries in order; None: nothing."""
    kept = drop_until(entries, oldest_ms) or []
    return kept[max(0, len(kept) - ENTRIES_MAX - 1) :] or None


def arrived_entries(entries: Entries, arrival: int, known: Iterable[Entries]) -> Entries:
    """Return the entries as they arrive now; one that is known keeps the smallest of its arrivals.

    The very same list if no arrival is another.
    """
    earlier: dict[tuple[int, str, str], int] = {}
    for part in known:
        # only what has the time of an entry here can be the same fact
        for entry in part[bisect_left(part, entries[0][:1]) : bisect_right(part, entries[-1][TIME], key=_time)]:
            name = (entry[0], entry[1], entry[2])
            earlier[name] = min(entry[ARRIVAL], earlier.get(name, entry[ARRIVAL]))
    moved = [
        [*entry[:ARRIVAL], earlier.get((entry[0], entry[1], entry[2]), arrival), *entry[ARRIVAL + 1 :]]
        for entry in entries
    ]
    return entries if moved == entries else moved


def present(states: Sequence[State]) -> list[State]:
    """Return the states that are not None."""
    return [state for state in states if state is not None]


def _time(entry: list[object]) -> object:
    return entry[TIME]

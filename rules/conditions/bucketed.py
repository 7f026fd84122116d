"""What is kept for `bucket`: the latest ENTRIES_MAX occurrences as they are, older ones counted by bucket.

A state is `[entries, units, identities]`:

    entries     as in `rules.conditions.occurrences`, the latest ENTRIES_MAX by (time, source, id)
    units       [[bucket_ms, number, first_ms, last_ms, values], …] in order: the overflowed events of each rounded-up
                time. A figure is made of `values` as of the events' own; null for conditions that only count
    identities  [[identity, until_ms, time_ms, value], …]: an overflowed event is recognised for SEEN_MS; then a
                redelivery counts again. `value` where a figure cannot do without (`Values.leave`), else null. Earlier
                versions kept the first two only

Marks compare the event's own time: a unit counts if all of it is later than the mark. (The mark would have to lie
inside a bucket, with more than ENTRIES_MAX events after it, for a part to be missed; `straddles` tells.)

States of several subjects are joined (`join_states`). A fact that was told under two of them counts once, as long as
each state in which it overflowed keeps its identity; after that it counts once for each of these states.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from rules.conditions.joining import merged
from rules.conditions.occurrences import ENTRIES_MAX, ENTRY_BYTES, VALUE, Entries, Entry, drop_until, later_than
from rules.conditions.shapes import IsValue, are_entries, is_instant, is_row
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
TOLD: Final = 2
"""Where the time of an identity stands. Earlier versions did not keep it."""


class Values(NamedTuple):
    """How the values of a bucket's events become few values that stand for all of them."""

    join: Callable[[list[Any], Any], list[Any]]
    """Adds a value to the few; returns the new few."""
    leave: Callable[[list[Any], Any], list[Any]] | None = None
    """Takes a value that was added twice out once; None: it was added twice as if once."""


def keep(state: State, entry: Entry, oldest_ms: int, t_ms: int, bucket_ms: int, of: Values | None) -> State:
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
        units = _add(units, first, bucket_ms, of)
        identities = [known for known in identities if known[1] > t_ms]
        identities.append(_identity_of(first, t_ms, of))
    return drop([kept, units, identities], oldest_ms, bucket_ms)


def _identity_of(entry: Entry, t_ms: int, of: Values | None) -> list[Any]:
    value = None if of is None or of.leave is None else entry[VALUE]
    return [identity(*entry[:3]), max(t_ms, entry[0]) + SEEN_MS, entry[0], value]


def _add(units: list[Any], entry: Entry, bucket_ms: int, of: Values | None) -> list[Any]:
    """Return the units with an overflowed entry added to its own."""
    bucket = rounded_up(entry[0], bucket_ms)
    at = bisect_left(units, [bucket])
    known = at < len(units) and units[at][0] == bucket
    _, number, first_ms, last_ms, values = units[at] if known else (bucket, 0, entry[0], entry[0], [])
    joined = None if of is None else of.join(values, entry[VALUE])
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


def join_states(states: Sequence[State], oldest_ms: int, t_ms: int, bucket_ms: int, of: Values | None) -> State:
    """Return the state of the facts of all states, none of which is None; None: nothing of them is in the window."""
    left = [state for state in (drop(state, oldest_ms, bucket_ms) for state in states) if state is not None]
    if len(left) < 2:
        return left[0] if left else None
    units, identities = left[0][1], left[0][2]
    for _, more, known in left[1:]:
        units, identities = _units_of_both(units, identities, more, known, bucket_ms, of)
    counted_already = {each[0] for each in identities}
    entries = [entry for entry in merged(state[0] for state in left) if identity(*entry[:3]) not in counted_already]
    for entry in entries[:-ENTRIES_MAX]:
        units = _add(units, entry, bucket_ms, of)
        identities = [*identities, _identity_of(entry, t_ms, of)]
    return [entries[-ENTRIES_MAX:], units, identities]


def _units_of_both(
    units: list[Any], identities: list[Any], more: list[Any], known: list[Any], bucket_ms: int, of: Values | None
) -> tuple[list[Any], list[Any]]:
    """Return the units and identities of two states. What both recognise is counted once."""
    by_bucket = {unit[0]: unit for unit in units}
    for unit in more:
        mine = by_bucket.get(unit[0])
        by_bucket[unit[0]] = unit if mine is None else _unit_of_both(mine, unit, of)
    by_identity = {each[0]: each for each in identities}
    for each in known:
        mine = by_identity.get(each[0])
        by_identity[each[0]] = each if mine is None else max(mine, each, key=lambda one: (len(one), one[1]))
        if mine is not None and len(by_identity[each[0]]) > TOLD:
            _, _, time_ms, value = by_identity[each[0]]
            unit = by_bucket.get(rounded_up(time_ms, bucket_ms))
            if unit is not None:
                leave = None if of is None or value is None else of.leave
                values = unit[VALUES] if leave is None else leave(unit[VALUES], value)
                by_bucket[unit[0]] = [unit[0], unit[NUMBER] - 1, unit[FIRST], unit[LAST], values]
    return [by_bucket[bucket] for bucket in sorted(by_bucket)], [*by_identity.values()]


def _unit_of_both(one: list[Any], other: list[Any], of: Values | None) -> list[Any]:
    values = one[VALUES]
    if of is not None:
        for value in other[VALUES]:
            values = of.join(values, value)
    first_ms, last_ms = min(one[FIRST], other[FIRST]), max(one[LAST], other[LAST])
    return [one[0], one[NUMBER] + other[NUMBER], first_ms, last_ms, values]


def later(state: State, after_ms: int, bucket_ms: int) -> State:
    """Return the state of the facts later than an instant; None: there is none.

    A unit with any event that is not later is left out whole, and nothing of it is recognised any more.
    """
    if state is None:
        return None
    entries, units, identities = state
    left = drop_until(entries, after_ms)
    if left is None or (left is entries and (not units or units[0][FIRST] > after_ms)):
        return None if left is None else state
    units = [unit for unit in units if unit[FIRST] > after_ms]
    buckets = {unit[0] for unit in units}
    known = [each for each in identities if len(each) > TOLD and rounded_up(each[TOLD], bucket_ms) in buckets]
    return [left, units, known]


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


def is_state(value: Any, shape: IsValue | None) -> bool:
    """Tell whether a JSON value has the shape of a state. `shape`: of the values; None: the conditions only count."""
    if not is_row(value) or len(value) != 3 or not are_entries(value[0], shape):
        return False
    _, units, identities = value
    if not is_row(units) or not all(_is_unit(unit, shape) for unit in units):
        return False
    in_order = all(before[0] < after[0] for before, after in pairwise(units))
    return in_order and is_row(identities) and all(_is_identity(each, shape) for each in identities)


def _is_unit(unit: Any, shape: IsValue | None) -> bool:
    if not is_row(unit) or len(unit) != VALUES + 1 or not all(map(is_instant, unit[:VALUES])):
        return False
    values = unit[VALUES]
    return values is None if shape is None else is_row(values) and all(map(shape, values))


def _is_identity(value: Any, shape: IsValue | None) -> bool:
    if not is_row(value) or len(value) not in (TOLD, TOLD + 2) or value[0].__class__ is not int:
        return False
    if not is_instant(value[1]):
        return False
    told = value[TOLD:]
    return not told or (is_instant(told[0]) and (told[1] is None or (shape is not None and shape(told[1]))))


def bytes_max() -> int:
    """Return a size to reckon with: all entries, and units and identities of a busy profile."""
    return (ENTRIES_MAX + UNITS_LINTED) * ENTRY_BYTES

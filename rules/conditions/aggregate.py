"""The condition `aggregate`: operators on a figure made of an attribute of the matching events in the window.

Sums are exact before they are rounded (`math.fsum`), so that they do not depend on the order of arrival.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

from rules.conditions.base import Condition, Place, ReadRule, State, Verdict, View
from rules.conditions.matching import Matcher, read_attribute, read_matcher
from rules.conditions.occurrences import (
    ENTRY_BYTES,
    MEMORY,
    VALUE,
    Entries,
    Slide,
    drop_until,
    entry_of,
    evidence_of,
    flip_after,
    keep_all,
    later_than,
    remembered,
)
from rules.conditions.settings import VALUE_BYTES, plain
from rules.conditions.window import Window, WindowKeys, read_window, rounded_up
from rules.event import Event, Value
from rules.instants import FOREVER
from rules.operators import OPERATORS, OperatorKeys, Test, read_test
from rules.problems import Duration, Maybe, Reader, canonical_json
from rules.values import VALUE_TYPES, ValueType

Function: TypeAlias = Literal["sum", "min", "max", "mean", "distinct"]


def exact_sum(values: Sequence[float]) -> float:
    """Add exactly, then round once; beyond the doubles ±inf."""
    try:
        return math.fsum(values)
    except OverflowError:  # also where only a partial sum is too large
        total = sum(map(Fraction, values))
        try:
            return float(total)
        except OverflowError:
            return math.inf if total > 0 else -math.inf


def _distinct(values: Sequence[Any]) -> int:
    """Count different values; of lists their elements."""
    found: set[Any] = set()
    for value in values:
        found.update(value) if isinstance(value, list) else found.add(value)
    return len(found)


@dataclass(frozen=True, slots=True)
class Figure:
    """One aggregate function: of what types, what type it gives (None: that of the attribute), and how."""

    kinds: tuple[ValueType, ...]
    gives: ValueType | None
    of: Callable[[Sequence[Any]], Value | None]


_NUMBERS: Final[tuple[ValueType, ...]] = ("number", "integer")
_ORDERED: Final[tuple[ValueType, ...]] = ("number", "integer", "datetime")
FIGURES: Final[Mapping[str, Figure]] = {
    "sum": Figure(_NUMBERS, "number", exact_sum),
    "min": Figure(_ORDERED, None, lambda values: min(values, default=None)),
    "max": Figure(_ORDERED, None, lambda values: max(values, default=None)),
    "mean": Figure(_NUMBERS, "number", lambda values: exact_sum(values) / len(values) if values else None),
    "distinct": Figure(VALUE_TYPES, "integer", _distinct),
}


class AggregateDefinition(OperatorKeys, WindowKeys):
    """`aggregate: F, of: ATTR, event: T, where: {…}, OP: v`, window, bucket; `older_than` is the window."""

    aggregate: Function
    of: str
    event: Any
    where: Maybe[dict[str, Any]] = None
    bucket: Maybe[Duration] = None
    older_than: Maybe[Duration] = None


class Aggregate(Condition):
    """Remembers the attribute of every matching event that the window may reach. The figure is made at evaluation."""

    kind = "aggregate"
    looks_at_history = True

    def __init__(
        self,
        definition: Any,
        matcher: Matcher,
        of: str,
        kind: ValueType,
        function: Function,
        test: Test,
        window: Window,
    ) -> None:
        self.definition = definition
        self.types = matcher.types
        self.mark = window.mark
        self.window = window
        self._where = matcher.where
        self._of = of
        self._figure = FIGURES[function].of
        self._test = test
        self._text = f"{function} of {of} of {matcher.text}{window.describe()} {test.text}"
        self._bucket_ms = window.bucket_ms or 0
        self._reach_ms = None if window.within_ms is None else window.within_ms + self._bucket_ms
        self.state_key = canonical_json(["aggregate", matcher.key, of, kind, window.key()])

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the attribute; an event without it is skipped."""
        value = event.data.get(self._of)
        if value is None or (self._where is not None and not self._where(event)):
            return state
        if not self.window.admits(event.time_ms):
            return state
        entry = entry_of(event, arrival)
        entry.append(plain(value))
        return keep_all(state, entry, -FOREVER if self._reach_ms is None else t_ms - self._reach_ms)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return state if self._reach_ms is None else drop_until(state, t_ms - self._reach_ms)

    def verdict(self, view: View) -> Verdict:
        """Test the figure; the next flip is when entries that matter come in or leave, or its own."""
        entries = self._entries(view)
        values = [entry[VALUE] for entry in entries]
        t_ms = view.t_ms
        if self._reach_ms is None and self.window.older_ms is None:
            return self._test.verdict(self._figure(values), t_ms)
        slide = self._slide(entries)

        def verdict_at(at_ms: int) -> Verdict:
            first, end = slide.at(at_ms)
            return self._test.verdict(self._figure(values[first:end]), at_ms)

        holds, own_ms = verdict_at(t_ms)
        if own_ms < FOREVER or not entries:
            return holds, min(own_ms, slide.change_after(t_ms))
        return holds, flip_after(t_ms, bool(holds), lambda at_ms: bool(verdict_at(at_ms)[0]), slide.change_after)

    def _entries(self, view: View) -> Entries:
        entries = view.facts.states.get(self.state_key)  # type: ignore[arg-type]
        return later_than(remembered(entries), view.mark(self.mark)) if entries else []

    def _slide(self, entries: Entries) -> Slide:
        bucket_ms = self._bucket_ms
        times = [rounded_up(entry[0], bucket_ms) if bucket_ms else entry[0] for entry in entries]
        return Slide(times, self.window.within_ms, self.window.older_ms)

    def complete_at(self, cut_ms: int) -> int:
        """As its window says."""
        return self.window.complete_at(cut_ms)

    def describe(self) -> str:
        """`sum of amount of purchase within 30d at least 100`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """The entries in the window."""
        entries = self._entries(view)
        first, end = self._slide(entries).at(view.t_ms)
        return evidence_of(entries[first:end])

    def capped(self, view: View) -> bool:
        """Whether entries were dropped at the limit."""
        return len(view.facts.states.get(self.state_key or "") or ()) > MEMORY

    def state_bytes_max(self) -> int:
        """All entries up to the limit."""
        return (MEMORY + 1) * (ENTRY_BYTES + VALUE_BYTES)


def read_aggregate(reader: Reader, place: Place, nested: ReadRule) -> Aggregate | None:
    """Read an aggregate condition."""
    keys = reader.model(AggregateDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.at("event"), reader.at("where") if keys.where is not None else None, place)
    window = read_window(keys, reader, place, keys.bucket)
    if matcher is None:
        return None
    figure = FIGURES[keys.aggregate]
    attribute = read_attribute(reader.at("of"), matcher.names, place, figure.kinds, f"'{keys.aggregate}'")
    if attribute is None:
        return None
    of, kind = attribute
    operators = [key for key in reader.value if key in OPERATORS and key != "older_than"]
    test = read_test(reader, operators, figure.gives or kind, f"the {keys.aggregate} of {of!r}")
    if test is None or window is None:
        return None
    return Aggregate(reader.value, matcher, of, kind, keys.aggregate, test, window)

"""The condition `aggregate`: operators on a figure made of an attribute of the matching events in the window.

Sums are exact before they are rounded (`math.fsum`), so that they do not depend on the order of arrival. With `bucket`
what overflows is joined by bucket into few values that give the same figure: for a sum and a mean floats that do not
overlap and add up to it exactly (Shewchuk's partials), for the others the extreme or the different values.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, TypeAlias

from rules.conditions import bucketed
from rules.conditions.base import ReadRule, RuleContext, Verdict
from rules.conditions.bucketed import Join
from rules.conditions.in_window import InWindow
from rules.conditions.matching import Matcher, read_attribute, read_matcher
from rules.conditions.occurrences import (
    ENTRY_BYTES,
    MEMORY,
    VALUE,
    Entries,
    Entry,
    Slide,
    drop_until,
    entry_of,
    evidence_of,
    flip_after,
    keep_all,
)
from rules.conditions.settings import VALUE_BYTES, plain
from rules.conditions.view import State, View
from rules.conditions.window import Window, WindowKeys, read_window, rounded_up
from rules.ground.event import Event, Value
from rules.ground.instants import FOREVER
from rules.ground.values import VALUE_TYPES, ValueType
from rules.language.operators import OPERATORS, OperatorKeys, Test, read_test
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Duration, Maybe

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


def join_sum(partials: list[Any], value: float) -> list[Any]:
    """Add a number to partials, exactly: the error of every addition is a partial of its own."""
    joined: list[Any] = []
    high = float(value)
    for partial in partials:
        large, small = (high, partial) if abs(high) >= abs(partial) else (partial, high)
        high = large + small
        low = small - (high - large)
        if low:
            joined.append(low)
    return [*joined, high] if math.isfinite(high) else [*partials, value]


def join_distinct(values: list[Any], value: Any) -> list[Any]:
    """Add a value, or the elements of a list, to the different ones."""
    return [*values, *(new for new in (value if isinstance(value, list) else [value]) if new not in values)]


def _distinct(values: Sequence[Any], _number: int) -> int:
    """Count different values; of lists their elements."""
    found: set[Any] = set()
    for value in values:
        found.update(value) if isinstance(value, list) else found.add(value)
    return len(found)


def _mean(values: Sequence[Any], number: int) -> float | None:
    return exact_sum(values) / number if number else None


@dataclass(frozen=True, slots=True)
class Figure:
    """One aggregate function.

    `of` makes it of values that stand for so many; `join` adds a value to such values, for a bucket.
    """

    kinds: tuple[ValueType, ...]
    """The types of attribute that it takes."""
    gives: ValueType | None
    """The type of the figure; None: that of the attribute."""
    of: Callable[[Sequence[Any], int], Value | None]
    join: Join
    falls: Literal["always", "of positives", "no"] = "no"
    """Whether the figure can only fall as values leave."""


_NUMBERS: Final[tuple[ValueType, ...]] = ("number", "integer")
_ORDERED: Final[tuple[ValueType, ...]] = ("number", "integer", "datetime")
FIGURES: Final[Mapping[str, Figure]] = {
    "sum": Figure(_NUMBERS, "number", lambda values, _: exact_sum(values), join_sum, "of positives"),
    "min": Figure(_ORDERED, None, lambda values, _: min(values, default=None), lambda known, new: [min([*known, new])]),
    "max": Figure(
        _ORDERED, None, lambda values, _: max(values, default=None), lambda known, new: [max([*known, new])], "always"
    ),
    "mean": Figure(_NUMBERS, "number", _mean, join_sum),
    "distinct": Figure(VALUE_TYPES, "integer", _distinct, join_distinct, "always"),
}


_CLASSES: Final[Mapping[ValueType, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "datetime": (int,),
    "list": (tuple,),
}


class AggregateDefinition(OperatorKeys, WindowKeys):
    """`aggregate: F, of: ATTR, event: T, where: {…}, OP: v`, window, bucket; `older_than` is the window."""

    aggregate: Function
    of: str
    event: Any
    where: Maybe[dict[str, Any]] = None
    bucket: Maybe[Duration] = None
    older_than: Maybe[Duration] = None


class Aggregate(InWindow):
    """Remembers the attribute of every matching event that the window may reach. The figure is made at evaluation."""

    kind = "aggregate"

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
        text = f"{function} of {of} of {matcher.text}{window.describe()} {test.text}"
        super().__init__(definition, matcher.types, window, text)
        self._where = matcher.where
        self._of = of
        self._classes = _CLASSES[kind]
        self._figure = FIGURES[function].of
        self._join = FIGURES[function].join
        self._falls = FIGURES[function].falls if test.rising and window.older_ms is None else "no"
        self._test = test
        self._bucket_ms = window.bucket_ms
        # entries serve every figure; what stands for a bucket serves one
        serves = function if window.bucket_ms is not None else "all"
        # facts of another type are none for it; but a number that is declared an integer, or no longer, stays a number
        kept = "number" if kind == "integer" else kind
        self.state_key = canonical_json(["aggregate", matcher.key, of, kept, serves, window.key()])

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the attribute; an event without it is skipped."""
        value = event.data.get(self._of)
        # a fact from before a change of the dictionary may have another type: for this condition it is none
        if type(value) not in self._classes or (self._where is not None and not self._where(event)):
            return state
        if not self.window.admits(event.time_ms):
            return state
        entry = entry_of(event, arrival)
        entry.append(plain(value))
        oldest_ms = self._oldest_ms(t_ms)
        if self._bucket_ms is None:
            return keep_all(state, entry, oldest_ms)
        return bucketed.keep(state, entry, oldest_ms, t_ms, self._bucket_ms, self._join)

    def _oldest_ms(self, t_ms: int) -> int:
        return -FOREVER if self.window.within_ms is None else t_ms - self.window.within_ms

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        if self._bucket_ms is None:
            return drop_until(state, self._oldest_ms(t_ms))
        return bucketed.drop(state, self._oldest_ms(t_ms), self._bucket_ms)

    def verdict(self, view: View) -> Verdict:
        """Test the figure; the next flip is when entries that matter come in or leave, or its own."""
        units, entries = (self._slide(part) for part in self._counted(view))
        t_ms = view.t_ms

        def verdict_at(at_ms: int) -> Verdict:
            first, end = entries.slice_at(at_ms)
            values = [entry[VALUE] for entry in entries.entries[first:end]]
            number = end - first
            if units.entries:
                first, end = units.slice_at(at_ms)
                for unit in units.entries[first:end]:
                    values.extend(unit[bucketed.VALUES])
                    number += unit[bucketed.NUMBER]
            return self._test.verdict(self._figure(values, number), at_ms)

        def change_after(at_ms: int) -> int:
            return min(entries.change_after(at_ms), units.change_after(at_ms))

        holds, own_ms = verdict_at(t_ms)
        if own_ms < FOREVER:
            return holds, min(own_ms, change_after(t_ms))
        if self._only_falls(entries.entries) and not units.entries:
            return holds, self._falls_ms(entries, t_ms) if holds else FOREVER
        return holds, flip_after(t_ms, bool(holds), lambda at_ms: bool(verdict_at(at_ms)[0]), change_after)

    def _only_falls(self, entries: Sequence[Entry]) -> bool:
        """Whether a verdict that is false stays so, and one that is true ends once."""
        if self._falls == "of positives":
            return all(entry[VALUE] >= 0 for entry in entries)
        return self._falls == "always"

    def _falls_ms(self, slide: Slide, t_ms: int) -> int:
        """Halve the entries in the window down to the one whose leaving ends a verdict that only falls."""
        if self.window.within_ms is None:
            return FOREVER
        entries = slide.entries
        low, high = slide.slice_at(t_ms)
        if self._test.check(self._figure([], 0)):
            return FOREVER
        while high - low > 1:  # with all from `low` on it holds, with all from `high` on it does not
            middle = (low + high) // 2
            values = [entry[VALUE] for entry in entries[middle:]]
            if self._test.check(self._figure(values, len(values))):
                low = middle
            else:
                high = middle
        return rounded_up(entries[low][0], self._bucket_ms) + self.window.within_ms

    def _counted(self, view: View) -> tuple[Entries, Entries]:
        """Units and entries later than the mark."""
        if self._bucket_ms is None:
            return [], self.entries(view)
        return bucketed.counted(view.facts.states.get(self.state_key or ""), view.mark(self.mark))

    def _slide(self, entries: Entries) -> Slide:
        return Slide(entries, self.window.within_ms, self.window.older_ms, self._bucket_ms)

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """The entries in the window."""
        _, entries = self._counted(view)
        first, end = self._slide(entries).slice_at(view.t_ms)
        return evidence_of(entries[first:end])

    def capped(self, view: View) -> bool:
        """Whether entries were dropped at the limit, or a mark lies inside a bucket that was joined."""
        if self._bucket_ms is None:
            return super().capped(view)
        return bucketed.straddles(view.facts.states.get(self.state_key or ""), view.mark(self.mark))

    def state_bytes_max(self) -> int:
        """All entries up to the limit, or what a busy profile needs."""
        return bucketed.bytes_max() if self._bucket_ms is not None else (MEMORY + 1) * (ENTRY_BYTES + VALUE_BYTES)


def read_aggregate(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Aggregate | None:
    """Read an aggregate condition."""
    keys = reader.model(AggregateDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("event"), reader.down("where") if keys.where is not None else None, context)
    window = read_window(keys, reader, context, keys.bucket)
    if matcher is None:
        return None
    figure = FIGURES[keys.aggregate]
    attribute = read_attribute(reader.down("of"), matcher.names, context, figure.kinds, f"'{keys.aggregate}'")
    if attribute is None:
        return None
    of, kind = attribute
    operators = [key for key in reader.value if key in OPERATORS and key != "older_than"]
    test = read_test(reader, operators, figure.gives or kind, f"the {keys.aggregate} of {of!r}")
    if test is None or window is None:
        return None
    return Aggregate(reader.value, matcher, of, kind, keys.aggregate, test, window)

"""The condition `aggregate`: operators on a figure made of an attribute of the matching events in the window.

The figures, and what stands for many values in a bucket, are `rules.conditions.figures`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from mypy_extensions import mypyc_attr

from rules.conditions import bucketed
from rules.conditions.aggregate_keys import AggregateDefinition
from rules.conditions.base import ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.entry_memory import BucketedMemory, ValueOf, WindowMemory
from rules.conditions.facts import Alternatives
from rules.conditions.figures import FIGURES, Function
from rules.conditions.in_window import OfMatcher
from rules.conditions.kind import Kind
from rules.conditions.matching import Matcher, read_attribute, read_matcher
from rules.conditions.mention import as_mapping, as_names, mentions_events
from rules.conditions.occurrences import VALUE, Entry, Slide, flip_after
from rules.conditions.own_facts import variable_of
from rules.conditions.scene import Judge, Scene
from rules.conditions.settings import VALUE_BYTES, plain
from rules.conditions.shapes import IsValue, is_number, is_row, is_value, is_whole
from rules.conditions.view import View
from rules.conditions.window import Window, read_window, rounded_up
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.ground.values import ValueType
from rules.language.dictionary import Dictionary
from rules.language.operands import read_test
from rules.language.operators import OPERATORS, names_for
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import Test

_CLASSES: Final[Mapping[ValueType, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "datetime": (int,),
    "list": (tuple,),
}


_SHAPES: Final[Mapping[ValueType, IsValue]] = {
    "string": lambda value: value.__class__ is str,
    "number": is_number,
    "integer": is_number,
    "boolean": lambda value: value.__class__ is bool,
    "datetime": is_whole,
    "list": lambda value: is_row(value) and is_value(value),
}


def value_of(attribute: str, kind: ValueType) -> ValueOf:
    """Make the function that reads an event's attribute; None: it has none of that type."""
    # a fact from before a change of the dictionary may have another type: for this condition it is none
    classes = _CLASSES[kind]

    def value(event: Event) -> Any:
        found = event.data.get(attribute)
        return plain(found) if type(found) in classes else None

    return value


def memory_of(matcher: Matcher, attribute: str, kind: ValueType, function: Function, window: Window) -> WindowMemory:
    """Make the memory: the attribute of every matching event that the window may reach."""
    # entries serve every figure; what stands for a bucket serves one
    serves = function if window.bucket_ms is not None else "all"
    # facts of another type are none for it; but a number that is declared an integer, or no longer, stays a number
    kept = "number" if kind == "integer" else kind
    key = canonical_json(["aggregate", matcher.key, attribute, kept, serves, window.key()])
    reach_ms, value, shape = window.within_ms, value_of(attribute, kind), _SHAPES[kind]
    if window.bucket_ms is None:
        return WindowMemory(
            key, (matcher,), window, reach_ms=reach_ms, value_of=value, value_bytes=VALUE_BYTES, shape=shape
        )
    return BucketedMemory(
        key,
        (matcher,),
        window,
        reach_ms=reach_ms,
        value_of=value,
        values=FIGURES[function].bucket,
        shape=is_value if function == "distinct" else shape,
    )


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Aggregate(OfMatcher):
    """Tests the figure at evaluation; no figure is remembered."""

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
        super().__init__(definition, matcher, memory_of(matcher, of, kind, function, window), window, text)
        self._function = function
        self._figure = FIGURES[function].of
        self._gives = FIGURES[function].gives or kind
        self._falls = FIGURES[function].falls if test.rising and window.older_ms is None else "no"
        self._test = test

    def verdict(self, view: View) -> Verdict:
        """Test the figure; the next flip is when entries that matter come in or leave, or its own."""
        units, entries = (self.slide(part) for part in self.counted(view))
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
        """Tell whether a false verdict stays false, and a true one ends once."""
        if self._falls == "of positives":
            return all(entry[VALUE] >= 0 for entry in entries)
        return self._falls == "always"

    def _falls_ms(self, slide: Slide, t_ms: int) -> int:
        """Return the instant at which a verdict that only falls ends: when one entry leaves, found by halving."""
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
        return rounded_up(entries[low][0], self.window.bucket_ms) + self.window.within_ms

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say which operators the figure passes, or one that it does not, and what every such figure is."""
        raw = self.definition
        windowed = {key: value for key, value in raw.items() if key not in OPERATORS or key == "older_than"}
        variable = variable_of(self, scene, windowed)
        of_nothing = self._function in ("sum", "distinct")
        domain: dict[str, Any] = {"exists": True} if of_nothing else {}
        if self._function == "distinct":
            domain["at_least"] = 0
        if self.counts_nothing(judge, scene):
            domain = {"equals": 0} if of_nothing else {"exists": False}
        known = judge.operators.of(variable, domain, self._gives)
        asked = {key: value for key, value in raw.items() if key not in windowed}
        tests = judge.operators.of(variable, asked, self._gives)
        if holds:
            return [frozenset((*known, *tests))]
        return [frozenset((*known, replace(test, denied=True))) for test in tests]


def aggregate_keys(raw: Any, dictionary: Dictionary) -> list[str] | None:
    """Return the keys of an aggregate of its function and attribute; None: it does not name both."""
    figure = FIGURES.get(str(as_mapping(raw).get("aggregate")))
    if figure is None:
        return None
    kind = figure.gives
    if kind is None:
        events = [dictionary.events[name] for name in as_names(raw.get("event")) if name in dictionary.events]
        attribute = events[0].data.get(str(raw.get("of"))) if events else None
        if attribute is None:
            return None
        kind = attribute.type
    own = ("of", "event", "where", "within", "older_than", "since", "until", "bucket")
    return [*own, *(name for name in names_for(kind) if name not in own)]


def read_aggregate(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Aggregate | None:
    """Read an aggregate condition."""
    keys = reader.model(AggregateDefinition, aggregate_keys(reader.value, context.dictionary))
    if keys is None:
        return None
    asked = _read_test(reader, context, keys)
    of_nothing = asked is not None and asked.test.holds(FIGURES[keys.aggregate].of([], 0), 0)
    window = read_window(keys, reader, context, keys.bucket, of_nothing=of_nothing)
    if asked is None or window is None:
        return None
    return Aggregate(reader.value, asked.matcher, asked.of, asked.kind, keys.aggregate, asked.test, window)


class _Asked(NamedTuple):
    """Which events an aggregate takes which attribute of, and how the figure is tested."""

    matcher: Matcher
    of: str
    kind: ValueType
    test: Test


def _read_test(reader: DefinitionReader, context: RuleContext, keys: AggregateDefinition) -> _Asked | None:
    """Read all but the window; None if anything is wrong, every problem recorded."""
    matcher = read_matcher(reader.down("event"), reader.down("where") if keys.where is not None else None, context)
    if matcher is None:
        return None
    figure = FIGURES[keys.aggregate]
    attribute = read_attribute(reader.down("of"), matcher.names, context, figure.kinds, f"'{keys.aggregate}'")
    if attribute is None:
        return None
    of, kind = attribute
    operators = [key for key in reader.value if key in OPERATORS and key != "older_than"]
    test = read_test(reader, operators, figure.gives or kind, f"the {keys.aggregate} of {of!r}")
    return None if test is None else _Asked(matcher, of, kind, test)


KIND: Final[Kind] = Kind("aggregate", Aggregate, read_aggregate, mentions_events("event", ["of"]), types_key="event")

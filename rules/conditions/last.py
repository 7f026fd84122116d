"""The condition `last`: what the latest matching event in the window says.

On which instants an event satisfies `is` is known when it is folded: an entry's fifth field is 1 (always), 0 (never)
or that interval. Without `older_than` the latest event suffices, and the events of the same time: a mark
may exclude some of them.
"""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.entry_memory import LatestMemory, ValueOf, WindowMemory
from rules.conditions.facts import ALWAYS, NEVER, Alternatives, Range
from rules.conditions.in_window import OfMatcher
from rules.conditions.kind import Kind
from rules.conditions.last_keys import LastDefinition
from rules.conditions.matching import Matcher, read_attribute_tests, read_matcher
from rules.conditions.mention import mentions_events
from rules.conditions.occurrences import VALUE, Entries, Entry, flip_after
from rules.conditions.own_facts import own
from rules.conditions.scene import Judge, Scene
from rules.conditions.shapes import is_row, is_whole
from rules.conditions.view import View
from rules.conditions.window import Window, read_window
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import AT_EVERY_INSTANT, AT_NO_INSTANT, FALSE, Interval, Test

INTERVAL_BYTES: Final = 32


def satisfied_by(tests: dict[str, Test]) -> ValueOf:
    """Make the function that tells on which instants an event satisfies `is`."""

    def satisfied(event: Event) -> int | list[int]:
        start_ms, end_ms = AT_EVERY_INSTANT
        for attribute, test in tests.items():
            low, high = test.interval(event.data.get(attribute))
            start_ms, end_ms = max(start_ms, low), min(end_ms, high)
        if (start_ms, end_ms) == AT_EVERY_INSTANT:
            return 1
        return [start_ms, end_ms] if start_ms < end_ms else 0

    return satisfied


def memory_of(definition: Any, matcher: Matcher, tests: dict[str, Test], window: Window) -> WindowMemory:
    """Make the memory: of the latest event, or with `older_than` of all that may become the latest."""
    key = canonical_json(["last", matcher.key, definition["is"], window.key()])
    reach_ms, value_of = window.within_ms, satisfied_by(tests)
    if window.older_ms is None:
        return LatestMemory(
            key,
            (matcher,),
            window,
            reach_ms=reach_ms,
            wanted=1,
            value_of=value_of,
            value_bytes=INTERVAL_BYTES,
            shape=_is_interval,
        )
    return WindowMemory(
        key,
        (matcher,),
        window,
        reach_ms=reach_ms,
        value_of=value_of,
        value_bytes=INTERVAL_BYTES,
        shape=_is_interval,
    )


def _is_interval(value: Any) -> bool:
    return is_whole(value) or (is_row(value) and len(value) == 2 and all(map(is_whole, value)))


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Last(OfMatcher):
    """Holds when the latest matching event in the window satisfies `is`; without one it does not."""

    kind = "last"

    def __init__(self, definition: Any, matcher: Matcher, tests: dict[str, Test], window: Window) -> None:
        said = " and ".join(f"{attribute} {test.text}" for attribute, test in tests.items())
        text = f"the last {matcher.text}{window.describe()} has {said}"
        super().__init__(definition, matcher, memory_of(definition, matcher, tests, window), window, text)

    def verdict(self, view: View) -> Verdict:
        """Ask the latest in the window; it flips by itself, or when another becomes the latest, or leaves."""
        _, entries = self.counted(view)
        if not entries:
            return FALSE
        t_ms = view.t_ms
        if self.window.older_ms is not None:
            return self._verdict_older(entries, t_ms)
        last, within_ms = entries[-1], self.window.within_ms
        end_ms = FOREVER if within_ms is None else last[0] + within_ms
        if t_ms >= end_ms:
            return FALSE
        low, high = _interval(last)
        if t_ms < low:
            return False, low if low < end_ms else FOREVER
        return (True, min(high, end_ms)) if t_ms < high else FALSE

    def _verdict_older(self, entries: Entries, t_ms: int) -> Verdict:
        slide = self.slide(entries)

        def last_at(at_ms: int) -> Interval:
            first, end = slide.slice_at(at_ms)
            return _interval(entries[end - 1]) if first < end else AT_NO_INSTANT

        def holds_at(at_ms: int) -> bool:
            low, high = last_at(at_ms)
            return low <= at_ms < high

        def change_after(at_ms: int) -> int:
            own = (instant_ms for instant_ms in last_at(at_ms) if instant_ms > at_ms)
            return min(slide.change_after(at_ms), *own, FOREVER)

        holds = holds_at(t_ms)
        return holds, flip_after(t_ms, holds, holds_at, change_after)

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the latest in the window."""
        return super().evidence(view)[-1:]

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say that there is a matching event, if it holds."""
        if self.counts_nothing(judge, scene, self.definition["is"]):
            return NEVER if holds else ALWAYS
        return own(self, holds, scene, [Range(self.count_variable(scene), low=1)])


def _interval(entry: Entry) -> Interval:
    """On which instants the entry's event satisfies `is`."""
    satisfied = entry[VALUE]
    if isinstance(satisfied, int):
        return AT_EVERY_INSTANT if satisfied else AT_NO_INSTANT
    return satisfied[0], satisfied[1]


def read_last(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Last | None:
    """Read a last condition."""
    keys = reader.model(LastDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("last"), reader.down("where") if keys.where is not None else None, context)
    window = read_window(keys, reader, context)
    if matcher is None:
        return None
    tests = read_attribute_tests(reader.down("is"), matcher.names, context)
    if tests is None or window is None:
        return None
    return Last(reader.value, matcher, tests, window)


KIND: Final[Kind] = Kind("last", Last, read_last, mentions_events("last"), types_key="last")

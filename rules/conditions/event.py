"""The condition `event`: how many matching events are in the window.

How many events it remembers, and which, depends on its window and its numbers: `rules.conditions.count_memory`.
"""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions import bucketed
from rules.conditions.base import ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.count_memory import AllCountMemory, BucketedCountMemory, EarliestCountMemory, LatestCountMemory
from rules.conditions.entry_memory import WindowMemory
from rules.conditions.event_keys import CountKeys, EventDefinition
from rules.conditions.facts import UP, Alternatives, Range
from rules.conditions.in_window import OfMatcher
from rules.conditions.kind import Kind
from rules.conditions.matching import Matcher, read_matcher
from rules.conditions.mention import mentions_events
from rules.conditions.occurrences import ENTRIES_MAX, count_later, flip_after
from rules.conditions.scene import Judge, Scene
from rules.conditions.view import View
from rules.conditions.window import Window, read_window, rounded_up
from rules.language.problems import DefinitionReader
from rules.language.validation import Path
from rules.language.value_test import FALSE, TRUE


def read_count(count: CountKeys | None, reader: DefinitionReader) -> tuple[int, int | None] | None:
    """Make the bounds of a count, both inclusive (no upper one: None); None if they are wrong, recorded."""
    if count is None:
        return 1, None
    if not count.model_fields_set:
        reader.problem("'count' must not be empty: at_least, at_most, exactly or between")
        return None
    pairs: list[tuple[int, int | None]] = []
    if count.at_least is not None:
        pairs.append((count.at_least, None))
    if count.at_most is not None:
        pairs.append((0, count.at_most))
    if count.exactly is not None:
        pairs.append((count.exactly, count.exactly))
    if count.between is not None:
        pairs.append((count.between[0], count.between[1]))
    least = max(low for low, _ in pairs)
    most = min((high for _, high in pairs if high is not None), default=None)
    return least, most


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class EventCount(OfMatcher):
    """Counts matching events in a window that is bounded below only: the common case, made fast."""

    kind = "event"

    def __init__(
        self, definition: Any, matcher: Matcher, memory: WindowMemory, least: int, most: int | None, window: Window
    ) -> None:
        text = f"{said_count(least, most)} {matcher.text}{window.describe()}"
        super().__init__(definition, matcher, memory, window, text)
        self._least, self._most = least, most
        self.state_key = memory.state_key
        self._bucket_ms = window.bucket_ms
        self._beyond = max(least, most or 0) > ENTRIES_MAX - (most is not None)
        self.lasts = window.older_ms is None and most is None and self.mark is None and not self._beyond

    def verdict(self, view: View) -> Verdict:
        """Count; the next flip is when the count falls to what decides."""
        entries = view.facts.state(self.state_key)
        if not entries:
            return FALSE if self._least else TRUE
        mark = view.mark(self.mark) if self.mark is not None else None
        count = len(entries) if mark is None else count_later(entries, mark)
        if self._beyond:
            count = min(count, ENTRIES_MAX)
        least, most = self._least, self._most
        within_ms = self.window.within_ms
        if within_ms is None:
            return TRUE if count >= least and (most is None or count <= most) else FALSE
        t_ms = view.t_ms
        if most is not None and count > most:
            end_ms = rounded_up(entries[-most - 1][0], self._bucket_ms) + within_ms
            if t_ms < end_ms:
                return False, end_ms
        if not least:
            return TRUE
        if count < least:
            return FALSE
        end_ms = rounded_up(entries[-least][0], self._bucket_ms) + within_ms
        return (True, end_ms) if t_ms < end_ms else FALSE

    def capped(self, view: View) -> bool:
        """Tell whether the count asked for more than is remembered, and so much was there."""
        return self._beyond and len(view.facts.state(self.state_key) or ()) >= ENTRIES_MAX

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say between which bounds the count is."""
        counted = self.count_variable(scene)
        domain = Range(counted, 0, 0 if self.counts_nothing(judge, scene) else UP)
        least, most = self._least, UP if self._most is None else self._most
        if holds:
            return [frozenset({Range(counted, least, most), domain})]
        fewer = [frozenset({Range(counted, high=least - 1), domain})] if least else []
        return [*fewer, frozenset({Range(counted, low=most + 1), domain})] if most < UP else fewer

    def beyond_memory(self) -> tuple[Path, str] | None:
        """Tell of a count that no memory reaches."""
        if self._bucket_ms is not None or max(self._least, self._most or 0) <= ENTRIES_MAX:
            return None
        return ("count",), f"only the latest {ENTRIES_MAX} events are remembered to be counted; 'bucket' lifts that"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class SlidingCount(EventCount):
    """Counts matching events that time lets into the window (`older_than`), or that are counted by bucket."""

    def verdict(self, view: View) -> Verdict:
        """Count units and entries; walk over their changes to the next flip."""
        units, entries = (self.slide(part) for part in self.counted(view))
        least, most = self._least, self._most

        def holds_at(at_ms: int) -> bool:
            first, end = entries.slice_at(at_ms)
            count = end - first
            if units.entries:
                first, end = units.slice_at(at_ms)
                count += sum(unit[bucketed.NUMBER] for unit in units.entries[first:end])
            return least <= count and (most is None or count <= most)

        def change_after(at_ms: int) -> int:
            return min(units.change_after(at_ms), entries.change_after(at_ms))

        holds = holds_at(view.t_ms)
        return holds, flip_after(view.t_ms, holds, holds_at, change_after)

    def capped(self, view: View) -> bool:
        """As its memory says."""
        memory = self.memory
        assert memory is not None
        return memory.capped(view.facts.state(memory.state_key), view.mark(self.mark))


def said_count(least: int, most: int | None) -> str:
    """Say the bounds of a count: `2 or more of`."""
    if most is None:
        return f"{least} or more of"
    if least == most:
        return f"exactly {least} of"
    if least > most:
        return f"at least {least} and at most {most} of"
    return f"at most {most} of" if not least else f"between {least} and {most} of"


def read_event(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> EventCount | None:
    """Read an event condition."""
    keys = reader.model(EventDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("event"), reader.down("where") if keys.where is not None else None, context)
    count = read_count(keys.count, reader.down("count") if keys.count is not None else reader)
    of_nothing = count is not None and count[0] == 0
    window = read_window(keys, reader, context, keys.bucket, of_nothing=of_nothing)
    if matcher is None or count is None or window is None:
        return None
    shape, memory = _shape(window, *count)
    return shape(reader.value, matcher, memory(matcher, *count, window), *count, window)


_CountMemory = type[LatestCountMemory] | type[EarliestCountMemory] | type[AllCountMemory] | type[BucketedCountMemory]


def _shape(window: Window, least: int, most: int | None) -> tuple[type[EventCount], _CountMemory]:
    """Choose by how much must be kept."""
    few = max(least, (most or 0) + 1) <= ENTRIES_MAX
    if window.older_ms is None and (few or window.bucket_ms is None):
        return EventCount, LatestCountMemory
    if window.older_ms is not None:
        if few and window.within_ms is None and window.mark is None:
            return SlidingCount, EarliestCountMemory
        if window.bucket_ms is None:
            return SlidingCount, AllCountMemory
    return SlidingCount, BucketedCountMemory


KIND: Final[Kind] = Kind("event", EventCount, read_event, mentions_events("event"), types_key="event")

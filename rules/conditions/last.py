"""The condition `last`: what the latest matching event in the window says.

On which instants an event satisfies `is` is known when it is folded: an entry's fifth field is 1 (always), 0 (never)
or that interval. Without `older_than` the latest event suffices, with those of the same time for the sake of marks.
"""

from typing import Any, Final

from rules.conditions.base import ReadRule, RuleContext, Verdict
from rules.conditions.in_window import InWindow
from rules.conditions.matching import Matcher, read_attribute_tests, read_matcher
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
    keep_latest,
)
from rules.conditions.view import State, View
from rules.conditions.window import Window, WindowKeys, read_window
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.operators import EVER, FALSE, NEVER, Interval, Test
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Maybe

INTERVAL_BYTES: Final = 32


class LastDefinition(WindowKeys):
    """`last: T, where: {…}, is: {ATTR: {OP: v}}`, window."""

    last: Any
    where: Maybe[dict[str, Any]] = None
    is_: dict[str, Any]


class Last(InWindow):
    """Holds when the latest matching event in the window satisfies `is`; without one it does not."""

    kind = "last"

    def __init__(self, definition: Any, matcher: Matcher, tests: dict[str, Test], window: Window) -> None:
        said = " and ".join(f"{attribute} {test.text}" for attribute, test in tests.items())
        text = f"the last {matcher.text}{window.describe()} has {said}"
        super().__init__(definition, matcher.types, window, text)
        self._where = matcher.where
        self._tests = tuple(tests.items())
        self._reach_ms = window.within_ms
        self.state_key = canonical_json(["last", matcher.key, definition["is"], window.key()])

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the latest, or with `older_than` all that may become the latest."""
        if self._where is not None and not self._where(event):
            return state
        if not self.window.admits(event.time_ms):
            return state
        entry = entry_of(event, arrival)
        entry.append(self._satisfied(event))
        oldest_ms = -FOREVER if self._reach_ms is None else t_ms - self._reach_ms
        if self.window.older_ms is None:
            return keep_latest(state, entry, 1, oldest_ms)
        return keep_all(state, entry, oldest_ms)

    def _satisfied(self, event: Event) -> int | list[int]:
        """On which instants the event satisfies `is`."""
        start_ms, end_ms = EVER
        for attribute, test in self._tests:
            low, high = test.interval(event.data.get(attribute))
            start_ms, end_ms = max(start_ms, low), min(end_ms, high)
        if (start_ms, end_ms) == EVER:
            return 1
        return [start_ms, end_ms] if start_ms < end_ms else 0

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return state if self._reach_ms is None else drop_until(state, t_ms - self._reach_ms)

    def verdict(self, view: View) -> Verdict:
        """Ask the latest in the window; it flips by itself, or when another becomes the latest, or leaves."""
        entries = self.entries(view)
        if not entries:
            return FALSE
        t_ms = view.t_ms
        if self.window.older_ms is not None:
            return self._verdict_older(entries, t_ms)
        last = entries[-1]
        end_ms = FOREVER if self._reach_ms is None else last[0] + self._reach_ms
        if t_ms >= end_ms:
            return FALSE
        low, high = _interval(last)
        if t_ms < low:
            return False, low if low < end_ms else FOREVER
        return (True, min(high, end_ms)) if t_ms < high else FALSE

    def _verdict_older(self, entries: Entries, t_ms: int) -> Verdict:
        slide = self._slide(entries)

        def last_at(at_ms: int) -> Interval:
            first, end = slide.slice_at(at_ms)
            return _interval(entries[end - 1]) if first < end else NEVER

        def holds_at(at_ms: int) -> bool:
            low, high = last_at(at_ms)
            return low <= at_ms < high

        def change_after(at_ms: int) -> int:
            own = (instant_ms for instant_ms in last_at(at_ms) if instant_ms > at_ms)
            return min(slide.change_after(at_ms), *own, FOREVER)

        holds = holds_at(t_ms)
        return holds, flip_after(t_ms, holds, holds_at, change_after)

    def _slide(self, entries: Entries) -> Slide:
        return Slide(entries, self._reach_ms, self.window.older_ms)

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """The latest in the window."""
        entries = self.entries(view)
        first, end = self._slide(entries).slice_at(view.t_ms)
        return evidence_of(entries[end - 1 : end] if first < end else [])

    def state_bytes_max(self) -> int:
        """One entry (ties apart), or all up to the limit."""
        return (1 if self.window.older_ms is None else MEMORY + 1) * (ENTRY_BYTES + INTERVAL_BYTES)


def _interval(entry: Entry) -> Interval:
    """On which instants the entry's event satisfies `is`."""
    satisfied = entry[VALUE]
    if isinstance(satisfied, int):
        return EVER if satisfied else NEVER
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

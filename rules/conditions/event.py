"""The condition `event`: how many matching events are in the window.

Without `older_than` the window is bounded below only, so the latest k by (time, arrival) suffice: k for `at_least`,
one more than the largest number for the rest. With `older_than` alone and no mark, the earliest k do. With
`older_than` and `within` or a mark every event of the window may matter in its turn: all are kept, up to the limit.
Where more than the limit is needed and the definition says `bucket`, what overflows is counted by bucket.
"""

from typing import Annotated, Any

from pydantic import Field

from rules.conditions import bucketed
from rules.conditions.base import Condition, ReadRule, RuleContext, Verdict
from rules.conditions.matching import Matcher, read_matcher
from rules.conditions.occurrences import (
    ENTRY_BYTES,
    MEMORY,
    Entries,
    Slide,
    count_later,
    drop_until,
    entry_of,
    evidence_of,
    flip_after,
    keep_all,
    keep_earliest,
    keep_latest,
    later_than,
    remembered,
)
from rules.conditions.view import State, View
from rules.conditions.window import Definition, Window, WindowKeys, read_window, rounded_up
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.language.operators import FALSE, TRUE
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Duration, Items, Maybe

Natural = Annotated[int, Field(ge=0)]


class CountKeys(Definition):
    """How many: several keys must all hold."""

    at_least: Maybe[Natural] = None
    at_most: Maybe[Natural] = None
    exactly: Maybe[Natural] = None
    between: Maybe[Annotated[Items[Natural], Field(min_length=2, max_length=2)]] = None


class EventDefinition(WindowKeys):
    """`event: T, where: {…}, count: {…}`, window, bucket."""

    event: Any
    where: Maybe[dict[str, Any]] = None
    count: Maybe[CountKeys] = None
    bucket: Maybe[Duration] = None


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


class EventCount(Condition):
    """Counts matching events in a window that is bounded below only: the common case, made fast."""

    kind = "event"
    looks_at_history = True

    def __init__(self, definition: Any, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        self.definition = definition
        self.types = matcher.types
        self.mark = window.mark
        self.window = window
        self._where = matcher.where
        self._text = f"{said_count(least, most)} {matcher.text}{window.describe()}"
        self._least, self._most = least, most
        self._dated = window.since_ms is not None or window.until_ms is not None
        # at least one, so that the state tells whether there was any
        self._wanted = min(max(1, least if most is None else most + 1), MEMORY)
        self._beyond = max(least, most or 0) > MEMORY - (most is not None)
        self._bucket_ms = window.bucket_ms
        self._reach_ms = None if window.within_ms is None else window.within_ms + (window.bucket_ms or 0)
        self.state_key = canonical_json(["event", matcher.key, self._wanted, least, window.key()])

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the latest so many."""
        where = self._where
        if where is not None and not where(event):
            return state
        if self._dated and not self.window.admits(event.time_ms):
            return state
        oldest_ms = -FOREVER if self._reach_ms is None else t_ms - self._reach_ms
        return keep_latest(state, entry_of(event, arrival), self._wanted, oldest_ms)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return state if self._reach_ms is None else drop_until(state, t_ms - self._reach_ms)

    def inert(self, state: State) -> bool:
        """Too few to reach the lower bound (which is part of the state's key: who shares the state shares that)."""
        return len(state) < self._least if state else self._least > 0

    def verdict(self, view: View) -> Verdict:
        """Count; the next flip is when the count falls to what decides."""
        entries = view.facts.states.get(self.state_key)  # type: ignore[arg-type]
        if not entries:
            return FALSE if self._least else TRUE
        mark = view.mark(self.mark) if self.mark is not None else None
        count = len(entries) if mark is None else count_later(entries, mark)
        if self._beyond:
            count = min(count, MEMORY)
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

    def complete_at(self, cut_ms: int) -> int:
        """As its window says."""
        return self.window.complete_at(cut_ms)

    def describe(self) -> str:
        """`2 or more of access_content.viewed within 30d`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Those of the remembered that are in the window."""
        entries = later_than(view.facts.states.get(self.state_key or "") or [], view.mark(self.mark))
        slide = Slide(entries, self.window.within_ms, None, self._bucket_ms)
        return evidence_of(entries[slide.slice_at(view.t_ms)[0] :])

    def capped(self, view: View) -> bool:
        """Whether the count asked for more than is remembered, and so much was there."""
        return self._beyond and len(view.facts.states.get(self.state_key or "") or ()) >= MEMORY

    def state_bytes_max(self) -> int:
        """The wanted entries (ties apart)."""
        return self._wanted * ENTRY_BYTES


def bucketed_key(matcher: Matcher, window: Window) -> str:
    """Name the state of `EventCountBucketed`."""
    return canonical_json(["event", matcher.key, "bucketed", window.key()])


class EventCountOlder(EventCount):
    """Counts matching events in a window with `older_than`: time lets them in, and out if it has `within`."""

    def __init__(self, definition: Any, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        super().__init__(definition, matcher, least, most, window)
        self._earliest = window.within_ms is None and window.mark is None
        first, every = (
            canonical_json(["event", matcher.key, memory, least, window.key()])
            for memory in (f"first {self._wanted}", "all")
        )
        self.state_key = first if self._earliest else every
        if window.within_ms is None:
            if window.bucket_ms is not None:
                every = bucketed_key(matcher, window)
            self.kin_key = every if self._earliest else first

    def adopt(self, state: State) -> State:
        """Of all that were kept the earliest; of the earliest those, for what comes later is what a mark lets count."""
        entries: Entries = state if self._bucket_ms is None else state[0]
        return entries[: self._wanted] if self._earliest else entries

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the earliest so many, or all that the window may reach."""
        where = self._where
        if where is not None and not where(event):
            return state
        if self._dated and not self.window.admits(event.time_ms):
            return state
        entry = entry_of(event, arrival)
        if self._earliest:
            return keep_earliest(state, entry, self._wanted)
        return keep_all(state, entry, -FOREVER if self._reach_ms is None else t_ms - self._reach_ms)

    def verdict(self, view: View) -> Verdict:
        """Count the slice; walk over its changes to the next flip."""
        slide = self._slide(view)
        t_ms = view.t_ms
        holds = self._holds(slide, t_ms)
        return holds, flip_after(t_ms, holds, lambda at_ms: self._holds(slide, at_ms), slide.change_after)

    def _entries(self, view: View) -> Entries:
        return later_than(remembered(view.facts.states.get(self.state_key or "") or []), view.mark(self.mark))

    def _slide(self, view: View) -> Slide:
        return Slide(self._entries(view), self.window.within_ms, self.window.older_ms, self._bucket_ms)

    def _holds(self, slide: Slide, t_ms: int) -> bool:
        first, end = slide.slice_at(t_ms)
        return self._least <= end - first and (self._most is None or end - first <= self._most)

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Those of the remembered that are in the window."""
        first, end = self._slide(view).slice_at(view.t_ms)
        return evidence_of(self._entries(view)[first:end])

    def capped(self, view: View) -> bool:
        """Whether entries were dropped at the limit."""
        return len(view.facts.states.get(self.state_key or "") or ()) > MEMORY

    def state_bytes_max(self) -> int:
        """What is wanted, or all up to the limit."""
        return (self._wanted if self._earliest else MEMORY + 1) * ENTRY_BYTES


class EventCountBucketed(EventCount):
    """Counts matching events of which more may be needed than are remembered one by one."""

    def __init__(self, definition: Any, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        super().__init__(definition, matcher, least, most, window)
        assert window.bucket_ms is not None
        self._size_ms = window.bucket_ms
        self.state_key = bucketed_key(matcher, window)
        if window.within_ms is None and window.older_ms is not None:
            self.kin_key = canonical_json(["event", matcher.key, f"first {self._wanted}", least, window.key()])

    def adopt(self, state: State) -> State:
        """The earliest, as they are."""
        return [state, [], []]

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the latest one by one, the others by bucket."""
        if (self._where is not None and not self._where(event)) or not self.window.admits(event.time_ms):
            return state
        return bucketed.keep(state, entry_of(event, arrival), self._oldest_ms(t_ms), t_ms, self._size_ms, None)

    def inert(self, state: State) -> bool:
        """Not told: what overflowed would have to be counted."""
        return False

    def _oldest_ms(self, t_ms: int) -> int:
        return -FOREVER if self.window.within_ms is None else t_ms - self.window.within_ms

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return bucketed.drop(state, self._oldest_ms(t_ms), self._size_ms)

    def verdict(self, view: View) -> Verdict:
        """Count units and entries; walk over their changes to the next flip."""
        units, entries = (self._slide(part) for part in self._counted(view))
        least, most = self._least, self._most

        def holds_at(at_ms: int) -> bool:
            first, end = entries.slice_at(at_ms)
            unit_first, unit_end = units.slice_at(at_ms)
            count = end - first + sum(unit[bucketed.NUMBER] for unit in units.entries[unit_first:unit_end])
            return least <= count and (most is None or count <= most)

        holds = holds_at(view.t_ms)
        return holds, flip_after(
            view.t_ms, holds, holds_at, lambda at_ms: min(units.change_after(at_ms), entries.change_after(at_ms))
        )

    def _counted(self, view: View) -> tuple[Entries, Entries]:
        return bucketed.counted(view.facts.states.get(self.state_key or ""), view.mark(self.mark))

    def _slide(self, entries: Entries) -> Slide:
        return Slide(entries, self.window.within_ms, self.window.older_ms, self._size_ms)

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Those in the window that are remembered one by one."""
        slide = self._slide(self._counted(view)[1])
        first, end = slide.slice_at(view.t_ms)
        return evidence_of(slide.entries[first:end])

    def capped(self, view: View) -> bool:
        """Whether a mark lies inside a bucket that was counted as one."""
        return bucketed.straddles(view.facts.states.get(self.state_key or ""), view.mark(self.mark))

    def state_bytes_max(self) -> int:
        """What a busy profile needs."""
        return bucketed.bytes_max()


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
    window = read_window(keys, reader, context, keys.bucket)
    if matcher is None or count is None or window is None:
        return None
    return _shape(window, *count)(reader.value, matcher, *count, window)


def _shape(window: Window, least: int, most: int | None) -> type[EventCount]:
    """How much must be kept."""
    few = max(least, (most or 0) + 1) <= MEMORY
    if window.older_ms is None:
        return EventCount if few or window.bucket_ms is None else EventCountBucketed
    earliest = few and window.within_ms is None and window.mark is None
    return EventCountOlder if earliest or window.bucket_ms is None else EventCountBucketed

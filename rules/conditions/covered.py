"""The condition `covered`: fills follow one another, and the last of them has not run out.

A fill's fifth field is its length in ms (`days`) or the instant until which it lasts (`until`). What one fill adds
depends on those before it, and a late one may come before all others, so all are kept, up to the limit.
"""

import math
from typing import Any, Final, Literal

from rules.conditions.base import ReadRule, RuleContext, Verdict
from rules.conditions.in_window import InWindow
from rules.conditions.matching import Matcher, read_attribute, read_matcher
from rules.conditions.occurrences import (
    ENTRY_BYTES,
    MEMORY,
    VALUE,
    Entries,
    entry_of,
    keep_all,
)
from rules.conditions.view import State, View
from rules.conditions.window import SinceKeys, Window, read_window
from rules.ground.event import Event, Value
from rules.ground.instants import FOREVER, MS_PER_DAY, format_duration
from rules.language.operators import FALSE
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Duration, Maybe

LENGTH_BYTES: Final = 14


class CoveredDefinition(SinceKeys):
    """`covered: T, where: {…}, days: ATTR, gap: D, overlap: add` or with `until: ATTR` instead of days; since."""

    covered: Any
    where: Maybe[dict[str, Any]] = None
    days: Maybe[str] = None
    until: Maybe[str] = None
    gap: Maybe[Duration] = None
    overlap: Maybe[Literal["add", "merge"]] = None


class Covered(InWindow):
    """Holds until the end of the fills plus the gap."""

    kind = "covered"

    def __init__(
        self,
        definition: Any,
        matcher: Matcher,
        form: Literal["add", "merge", "until"],
        attribute: str,
        gap_ms: int,
        window: Window,
    ) -> None:
        gap = f" and a gap of {format_duration(gap_ms)}" if gap_ms else ""
        how = "until its" if form == "until" else "for the sum of its" if form == "add" else "for its"
        text = f"covered by {matcher.text}{window.describe()} {how} {attribute}{gap}"
        super().__init__(definition, matcher.types, window, text)
        self._where = matcher.where
        self._form = form
        self._attribute = attribute
        self._gap_ms = gap_ms
        shape = "until" if form == "until" else "days"
        self.state_key = canonical_json(["covered", matcher.key, shape, attribute, window.key()])

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the fill."""
        if self._where is not None and not self._where(event):
            return state
        if not self.window.admits(event.time_ms):
            return state
        fill = self._fill(event.time_ms, event.data.get(self._attribute))
        if fill is None:
            return state
        entry = entry_of(event, arrival)
        entry.append(fill)
        return keep_all(state, entry, -FOREVER)

    def _fill(self, time_ms: int, value: Value | None) -> int | None:
        """The fifth field; None: no fill."""
        if not isinstance(value, int | float):
            return None
        if self._form == "until":
            return int(value) if value > time_ms else None
        if value <= 0:
            return None
        try:
            return min(math.floor(value * MS_PER_DAY), FOREVER)
        except OverflowError:  # longer than every double: for ever
            return FOREVER

    def verdict(self, view: View) -> Verdict:
        """True until end + gap."""
        entries = self.entries(view)
        if not entries:
            return FALSE
        end_ms = min(self._end(entries) + self._gap_ms, FOREVER)
        return (True, end_ms) if view.t_ms < end_ms else FALSE

    def _end(self, entries: Entries) -> int:
        """Go over the fills in order; there is one at least."""
        end_ms = -FOREVER
        if self._form == "add":
            for entry in entries:
                end_ms = max(end_ms, entry[0]) + entry[VALUE]
        elif self._form == "merge":
            for entry in entries:
                end_ms = max(end_ms, entry[0] + entry[VALUE])
        else:
            for entry in entries:
                end_ms = max(end_ms, entry[VALUE])
        return end_ms

    def state_bytes_max(self) -> int:
        """All fills up to the limit."""
        return (MEMORY + 1) * (ENTRY_BYTES + LENGTH_BYTES)


def read_covered(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Covered | None:
    """Read a covered condition."""
    keys = reader.model(CoveredDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("covered"), reader.down("where") if keys.where is not None else None, context)
    window = read_window(keys, reader, context)
    if (keys.days is None) == (keys.until is None):
        reader.problem("'covered' needs either 'days' or 'until'")
        return None
    if keys.until is not None and keys.overlap is not None:
        reader.down("overlap").problem("'overlap' is for 'days': with 'until' the latest end counts")
        return None
    if matcher is None or window is None:
        return None
    if keys.until is not None:
        attribute = read_attribute(reader.down("until"), matcher.names, context, ("datetime",), "'until'")
    else:
        attribute = read_attribute(reader.down("days"), matcher.names, context, ("number", "integer"), "'days'")
    if attribute is None:
        return None
    form: Literal["add", "merge", "until"] = "until" if keys.until is not None else keys.overlap or "add"
    return Covered(reader.value, matcher, form, attribute[0], keys.gap or 0, window)

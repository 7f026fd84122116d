"""The condition `covered`: fills follow one another, and the last of them has not run out.

A fill's fifth field is its length in ms (`days`) or the instant until which it lasts (`until`). What one fill adds
depends on the earlier fills, and a late one may come before all others, so all are kept, up to the limit.
"""

import math
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.covered_keys import CoveredDefinition, Form
from rules.conditions.entry_memory import ValueOf, WindowMemory
from rules.conditions.facts import ALWAYS, NEVER, Alternatives
from rules.conditions.in_window import OfMatcher
from rules.conditions.kind import Kind
from rules.conditions.matching import Matcher, read_attribute, read_matcher
from rules.conditions.mention import mentions_events
from rules.conditions.occurrences import VALUE, Entries
from rules.conditions.own_facts import own
from rules.conditions.scene import Judge, Scene
from rules.conditions.shapes import is_whole
from rules.conditions.view import View
from rules.conditions.window import Window, read_window
from rules.ground.event import Event
from rules.ground.instants import FOREVER, MS_PER_DAY, format_duration
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import FALSE

LENGTH_BYTES: Final = 14


def length_of(attribute: str) -> ValueOf:
    """Make the function that reads an event's `days` as ms; None: no fill."""

    def length(event: Event) -> int | None:
        days = event.data.get(attribute)
        if not isinstance(days, int | float) or days <= 0:
            return None
        try:
            return min(math.floor(days * MS_PER_DAY), FOREVER)
        except OverflowError:  # longer than every double: for ever
            return FOREVER

    return length


def end_of(attribute: str) -> ValueOf:
    """Make the function that reads an event's `until`; None: no fill."""

    def end(event: Event) -> int | None:
        until_ms = event.data.get(attribute)
        if not isinstance(until_ms, int | float) or until_ms <= event.time_ms:
            return None
        return int(until_ms)

    return end


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Covered(OfMatcher):
    """Holds until the end of the fills plus the gap."""

    kind = "covered"

    def __init__(
        self, definition: Any, matcher: Matcher, form: Form, attribute: str, gap_ms: int, window: Window
    ) -> None:
        gap = f" and a gap of {format_duration(gap_ms)}" if gap_ms else ""
        how = "until its" if form == "until" else "for the sum of its" if form == "add" else "for its"
        text = f"covered by {matcher.text}{window.describe()} {how} {attribute}{gap}"
        shape = "until" if form == "until" else "days"
        memory = WindowMemory(
            canonical_json(["covered", matcher.key, shape, attribute, window.key()]),
            (matcher,),
            window,
            reach_ms=None,
            value_of=end_of(attribute) if form == "until" else length_of(attribute),
            value_bytes=LENGTH_BYTES,
            shape=is_whole,
        )
        super().__init__(definition, matcher, memory, window, text)
        self._form = form
        self._gap_ms = gap_ms

    def verdict(self, view: View) -> Verdict:
        """True until end + gap."""
        _, entries = self.counted(view)
        if not entries:
            return FALSE
        end_ms = min(self._end(entries) + self._gap_ms, FOREVER)
        return (True, end_ms) if view.t_ms < end_ms else FALSE

    def _end(self, entries: Entries) -> int:
        """Return the end of the fills; there is one at least."""
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

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say nothing but itself; never, if no event can match."""
        if self.counts_nothing(judge, scene):
            return NEVER if holds else ALWAYS
        return own(self, holds, scene)


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
    form: Form = "until" if keys.until is not None else keys.overlap or "add"
    return Covered(reader.value, matcher, form, attribute[0], keys.gap or 0, window)


KIND: Final[Kind] = Kind(
    "covered", Covered, read_covered, mentions_events("covered", ["days", "until"]), types_key="covered"
)

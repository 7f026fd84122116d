"""The condition `segment`: the profile is a member of another segment, for so long at least."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import Alternatives, Range
from rules.conditions.kind import Kind
from rules.conditions.mention import Mention, WalkRule
from rules.conditions.scene import Judge, Scene
from rules.conditions.segment_keys import SegmentDefinition
from rules.conditions.view import View
from rules.ground.instants import format_duration
from rules.language.problems import DefinitionReader
from rules.language.validation import Path
from rules.language.value_test import FALSE, TRUE


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class InSegment(Condition):
    """Holds while the profile is a member, from so long after the present stay's entry on."""

    kind = "segment"

    def __init__(self, definition: Any, segment: str, for_ms: int | None) -> None:
        self.definition = definition
        self.segments = frozenset({segment})
        self._segment = segment
        self._for_ms = for_ms or 0
        self._text = f"in segment {segment}" + (f" for {format_duration(for_ms)}" if for_ms else "")

    def verdict(self, view: View) -> Verdict:
        """Ask for the stay; the next flip is when it has lasted long enough."""
        since_ms = view.facts.member_since(self._segment)
        if since_ms is None:
            return FALSE
        long_ms = since_ms + self._for_ms
        return TRUE if view.t_ms >= long_ms else (False, long_ms)

    def describe(self) -> str:
        """`in segment oncology-hcp for 30d`."""
        return self._text

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say how long the present stay has lasted; a member has passed what the segment admits."""
        if holds:
            return judge.in_segment(self._segment, self._for_ms)
        return [frozenset({Range(("stay", self._segment), high=self._for_ms - 1)})]


def mentioned(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
    """Name the segment."""
    if isinstance(raw.get("segment"), str):
        yield Mention("segment", raw["segment"], (*path, "segment"))


def read_segment_condition(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> InSegment | None:
    """Read a segment condition. The catalogue checks that the segment exists and that there is no cycle."""
    keys = reader.model(SegmentDefinition)
    return None if keys is None else InSegment(reader.value, keys.segment, keys.for_)


KIND: Final[Kind] = Kind("segment", InSegment, read_segment_condition, mentioned)

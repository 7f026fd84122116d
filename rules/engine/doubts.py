"""The segments of a plan as they judge a profile that lacks states: without a verdict on those (`Lacking`).

Few profiles lack any, and not for long, so these rules are made when one asks for the first time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rules.conditions.base import Condition, Node
from rules.engine.pending import Lacking, historic
from rules.engine.pilots import Governing
from rules.engine.segment_plan import SegmentPlan


class Doubts:
    """The segments of one plan, by the segment as it judges others. Grows as it is asked."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[int, SegmentPlan] = {}

    def of(self, plan: SegmentPlan) -> SegmentPlan:
        """Return a segment of the plan as it judges a profile that lacks states; itself, if it looks at no history."""
        found = self._found.get(id(plan))
        if found is None:
            found = self._found[id(plan)] = _doubted(plan)
        return found


class Doubted:
    """The segments as they govern one profile that lacks states."""

    __slots__ = ("_doubts", "_segments")

    def __init__(self, segments: Sequence[SegmentPlan] | Governing, doubts: Doubts) -> None:
        self._segments = segments
        self._doubts = doubts

    def __len__(self) -> int:
        return len(self._segments)

    def __getitem__(self, position: int) -> SegmentPlan:
        """Return the segment at a position."""
        return self._doubts.of(self._segments[position])

    def __iter__(self) -> Iterator[SegmentPlan]:
        return (self[position] for position in range(len(self)))


def _doubted(plan: SegmentPlan) -> SegmentPlan:
    def asked(leaf: Condition) -> Node:
        return Lacking(leaf, plan.id) if any(True for _ in historic(leaf)) else leaf

    rules = [rule for rule in (plan.enter, plan.exit) if rule is not None]
    if not any(True for rule in rules for leaf in rule.conditions() for _ in historic(leaf)):
        return plan
    exit_ = None if plan.exit is None else plan.exit.with_leaves(asked)
    return replace(plan, enter=plan.enter.with_leaves(asked), exit=exit_)

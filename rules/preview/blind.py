"""Conditions that would be blind: they look at history that they would not have, so they would have no verdict."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.catalogue.logic import leaves
from rules.engine.pending import Pending
from rules.engine.plan import Plan
from rules.ground.instants import FOREVER


@dataclass(frozen=True, slots=True)
class Blind:
    """One condition without a verdict for profiles that are known at the cut."""

    segment: str
    path: str
    text: str
    """The condition in words."""
    until_ms: int | None
    """The instant at which it sees all that it looks at; None: never, or not before `until_mark`."""
    until_mark: str | None
    """`entry` or `exit`: a profile's next one ends it as well; None: only time does."""

    def later(self, other: "Blind") -> "Blind":
        """Return the one that is blind for longer: partitions have other pasts."""
        return max(self, other, key=lambda each: FOREVER if each.until_ms is None else each.until_ms)


def blind_in(plan: Plan) -> list[Blind]:
    """Return the blind conditions of a plan, in the order of evaluation and of the document."""
    return [*_blind(plan)]


def _blind(plan: Plan) -> Iterator[Blind]:
    for segment in plan.segments:
        for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
            for path, leaf, _ in leaves(node, rule) if node is not None else ():
                if not isinstance(leaf, Pending):
                    continue
                last_ms = max(guard.complete_ms for guard in leaf.guards)
                marks = {guard.mark for guard in leaf.guards if guard.complete_ms == last_ms}
                yield Blind(
                    segment.id,
                    path,
                    leaf.describe(),
                    None if last_ms >= FOREVER else last_ms,
                    None if None in marks else " or ".join(sorted(filter(None, marks))),
                )

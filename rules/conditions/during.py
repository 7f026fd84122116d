"""The condition `during`: between two dates."""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.during_keys import DuringDefinition
from rules.conditions.facts import UP, Alternatives, Range
from rules.conditions.kind import Kind
from rules.conditions.mention import no_mentions
from rules.conditions.scene import Judge, Scene
from rules.conditions.view import View
from rules.ground.instants import FOREVER, format_instant
from rules.language.problems import DefinitionReader
from rules.language.value_test import FALSE

_NOW: Final = ("now",)
"""The variable of facts that is the instant of the evaluation."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class During(Condition):
    """Holds from one instant (inclusive) until another (exclusive)."""

    kind = "during"

    def __init__(self, definition: Any, from_ms: int | None, until_ms: int | None) -> None:
        self.definition = definition
        self._from_ms = -FOREVER if from_ms is None else from_ms
        self._until_ms = FOREVER if until_ms is None else until_ms
        starts = "" if from_ms is None else f" from {format_instant(from_ms)}"
        ends = "" if until_ms is None else f" until {format_instant(until_ms)}"
        self._text = f"the date is{starts}{ends}"

    def verdict(self, view: View) -> Verdict:
        """Compare; the next flip is the next of the two instants."""
        if view.t_ms < self._from_ms:
            return False, self._from_ms if self._from_ms < self._until_ms else FOREVER
        return (True, self._until_ms) if view.t_ms < self._until_ms else FALSE

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say between which instants it is now."""
        from_ms, until_ms = self._from_ms, self._until_ms
        low, high = -UP if from_ms == -FOREVER else from_ms, UP if until_ms == FOREVER else until_ms - 1
        if holds:
            return [frozenset({Range(_NOW, low, high)})]
        before = [] if from_ms == -FOREVER else [frozenset({Range(_NOW, high=from_ms - 1)})]
        return before if until_ms == FOREVER else [*before, frozenset({Range(_NOW, low=until_ms)})]

    def describe(self) -> str:
        """`the date is from 2026-01-01T00:00:00.000Z`."""
        return self._text


def read_during(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> During | None:
    """Read a during condition."""
    keys = reader.model(DuringDefinition)
    if keys is None:
        return None
    dates = keys.during
    if dates.from_ is None and dates.until is None:
        reader.down("during").problem("'during' needs 'from' or 'until'")
        return None
    return During(reader.value, dates.from_, dates.until)


KIND: Final[Kind] = Kind("during", During, read_during, no_mentions)

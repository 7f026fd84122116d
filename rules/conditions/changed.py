"""The condition `changed`: a trait stepped between two different values."""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import ReadRule, Verdict
from rules.conditions.changed_keys import ChangedDefinition
from rules.conditions.context import RuleContext
from rules.conditions.facts import ALWAYS, NEVER, Alternatives, Range
from rules.conditions.kind import Kind
from rules.conditions.mention import mentions_trait
from rules.conditions.scene import Judge, Scene
from rules.conditions.settings import VALUE, OfSettings, plain
from rules.conditions.view import View
from rules.ground.instants import format_duration
from rules.ground.values import ValueType
from rules.language.operands import read_operand, said_value
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import FALSE

ANY: Final = object()
"""An omitted side: any value but none."""


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Changed(OfSettings):
    """Holds when two consecutive settings, the later in the window, have different values, from and to as given."""

    kind = "changed"

    def __init__(self, definition: Any, trait: str, from_: Any, to: Any, within_ms: int, kind: ValueType) -> None:
        sides = "".join(
            f" {word} {'no value' if side is None else said_value(side, kind)}"
            for word, side in (("from", from_), ("to", to))
            if side is not ANY
        )
        text = f"{trait} changed{sides} within {format_duration(within_ms)}"
        super().__init__(definition, trait, within_ms, text)
        self._from, self._to = from_, to

    def verdict(self, view: View) -> Verdict:
        """Look for the latest such step; it leaves the window at its time + D."""
        history = self.history(view)
        start_ms = view.t_ms - self._reach_ms
        unknown_ms = self.unknown_before(history, view)
        if unknown_ms is not None and start_ms < unknown_ms:
            return None, unknown_ms + self._reach_ms
        for index in range(len(history) - 1, 0, -1):
            time_ms, to = history[index][0], history[index][VALUE]
            if time_ms <= start_ms:
                return FALSE
            from_ = history[index - 1][VALUE]
            if not _same(from_, to) and _fits(self._from, from_) and _fits(self._to, to):
                return True, time_ms + self._reach_ms
        return FALSE

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say how long ago the latest such step was."""
        raw, within_ms = self.definition, self._reach_ms
        if {"from", "to"} <= raw.keys() and canonical_json(raw["from"]) == canonical_json(raw["to"]):
            return NEVER if holds else ALWAYS  # a step is between two different values
        age = ("changed", canonical_json({key: value for key, value in raw.items() if key != "within"}))
        return [frozenset({Range(age, high=within_ms - 1) if holds else Range(age, low=within_ms)})]


def _fits(side: Any, value: Any) -> bool:
    return value is not None if side is ANY else _same(side, value)


def _same(one: Any, other: Any) -> bool:
    """1 = 1.0, but a boolean is no number."""
    return bool(one == other) and (one.__class__ is bool) == (other.__class__ is bool)


def read_changed(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Changed | None:
    """Read a changed condition."""
    keys = reader.model(ChangedDefinition)
    if keys is None:
        return None
    declared = context.dictionary.traits.get(keys.changed)
    if declared is None:
        here = reader.down("changed")
        here.problem(f"unknown trait {keys.changed!r}", name=keys.changed, known=context.dictionary.traits)
        return None
    before = len(reader.problems)
    sides = {side: _read_side(reader, side, declared.type) for side in ("from", "to")}
    if len(reader.problems) > before:
        return None
    return Changed(reader.value, keys.changed, sides["from"], sides["to"], keys.within, declared.type)


def _read_side(reader: DefinitionReader, side: str, kind: ValueType) -> Any:
    if side not in reader.value:
        return ANY
    return None if reader.value[side] is None else plain(read_operand(reader.down(side), kind))


KIND: Final[Kind] = Kind("changed", Changed, read_changed, mentions_trait("changed"))

"""The condition `everyone`: always."""

from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.everyone_keys import EveryoneDefinition
from rules.conditions.facts import ALWAYS, NEVER, Alternatives
from rules.conditions.kind import Kind
from rules.conditions.mention import no_mentions
from rules.conditions.scene import Judge, Scene
from rules.conditions.view import View
from rules.language.problems import DefinitionReader
from rules.language.value_test import TRUE


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Everyone(Condition):
    """Holds always."""

    kind = "everyone"
    meant_always = True

    def __init__(self, definition: Any) -> None:
        self.definition = definition

    def verdict(self, view: View) -> Verdict:
        """True for ever."""
        return TRUE

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say that it always holds."""
        return ALWAYS if holds else NEVER

    def describe(self) -> str:
        """`everyone`."""
        return "everyone"


def read_everyone(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Everyone | None:
    """Read `everyone: true`."""
    return None if reader.model(EveryoneDefinition) is None else Everyone(reader.value)


KIND: Final[Kind] = Kind("everyone", Everyone, read_everyone, no_mentions)

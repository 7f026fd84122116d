"""The condition `everyone`: always."""

from typing import Any, Literal

from rules.conditions.base import Condition, ReadRule, RuleContext, Verdict
from rules.conditions.view import View
from rules.conditions.window import Definition
from rules.language.operators import TRUE
from rules.language.problems import DefinitionReader


class EveryoneDefinition(Definition):
    """`everyone: true`."""

    everyone: Literal[True]


class Everyone(Condition):
    """Holds always."""

    kind = "everyone"
    looks_at_history = False

    def __init__(self, definition: Any) -> None:
        self.definition = definition

    def verdict(self, view: View) -> Verdict:
        """True for ever."""
        return TRUE

    def describe(self) -> str:
        """`everyone`."""
        return "everyone"


def read_everyone(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Everyone | None:
    """Read `everyone: true`."""
    return None if reader.model(EveryoneDefinition) is None else Everyone(reader.value)

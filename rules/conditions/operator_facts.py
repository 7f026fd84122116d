"""Operators as facts for lint: which values pass them, and whether an event can satisfy a `where`."""

from collections.abc import Iterable, Mapping
from typing import Any

from rules.conditions.possible_values import AGES, Tested, possible
from rules.ground.values import ValueType
from rules.language.dictionary import Dictionary
from rules.language.operands import read_test
from rules.language.operators import OPERATORS
from rules.language.problems import DefinitionReader, Problems, Source, canonical_json
from rules.language.value_test import Test


class OperatorFacts:
    """Makes a fact of each operator of a definition. Every test is compiled once."""

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self._made: dict[tuple[str, str, str], Test] = {}

    def of(self, variable: tuple[str, ...], raw: Mapping[str, Any], kind: ValueType) -> list[Tested]:
        """Return a fact for each key of a mapping that is an operator."""
        found: list[Tested] = []
        for operator, operand in raw.items():
            if operator in OPERATORS:
                text = canonical_json(operand)
                test = self._made.get((kind, operator, text))
                if test is None:
                    alone = {operator: operand}
                    test = read_test(DefinitionReader(Source("", alone), (), alone, Problems()), alone, kind, "")
                    assert test is not None, "checked when the catalogue was loaded"
                    self._made[kind, operator, text] = test
                found.append(Tested(variable, kind, operator, text, False, operand, test))
        return found

    def of_trait(self, raw: Mapping[str, Any]) -> list[Tested]:
        """Return the facts of a condition on a trait."""
        return self.of(("trait", raw["trait"]), raw, self.dictionary.traits[raw["trait"]].type)

    def match(
        self, types: Iterable[str], where: Mapping[str, Any] | None, is_: Mapping[str, Any] | None = None
    ) -> bool:
        """Tell whether some event of the types may satisfy a `where`, and an `is` besides."""
        data = self.dictionary.events[min(types)].data
        found: dict[str, list[Tested]] = {}
        for name, operators in (where or {}).items():
            found[name] = self.of((name,), operators, data[name].type)
        for name, operators in (is_ or {}).items():
            tests = self.of((name,), operators, data[name].type)
            # ages in `where` are at the event's own time, in `is` at the instant: not comparable
            found[name] = [*(each for each in found.get(name, ()) if each.operator not in AGES), *tests]
        return all(possible(tests) for tests in found.values())

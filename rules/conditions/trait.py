"""The condition `trait`: operators on the value of a trait, its last setting known."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import Alternatives
from rules.conditions.kind import Kind
from rules.conditions.mention import as_mapping, mentions_trait
from rules.conditions.scene import Compared, Judge, Scene
from rules.conditions.trait_keys import TraitDefinition
from rules.conditions.view import View
from rules.language.dictionary import Dictionary
from rules.language.operands import read_test
from rules.language.operators import OPERATORS, names_for
from rules.language.problems import DefinitionReader
from rules.language.value_test import Test


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Trait(Condition):
    """Holds while the operators do of the trait's value; of a trait never set there is no value."""

    kind = "trait"

    def __init__(self, definition: Any, trait: str, test: Test) -> None:
        self.definition = definition
        self.traits = frozenset({trait})
        self._trait = trait
        self._verdict = test.verdict
        self._text = f"{trait} {test.text}"

    def verdict(self, view: View) -> Verdict:
        """Test the register's value at `view.t_ms`."""
        register = view.facts.traits.get(self._trait)
        return self._verdict(None if register is None else register.value, view.t_ms)

    def describe(self) -> str:
        """`specialty in [hematology-oncology, medical-oncology]`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """The setting that the value comes from."""
        register = view.facts.traits.get(self._trait)
        return [] if register is None else [(register.time_ms, register.source, register.id)]

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say that the value passes every operator, or that it does not pass one of them."""
        tests = judge.operators.of_trait(self.definition)
        if holds:
            return [frozenset(tests)]
        return [frozenset({replace(test, denied=True)}) for test in tests]

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """The trait."""
        return compared_trait(self.definition, dictionary)


def compared_trait(definition: Mapping[str, Any], dictionary: Dictionary) -> Iterator[Compared]:
    """Walk the one trait that a checked definition compares."""
    name = definition["trait"]
    yield Compared((), name, dictionary.traits[name], definition)


def read_trait(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Trait | None:
    """Read a trait condition."""
    keys = reader.model(TraitDefinition, trait_keys(reader, context))
    if keys is None:
        return None
    test = read_trait_test(reader, keys.trait, context)
    return None if test is None else Trait(reader.value, keys.trait, test)


def trait_keys(reader: DefinitionReader, context: RuleContext) -> list[str] | None:
    """Return the keys of a condition on the trait that it names; None: it names no declared one."""
    declared = context.dictionary.traits.get(as_mapping(reader.value).get("trait", ""))
    return None if declared is None else ["for", *names_for(declared.type)]


def read_trait_test(reader: DefinitionReader, trait: str, context: RuleContext) -> Test | None:
    """Read the operators of a condition on a declared trait."""
    declared = context.dictionary.traits.get(trait)
    if declared is None:
        reader.down("trait").problem(f"unknown trait {trait!r}", name=trait, known=context.dictionary.traits)
        return None
    return read_test(reader, [key for key in reader.value if key in OPERATORS], declared.type, f"trait {trait!r}")


KIND: Final[Kind] = Kind("trait", Trait, read_trait, mentions_trait("trait"), refuses=True)

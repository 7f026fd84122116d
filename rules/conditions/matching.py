"""Which events a condition is about: their types, and what must hold of their attributes (`where`).

Wherever a type stands, a list of types may; an attribute that a rule names must be declared with one type for all of
them. The tests of a `where` are made once, for they run on every event of those types.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

from rules.conditions.context import RuleContext
from rules.conditions.matching_keys import TESTS_SHAPE
from rules.conditions.scene import Compared
from rules.ground.event import Event, Value
from rules.ground.values import ValueType
from rules.language.dictionary import EVIDENCE, GRANTED, NO_FACTS, Dictionary
from rules.language.operands import read_test
from rules.language.operators import names_for, with_article
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import Test


@final
class Where:
    """The tests of a `where`: all must hold. An attribute that is not there has no value."""

    __slots__ = ("_tests",)

    def __init__(self, tests: Mapping[str, Test]) -> None:
        self._tests = tuple(tests.items())

    def holds(self, event: Event) -> bool:
        """Tell whether all hold of an event, at its own time."""
        data, time_ms = event.data, event.time_ms
        for name, test in self._tests:  # noqa: SIM110 - a generator costs more than the tests
            if not test.holds(data.get(name), time_ms):
                return False
        return True


@dataclass(frozen=True, slots=True)
class Matcher:
    """Events of some types that satisfy a `where`; `where` None: all events of the types."""

    names: tuple[str, ...]
    """The types, as written."""
    types: frozenset[str]
    where: Where | None
    among: Mapping[str, frozenset[Value]]
    """By attribute: the only values of it that a matching event can have. Most `where`s are told apart by these."""
    least: Mapping[str, float]
    """By attribute: a matching event's value is a number, and not less than this."""
    key: str
    """Canonical text of types and `where`: equal for matchers that match the same events."""
    text: str
    """In plain English: `webinar.registered where topic equals coverage`."""

    def matches(self, event: Event) -> bool:
        """Tell whether an event of any type is one of them."""
        return event.type in self.types and (self.where is None or self.where.holds(event))


def read_matcher(types: DefinitionReader, where: DefinitionReader | None, context: RuleContext) -> Matcher | None:
    """Read the types at one reader and the `where` at another; None if anything is wrong, all problems recorded."""
    names = read_types(types, context)
    if names is None:
        return None
    tests: dict[str, Test] | None = {}
    if where is not None:
        tests = read_attribute_tests(where, names, context)
    if tests is None:
        return None
    text = " or ".join(names)
    if tests:
        text += " where " + " and ".join(f"{attribute} {test.text}" for attribute, test in tests.items())
    key = canonical_json([sorted(names), None if where is None else where.value])
    among = {attribute: test.among for attribute, test in tests.items() if test.among is not None}
    least = {attribute: test.least for attribute, test in tests.items() if test.least is not None}
    return Matcher(names, frozenset(names), Where(tests) if tests else None, among, least, key, text)


def read_types(reader: DefinitionReader, context: RuleContext) -> tuple[str, ...] | None:
    """Read one event type or a list of them, as declared."""
    listed = isinstance(reader.value, list)
    if listed and not reader.value:
        reader.problem(f"{reader.name} must name at least one event type")
        return None
    names: list[str] = []
    before = len(reader.problems)
    for item in reader.items() if listed else [reader]:
        if not isinstance(item.value, str):
            item.problem(f"{item.name} must be an event type" + ("" if listed else " or a list of them"))
        elif item.value in NO_FACTS:
            item.problem(f"no rule may name {item.value!r}: links and erasures are no facts of a profile")
        elif item.value not in context.dictionary.events:
            known = context.dictionary.events.keys() - NO_FACTS
            item.problem(f"unknown event {item.value!r}", name=item.value, known=known)
        elif item.value not in names:
            names.append(item.value)
    return tuple(names) if len(reader.problems) == before else None


def attribute_type(reader: DefinitionReader, name: str, types: Iterable[str], context: RuleContext) -> ValueType | None:
    """Return the one type that all the event types declare an attribute with; None if there is none, recorded."""
    found: dict[str, ValueType] = {}
    for event in types:
        data = context.dictionary.events[event].data
        if event == GRANTED and name == EVIDENCE:
            reader.problem(f"no rule may use {name!r} of {event}: it is a reference for people")
            return None
        if name not in data:
            reader.problem(f"event {event!r} has no attribute {name!r}", name=name, known=data)
            return None
        found[event] = data[name].type
    if len(set(found.values())) > 1:
        told = ", ".join(f"{kind} in {event}" for event, kind in found.items())
        reader.problem(f"attribute {name!r} must be declared with one type: {told}")
        return None
    return next(iter(found.values()))


def read_attribute(
    reader: DefinitionReader, types: Iterable[str], context: RuleContext, kinds: Iterable[ValueType], use: str
) -> tuple[str, ValueType] | None:
    """Read the name of an attribute that must be of one of some types: `of`, `days`, `until`."""
    if not isinstance(reader.value, str):
        reader.problem(f"{reader.name} must name an attribute")
        return None
    kind = attribute_type(reader, reader.value, types, context)
    if kind is None:
        return None
    kinds = tuple(kinds)
    if kind not in kinds:
        reader.problem(f"{use} needs {' or '.join(map(with_article, kinds))}; {reader.value!r} is {with_article(kind)}")
        return None
    return reader.value, kind


def read_attribute_tests(
    reader: DefinitionReader, types: tuple[str, ...], context: RuleContext
) -> dict[str, Test] | None:
    """Read `{ATTRIBUTE: {OPERATOR: operand, …}, …}`; None if anything is wrong, all problems recorded."""
    if not reader.mapping(f"a mapping like {TESTS_SHAPE}"):
        return None
    before = len(reader.problems)
    tests: dict[str, Test] = {}
    for name, here in reader.entries():
        kind = attribute_type(here, name, types, context)
        if kind is None:
            continue
        wanted = f"a mapping like {{equals: …}}; {with_article(kind)} takes {', '.join(names_for(kind))}"
        if not here.mapping(wanted, f"attribute {name!r}"):
            continue
        test = read_test(here, here.value, kind, f"attribute {name!r}")
        if test is not None:
            tests[name] = test
    return tests if len(reader.problems) == before else None


def compared_attributes(
    definition: Mapping[str, Any], types: Iterable[str], dictionary: Dictionary
) -> Iterator[Compared]:
    """Walk the attributes that a checked definition compares under `where` and `is`."""
    data = dictionary.events[min(types)].data
    for key in ("where", "is"):
        for name, operators in (definition.get(key) or {}).items():
            yield Compared((key, name), name, data[name], operators)

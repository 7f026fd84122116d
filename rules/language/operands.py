"""Operators as an author writes them: operands are typed and checked when a catalogue is read, and become a test.

So a test never meets a wrong operand.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from rules.ground.event import Value
from rules.ground.instants import format_duration, format_instant, parse_duration
from rules.ground.patterns import BadPattern, whole_match
from rules.ground.values import BadNumber, ValueType, WrongType, typed
from rules.language.operators import OPERATORS, RISING, Operand, Operator, names_for, with_article
from rules.language.problems import DefinitionReader
from rules.language.validation import nearest
from rules.language.value_test import Check, Test


def read_test(reader: DefinitionReader, keys: Iterable[str], kind: ValueType, what: str) -> Test | None:
    """Read the operators that stand under `keys` of a mapping, for a value of the declared type.

    `what` names the value in messages: `trait 'specialty'`. None if anything is wrong, every problem recorded.
    """
    keys = list(keys)
    if not keys:
        reader.problem(f"{what} needs an operator: {_listed(kind)}")
        return None
    before = len(reader.problems)
    checks: list[Check] = []
    among: frozenset[Value] | None = None
    least: float | None = None
    nothing = True
    lengths: dict[str, int | None] = {"older_than": None, "newer_than": None}
    texts: list[str] = []
    for key in keys:
        here = reader.down(key)
        operator = OPERATORS.get(key)
        if operator is None:
            names = names_for(kind)
            here.problem(f"unknown operator {key!r} on {what}, {with_article(kind)}{nearest(key, names, len(names))}")
            continue
        if kind not in operator.kinds:
            here.problem(f"operator {key!r} is not for {what}, {with_article(kind)}; it takes {_listed(kind)}")
            continue
        operand = _read_operand(here, key, operator.operand, kind)
        if operand is None:
            continue
        nothing = nothing and operator.of_nothing(operand)
        if operator.check is None:
            lengths[key] = operand
        else:
            checks.append(_strict(operator, operand, kind))
        if operator.among is not None:
            values = frozenset(operator.among(operand))
            among = values if among is None else among & values
        if operator.least is not None:
            bound = operator.least(operand)
            least = bound if least is None else max(least, bound)
        texts.append(_said(key, operator.operand, operand, kind))
    if len(reader.problems) > before:
        return None
    rising = RISING.issuperset(keys)
    text = " and ".join(texts)
    return Test(tuple(checks), nothing, lengths["older_than"], lengths["newer_than"], text, rising, among, least)


def _strict(operator: Operator, operand: Any, kind: ValueType) -> Check:
    """Make the check, which takes no boolean for a number: a fact keeps the type that its trait had at its arrival."""
    assert operator.check is not None
    check = operator.check(operand)
    if operator.operand == "flag" or kind in ("string", "list"):
        return check
    otherwise = operator.of_nothing(operand)
    if kind == "boolean":
        return lambda value: check(value) if value.__class__ is bool else otherwise
    return lambda value: check(value) if value.__class__ is not bool else otherwise


def _listed(kind: str) -> str:
    return ", ".join(names_for(kind))


_FORMS: Final[Mapping[ValueType, str]] = {
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "a boolean, true or false",
    "datetime": "a datetime like 2027-01-31 or 2027-01-31T12:00:00Z",
    "list": "a list of strings",
}
"""What an operand of a type must be."""


def _said_raw(value: Any) -> str:
    """Say a raw value that is of a wrong type."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)


def read_operand(reader: DefinitionReader, kind: ValueType) -> Value | None:
    """Read one operand of a declared type; None if it is wrong (or no value), the problem recorded."""
    try:
        value = typed(kind, reader.value)
    except WrongType:
        reader.problem(f"{reader.name} must be {_FORMS[kind]}, not {_said_raw(reader.value)}")
        return None
    except BadNumber as error:
        reader.problem(f"{reader.name} must be {_FORMS[kind]}; {reader.value} is {error}")
        return None
    if value is None:
        reader.problem(f"{reader.name} must be {with_article(kind)}, not empty; `exists: false` asks for no value")
    return value


def _read_operand(reader: DefinitionReader, name: str, operand: Operand, kind: ValueType) -> Any:
    """Read an operand by its shape; None if it is wrong, the problem recorded."""
    return _READERS[operand](reader, "string" if operand in ("element", "elements") else kind)


def _read_many(reader: DefinitionReader, kind: ValueType) -> list[Value] | None:
    if not isinstance(reader.value, list) or not reader.value:
        reader.problem(f"{reader.name} must be a list of at least one {kind}")
        return None
    values = [read_operand(item, kind) for item in reader.items()]
    return None if None in values else cast("list[Value]", values)


def _read_pair(reader: DefinitionReader, kind: ValueType) -> tuple[Any, Any] | None:
    if not isinstance(reader.value, list) or len(reader.value) != 2:
        reader.problem(f"{reader.name} must be a list of two, like [1, 5]; both ends are included")
        return None
    low, high = (cast("Any", read_operand(item, kind)) for item in reader.items())
    return None if low is None or high is None else (low, high)


def _read_pattern(reader: DefinitionReader, _kind: ValueType) -> tuple[str, Check] | None:
    if not isinstance(reader.value, str):
        reader.problem(f"{reader.name} must be a pattern in RE2 syntax")
        return None
    try:
        return reader.value, whole_match(reader.value)
    except BadPattern as error:
        reader.problem(f"{reader.name} must be a pattern in RE2 syntax: {error}")
        return None


def _read_flag(reader: DefinitionReader, _kind: ValueType) -> bool | None:
    if isinstance(reader.value, bool):
        return reader.value
    reader.problem(f"{reader.name} must be true or false")
    return None


def _read_length(reader: DefinitionReader, _kind: ValueType) -> int | None:
    try:
        if isinstance(reader.value, str):
            return parse_duration(reader.value, signed=True)
        reader.problem(f"{reader.name} must be a duration like 30d or -30d")
    except ValueError as error:
        reader.problem(f"{reader.name} is {error}" if str(error).startswith("not") else f"{reader.name}: {error}")
    return None


_READERS: Final[Mapping[Operand, Callable[[DefinitionReader, ValueType], Any]]] = {
    "one": read_operand,
    "many": _read_many,
    "pair": _read_pair,
    "element": read_operand,
    "elements": _read_many,
    "pattern": _read_pattern,
    "flag": _read_flag,
    "length": _read_length,
}


def _said(name: str, operand: Operand, value: Any, kind: str) -> str:
    """Say one operator in plain English."""
    words = name.replace("_", " ")
    if operand == "length":
        return f"{words} {format_duration(value)}"
    if operand == "pattern":
        return f"{words} {value[0] or repr(value[0])}"
    if operand == "flag":
        return "exists" if value else "does not exist"
    if operand in ("many", "elements"):
        return f"{words} [{', '.join(said_value(each, kind) for each in value)}]"
    if operand == "pair":
        return f"between {said_value(value[0], kind)} and {said_value(value[1], kind)}"
    return f"{words} {said_value(value, kind)}"


def said_value(value: Any, kind: str) -> str:
    """Say a typed value as the author would have written it."""
    if kind == "datetime":
        return format_instant(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value)

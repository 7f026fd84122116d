"""Operators on one typed value: what a rule may ask of a trait or an attribute (docs/language.md, Operators).

A table says for which types an operator is, what operand it takes, and how the operand becomes a test. Operands are
typed and checked when a catalogue is read, so that a test never meets a wrong one. Of *no value* only `not_equals`,
`not_in` and `exists: false` hold. `older_than` and `newer_than` make a test's verdict change with time: every value
holds on one interval of instants.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, cast

from pydantic import ConfigDict

from rules.ground.event import Value
from rules.ground.instants import FOREVER, format_duration, format_instant, parse_duration
from rules.ground.patterns import BadPattern, whole_match
from rules.ground.values import BadNumber, ValueType, WrongType, typed
from rules.language.problems import DefinitionReader
from rules.language.validation import Strict, nearest

Check: TypeAlias = Callable[[Any], bool]
Interval: TypeAlias = tuple[int, int]
"""Instants from the first (inclusive) to the second (exclusive)."""

AT_EVERY_INSTANT: Final[Interval] = (-FOREVER, FOREVER)
AT_NO_INSTANT: Final[Interval] = (FOREVER, FOREVER)
TRUE: Final[tuple[bool | None, int]] = (True, FOREVER)
FALSE: Final[tuple[bool | None, int]] = (False, FOREVER)

_SCALARS: Final = frozenset({"string", "number", "integer", "boolean", "datetime"})
_ORDERED: Final = frozenset({"number", "integer", "datetime"})
_ALL: Final = _SCALARS | {"list"}
_STRING: Final = frozenset({"string"})
_LIST: Final = frozenset({"list"})
_DATETIME: Final = frozenset({"datetime"})

Operand: TypeAlias = Literal["one", "many", "pair", "element", "elements", "pattern", "flag", "length"]


@dataclass(frozen=True, slots=True)
class Operator:
    """One row of the table. `check` makes of an operand a test of a value; None: it compares with the instant."""

    kinds: frozenset[str]
    operand: Operand
    check: Callable[[Any], Check] | None
    of_nothing: Callable[[Any], bool] = lambda _operand: False


def _yes(_operand: Any) -> bool:
    return True


def _not(operand: Any) -> bool:
    return not operand


def _outside(operands: list[Any]) -> Check:
    among = frozenset(operands)
    return lambda value: value not in among


def _overlapping(operands: list[Any]) -> Check:
    among = frozenset(operands)
    return lambda value: not among.isdisjoint(value)


def _between(operand: tuple[Any, Any]) -> Check:
    low, high = operand
    return lambda value: bool(low <= value <= high)


OPERATORS: Final[Mapping[str, Operator]] = {
    "equals": Operator(_SCALARS, "one", lambda x: lambda v: bool(v == x)),
    "not_equals": Operator(_SCALARS, "one", lambda x: lambda v: bool(v != x), _yes),
    "in": Operator(_SCALARS, "many", lambda xs: frozenset(xs).__contains__),
    "not_in": Operator(_SCALARS, "many", _outside, _yes),
    "exists": Operator(_ALL, "flag", lambda x: lambda v: x, _not),
    "contains": Operator(_STRING | _LIST, "element", lambda x: lambda v: x in v),
    "contains_any": Operator(_LIST, "elements", _overlapping),
    "starts_with": Operator(_STRING, "one", lambda x: lambda v: bool(v.startswith(x))),
    "ends_with": Operator(_STRING, "one", lambda x: lambda v: bool(v.endswith(x))),
    "matches": Operator(_STRING, "pattern", lambda x: x[1]),
    "above": Operator(_ORDERED, "one", lambda x: lambda v: bool(v > x)),
    "at_least": Operator(_ORDERED, "one", lambda x: lambda v: bool(v >= x)),
    "below": Operator(_ORDERED, "one", lambda x: lambda v: bool(v < x)),
    "at_most": Operator(_ORDERED, "one", lambda x: lambda v: bool(v <= x)),
    "between": Operator(_ORDERED, "pair", _between),
    "older_than": Operator(_DATETIME, "length", None),
    "newer_than": Operator(_DATETIME, "length", None),
}
"""By name. The operand has the type of the value, except for `contains` on lists, `exists` and the durations."""

RISING: Final = frozenset({"above", "at_least"})


class OperatorKeys(Strict):
    """The keys of all operators, for the models of definitions that take them beside their own."""

    equals: Any = None
    not_equals: Any = None
    in_: Any = None
    not_in: Any = None
    exists: Any = None
    contains: Any = None
    contains_any: Any = None
    starts_with: Any = None
    ends_with: Any = None
    matches: Any = None
    above: Any = None
    at_least: Any = None
    below: Any = None
    at_most: Any = None
    between: Any = None
    older_than: Any = None
    newer_than: Any = None

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


if {name.rstrip("_") for name in OperatorKeys.model_fields} != set(OPERATORS):
    raise AssertionError("every operator needs its key")


class Test:
    """Several operators on one value of one declared type; all must hold.

    `check` tests the part that does not change with time, of a value or None; `timed` says whether that is not all.
    """

    __test__ = False  # no test class of pytest's
    __slots__ = ("_newer_ms", "_older_ms", "check", "rising", "text", "timed")

    def __init__(
        self,
        checks: tuple[Check, ...],
        nothing: bool,
        older_ms: int | None,
        newer_ms: int | None,
        text: str,
        rising: bool = False,
    ) -> None:
        self.rising = rising
        """Whether it holds of every larger value too, if it holds of one."""
        self._older_ms = older_ms
        self._newer_ms = newer_ms
        self.timed = older_ms is not None or newer_ms is not None
        self.text = text
        """In plain English: `equals hcp and not in [a, b]`."""
        self.check: Callable[[Value | None], bool] = _joined(checks, nothing)

    def holds(self, value: Value | None, t_ms: int) -> bool:
        """Tell whether all operators hold of the value at t_ms; inside `where` that is the event's own time."""
        if not self.timed:
            return self.check(value)
        low, high = self.interval(value)
        return low <= t_ms < high

    def verdict(self, value: Value | None, t_ms: int) -> tuple[bool | None, int]:
        """Tell whether it holds at t_ms, and the exact next instant at which that changes."""
        if not self.timed:
            return TRUE if self.check(value) else FALSE
        low, high = self.interval(value)
        if t_ms < low:
            return False, low
        return (True, high) if t_ms < high else FALSE

    def interval(self, value: Value | None) -> Interval:
        """Tell on which instants it holds of the value; AT_NO_INSTANT where there are none."""
        if not self.check(value):
            return AT_NO_INSTANT
        if not self.timed:
            return AT_EVERY_INSTANT
        if not isinstance(value, int):  # no value; or an older fact of another type
            return AT_NO_INSTANT
        low = -FOREVER if self._older_ms is None else value + self._older_ms
        high = FOREVER if self._newer_ms is None else value + self._newer_ms
        return (low, high) if low < high else AT_NO_INSTANT


def _joined(checks: tuple[Check, ...], nothing: bool) -> Callable[[Value | None], bool]:
    """Make one test of several. A fact that kept another type from its arrival fails a test that cannot take it."""
    if len(checks) == 1:
        check = checks[0]

        def one(value: Value | None) -> bool:
            if value is None:
                return nothing
            try:
                return check(value)
            except (TypeError, AttributeError):
                return False

        return one

    def every(value: Value | None) -> bool:
        if value is None:
            return nothing
        try:
            return all(check(value) for check in checks)
        except (TypeError, AttributeError):
            return False

    return every


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
    nothing, lengths, texts = True, {"older_than": None, "newer_than": None}, []
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
        texts.append(_said(key, operator.operand, operand, kind))
    if len(reader.problems) > before:
        return None
    rising = RISING.issuperset(keys)
    return Test(tuple(checks), nothing, lengths["older_than"], lengths["newer_than"], " and ".join(texts), rising)


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


def names_for(kind: str) -> list[str]:
    """Name the operators that a type takes."""
    return [name for name, operator in OPERATORS.items() if kind in operator.kinds]


def with_article(kind: str) -> str:
    """`an integer`, `a string`."""
    return f"an {kind}" if kind == "integer" else f"a {kind}"


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

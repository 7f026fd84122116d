"""The table of operators: what a rule may ask of a trait or an attribute (docs/language.md, Operators).

A row says for which types an operator is, what operand it takes, and how the operand becomes a test. Of *no value* only
`not_equals`, `not_in` and `exists: false` hold.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rules.language.value_test import Check

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
    among: Callable[[Any], Iterable[Any]] | None = None
    """Names the only values of which it holds; None: there are too many to name."""
    least: Callable[[Any], float] | None = None
    """Names a bound: it holds of no number below, and of nothing that is no number."""


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


def _equals(x: Any) -> Check:
    return lambda v: bool(v == x)


def _not_equals(x: Any) -> Check:
    return lambda v: bool(v != x)


def _exists(x: Any) -> Check:
    return lambda v: x


def _contains(x: Any) -> Check:
    return lambda v: x in v


def _starts_with(x: Any) -> Check:
    return lambda v: bool(v.startswith(x))


def _ends_with(x: Any) -> Check:
    return lambda v: bool(v.endswith(x))


def _above(x: Any) -> Check:
    return lambda v: bool(v > x)


def _at_least(x: Any) -> Check:
    return lambda v: bool(v >= x)


def _below(x: Any) -> Check:
    return lambda v: bool(v < x)


def _at_most(x: Any) -> Check:
    return lambda v: bool(v <= x)


def _in(xs: list[Any]) -> Check:
    return frozenset(xs).__contains__


OPERATORS: Final[Mapping[str, Operator]] = {
    "equals": Operator(_SCALARS, "one", _equals, among=lambda x: (x,)),
    "not_equals": Operator(_SCALARS, "one", _not_equals, _yes),
    "in": Operator(_SCALARS, "many", _in, among=lambda xs: xs),
    "not_in": Operator(_SCALARS, "many", _outside, _yes),
    "exists": Operator(_ALL, "flag", _exists, _not),
    "contains": Operator(_STRING | _LIST, "element", _contains),
    "contains_any": Operator(_LIST, "elements", _overlapping),
    "starts_with": Operator(_STRING, "one", _starts_with),
    "ends_with": Operator(_STRING, "one", _ends_with),
    "matches": Operator(_STRING, "pattern", lambda x: x[1]),
    "above": Operator(_ORDERED, "one", _above, least=lambda x: x),
    "at_least": Operator(_ORDERED, "one", _at_least, least=lambda x: x),
    "below": Operator(_ORDERED, "one", _below),
    "at_most": Operator(_ORDERED, "one", _at_most),
    "between": Operator(_ORDERED, "pair", _between, least=lambda pair: pair[0]),
    "older_than": Operator(_DATETIME, "length", None),
    "newer_than": Operator(_DATETIME, "length", None),
}
"""By name. The operand has the type of the value, except for `contains` on lists, `exists` and the durations."""

RISING: Final = frozenset({"above", "at_least"})


def names_for(kind: str) -> list[str]:
    """Name the operators that a type takes."""
    return [name for name, operator in OPERATORS.items() if kind in operator.kinds]


def with_article(kind: str) -> str:
    """`an integer`, `a string`."""
    return f"an {kind}" if kind == "integer" else f"a {kind}"

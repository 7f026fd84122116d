"""The table of the kinds of conditions: one row each, one module each."""

from collections.abc import Mapping
from typing import Any, Final

from rules.conditions import (
    absent,
    aggregate,
    changed,
    consent,
    covered,
    during,
    event,
    everyone,
    held,
    last,
    score,
    segment,
    sequence,
    trait,
)
from rules.conditions.kind import Kind

KINDS: tuple[Kind, ...] = (
    everyone.KIND,
    held.KIND,
    trait.KIND,
    changed.KIND,
    aggregate.KIND,
    event.KIND,
    last.KIND,
    absent.KIND,
    sequence.KIND,
    covered.KIND,
    score.KIND,
    segment.KIND,
    consent.KIND,
    during.KIND,
)
"""A mapping in a rule is of the first kind whose `keyword` it has, and whose `also`, if there is one. So `aggregate`
stands before `event`, and `held` before `trait`."""

DEFINED: Final = (
    *("everyone", "trait", "held", "changed", "event", "last", "absent"),
    *("sequence", "aggregate", "covered", "score", "segment", "consent", "during"),
)
"""The kinds that the language has (docs/language.md, Conditions)."""

if sorted(kind.name for kind in KINDS) != sorted(DEFINED):
    raise AssertionError("every kind of condition needs its one row")


def kind_of(definition: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a raw condition; None: no key tells one."""
    for kind in KINDS:
        if kind.keyword in definition and (kind.also is None or kind.also in definition):
            return kind
    return None


def keywords() -> tuple[str, ...]:
    """Return the keys that tell a kind, each once."""
    return tuple(dict.fromkeys(kind.keyword for kind in KINDS))


def types_keys() -> frozenset[str]:
    """Return the keys that take one event type or a list of them, whatever the kind."""
    return frozenset(kind.types_key for kind in KINDS if kind.types_key is not None)

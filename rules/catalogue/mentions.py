"""What a rule names: segments, traits, event types and fields of their data, each with its place.

Read off the raw definition, not the compiled rule, so that references can be checked and restrictions traced
(definitions.md section 9) whatever the kind of condition, and also while other parts of the rule are wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rules.language.dictionary import GRANTED, WITHDRAWN, Dictionary
from rules.language.validation import Path

GROUPS: Final = ("all", "any", "none")
TRAIT_KEYS: Final = ("trait", "changed")
EVENT_KEYS: Final = ("event", "last", "absent", "covered")
FIELD_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "aggregate": ("of",),
    "covered": ("days", "until"),
}
"""Keys whose value is a path into the data, by the kind of condition; elsewhere `until` is a date."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One thing that a rule names: `field` is a dotted path into the data of event type `name`."""

    kind: Literal["segment", "trait", "event", "field"]
    name: str
    path: Path
    field: str = ""

    def restricted(self, dictionary: Dictionary) -> str | None:
        """Find the class by which the dictionary restricts it; None also for what is not declared."""
        if self.kind == "trait":
            trait = dictionary.traits.get(self.name)
            return trait.restricted if trait else None
        event = dictionary.events.get(self.name)
        if event is None or self.kind == "segment":
            return None
        if self.kind == "event":
            return event.restricted
        declared = event.data.get(self.field)
        return declared.restricted if declared else None


def mentions(rule: Any, path: Path) -> Iterator[Mention]:
    """Walk a raw rule that stands at `path`; what is malformed is passed over (its compiler complains)."""
    if not isinstance(rule, dict):
        return
    for group in GROUPS:
        for index, inner in enumerate(_list(rule.get(group))):
            yield from mentions(inner, (*path, group, index))
    for index, inner in enumerate(_list(_mapping(rule.get("at_least_of")).get("of"))):
        yield from mentions(inner, (*path, "at_least_of", "of", index))
    for index, item in enumerate(_list(rule.get("score"))):
        yield from mentions(_mapping(item).get("when"), (*path, "score", index, "when"))
        yield from _events(_mapping(item), (*path, "score", index))
    for index, step in enumerate(_list(rule.get("sequence"))):
        yield from _step(step, (*path, "sequence", index))
    if isinstance(rule.get("segment"), str):
        yield Mention("segment", rule["segment"], (*path, "segment"))
    for key in TRAIT_KEYS:
        if isinstance(rule.get(key), str):
            yield Mention("trait", rule[key], (*path, key))
    if "consent" in rule:
        for name in (GRANTED, WITHDRAWN):
            yield Mention("event", name, (*path, "consent"))
    yield from _events(rule, path)


def _step(step: Any, path: Path) -> Iterator[Mention]:
    """Walk a step of a sequence: a type, a list of types, `{event: …}` or `{not: S}`."""
    if isinstance(step, dict) and "not" in step:
        yield from _step(step["not"], (*path, "not"))
    elif isinstance(step, dict):
        yield from _events(step, path)
    else:
        for name in _names(step):
            yield Mention("event", name, path)


def _events(leaf: dict[str, Any], path: Path) -> Iterator[Mention]:
    """Find the event types of one condition, and the fields that it looks at in each of them."""
    fields = [(name, (*path, key, name)) for key in ("where", "is") for name in _mapping(leaf.get(key))]
    for kind, keys in FIELD_KEYS.items():
        if kind in leaf:
            fields += [(leaf[key], (*path, key)) for key in keys if isinstance(leaf.get(key), str)]
    for key in EVENT_KEYS:
        for name in _names(leaf.get(key)):
            yield Mention("event", name, (*path, key))
            for field, place in fields:
                yield Mention("field", name, place, field)


def _names(value: Any) -> list[str]:
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

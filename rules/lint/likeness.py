"""Lint of segments that are the same, or nearly: the same rules twice, but for one condition or one figure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.catalogue.segment import Segment
from rules.conditions.kinds import types_keys
from rules.language.problems import canonical_json
from rules.lint.suspicions import Suspicion, judged, rules_of

SHARED_MIN: Final = 0.75
"""Share of their conditions that two nearly equal segments have in common: three of four."""
ITEMS_MIN: Final = 2
"""Two segments of one condition that differ in its figure are a ladder, not a slip."""
LENGTHS: Final = ("min_stay", "max_stay", "reenter_after")

_FIGURE: Final = re.compile(r'(?<=[:\[,])(?:-?[0-9.]+(?:e[+-]?[0-9]+)?|"-?[0-9]+(?:ms|s|m|h|d|w)")(?=[,}\]])')
_INDEX: Final = re.compile(r"\[[0-9]+\]")
_UNORDERED: Final = frozenset({"in", "not_in", "contains_any", "all", "any", "none"})
"""Keys whose list means the same in any order; besides the keys that take event types."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The parts of a segment that are compared."""

    segment: Segment
    base: str
    """Audience, parent and markets: only segments that share them are compared."""
    whole: str
    items: frozenset[str]
    """Its conditions, each with its rule and the groups around it."""
    figureless: frozenset[str]


def check_likeness(catalogue: Catalogue) -> Iterator[Suspicion]:
    """Compare every two segments of one base; each is reported with the first that it is like.

    Segments of one file are made by one template: they are meant to be alike, unless they are the same.
    """
    file_of = {id(source.value): source.file for source in catalogue.sources}
    seen: list[_Shape] = []
    for segment in sorted(judged(catalogue), key=lambda each: each.id):
        shape = _shape(segment)
        for other in seen:
            if shape.base != other.base:
                continue
            of_one_file = file_of[id(segment.raw)] == file_of[id(other.segment.raw)]
            finding = None if of_one_file and shape.whole != other.whole else _compare(shape, other)
            if finding is not None:
                yield finding
                break
        seen.append(shape)


def _shape(segment: Segment) -> _Shape:
    raw = segment.raw
    rules = {rule: _sorted(raw[rule]) for rule in rules_of(segment)}
    items = [
        canonical_json([_INDEX.sub("", path), _sorted(leaf.definition)])
        for rule, node in rules_of(segment).items()
        for path, leaf, _ in leaves(node, rule)
    ]
    return _Shape(
        segment=segment,
        base=canonical_json([segment.layers.audience, segment.parent, sorted(segment.markets)]),
        whole=canonical_json({**rules, **{key: raw[key] for key in LENGTHS if key in raw}}),
        items=frozenset(items),
        figureless=frozenset(_FIGURE.sub("#", item) for item in items),
    )


def _sorted(value: Any, key: str = "") -> Any:
    """Return a raw value with its unordered lists sorted."""
    if isinstance(value, dict):
        return {name: _sorted(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        types = key in types_keys()
        inner = [_sorted(item) for item in value]
        if types and len(inner) == 1:
            return inner[0]
        return sorted(inner, key=canonical_json) if types or key in _UNORDERED else inner
    return value


def _compare(one: _Shape, other: _Shape) -> Suspicion | None:
    name = other.segment.id
    if one.whole == other.whole:
        return Suspicion(one.segment.raw, ("segment",), "duplicate", f"has the same rules as segment {name!r}")
    shared, all_ = one.items & other.items, one.items | other.items
    if one.items == other.items:
        told = "in its groups or lengths of stay"
    elif len(shared) >= SHARED_MIN * len(all_):
        told = f"in {len(all_) - len(shared)} of {len(all_)} conditions"
    elif (
        len(one.items) == len(other.items) >= ITEMS_MIN
        and one.figureless == other.figureless
        and len(all_) == len(shared) + 2
    ):
        told = "in the figures of one condition"
    else:
        return None
    told = f"differs from segment {name!r} only {told}"
    return Suspicion(one.segment.raw, ("segment",), "near-duplicate", told)

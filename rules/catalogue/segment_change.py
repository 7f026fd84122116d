"""Whether a cut changes a segment: then its members are judged anew."""

from collections.abc import Mapping
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.language.problems import canonical_json, same_json

_COMPARED: Final = ("enter", "exit", "min_stay", "max_stay", "reenter_after", "parent", "markets")
"""Keys that change a segment when they differ, besides audience and restrictions (docs/language.md, Changing
definitions)."""


def differs(old: Segment, new: Segment, old_catalogue: Catalogue, new_catalogue: Catalogue) -> bool:
    """Tell whether a segment approved in the new catalogue is *changed* at a cut."""
    if old.id not in old_catalogue.approved or old.layers.audience != new.layers.audience:
        return True
    if not all(_same(old.raw, new.raw, key) for key in _COMPARED):
        return True
    return _refusals(old, old_catalogue) != _refusals(new, new_catalogue)


def _same(old: Mapping[str, Any], new: Mapping[str, Any], key: str) -> bool:
    if key in old and key in new:
        return same_json(old[key], new[key])
    return key not in old and key not in new


def _refusals(segment: Segment, catalogue: Catalogue) -> dict[str, str | None]:
    """The restrictions of a segment and what each refuses, as text."""
    restrictions = catalogue.policy.restrictions
    classes = catalogue.restricted[segment.id]
    refused = {name: restrictions[name].refuse_raw if name in restrictions else None for name in classes}
    return {name: None if raw is None else canonical_json(raw) for name, raw in refused.items()}

"""What a rule names: segments, traits, event types and fields of their data, each with its place.

Groups are walked here; a condition's kind says what the condition names (`rules.conditions.mention`).
"""

from collections.abc import Iterator
from typing import Any

from rules.catalogue.logic import GROUP_KEYWORDS
from rules.conditions.kinds import kind_of
from rules.conditions.mention import Mention, as_list, as_mapping
from rules.language.validation import Path


def mentions(rule: Any, path: Path) -> Iterator[Mention]:
    """Walk a raw rule that stands at `path`; what is malformed is passed over (its compiler complains)."""
    if not isinstance(rule, dict):
        return
    for group in GROUP_KEYWORDS:
        inside: tuple[str, ...] = (group, "of") if group == "at_least_of" else (group,)
        parts = as_mapping(rule.get(group)).get("of") if group == "at_least_of" else rule.get(group)
        for index, part in enumerate(as_list(parts)):
            yield from mentions(part, (*path, *inside, index))
    kind = kind_of(rule)
    if kind is not None:
        yield from kind.mentions(rule, path, mentions)

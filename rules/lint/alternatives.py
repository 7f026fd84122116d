"""A rule as alternatives of leaves: the rule holds if all leaves of one alternative are as it asks.

`rules.lint.reasoning` writes a rule in facts, to see contradictions. This form keeps the leaves and their places.
"""

import math
from collections.abc import Sequence
from itertools import combinations, product
from typing import Final, NamedTuple, TypeAlias

from rules.catalogue.logic import AllOf, AtLeastOf, Group, NoneOf
from rules.conditions.base import Condition, Node
from rules.language.validation import Path
from rules.lint.suspicions import parts

ALTERNATIVES_MAX: Final = 64
"""A rule with more is not looked at."""


class Asked(NamedTuple):
    """One leaf of an alternative."""

    leaf: Condition
    path: Path
    holds: bool
    """Whether the alternative asks that the leaf holds; False: that it does not."""


AlternativeLeaves: TypeAlias = tuple[Asked, ...]


def alternatives_of(node: Node, path: Path, holds: bool = True) -> Sequence[AlternativeLeaves]:
    """List the alternatives of a rule, or of its denial. A rule with too many alternatives gives none."""
    if isinstance(node, Condition):
        return [(Asked(node, path, holds),)]
    assert isinstance(node, Group)
    inner = parts(node, path)
    wanted = holds != isinstance(node, NoneOf)
    least = len(inner) if isinstance(node, AllOf) else node.n if isinstance(node, AtLeastOf) else 1
    if not wanted:
        least = max(0, len(inner) - least + 1)
    if math.comb(len(inner), least) > ALTERNATIVES_MAX:
        return []
    known = [alternatives_of(part, place, wanted) for place, part in inner]
    if not all(known):
        return []
    found: list[AlternativeLeaves] = []
    for chosen in combinations(known, least):
        if len(found) + math.prod(map(len, chosen)) > ALTERNATIVES_MAX:
            return []
        found += [sum(picked, ()) for picked in product(*chosen)]
    return found

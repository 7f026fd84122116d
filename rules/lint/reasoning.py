"""Can a rule ever hold, can it ever fail: a sound answer, not a complete one (for lint).

Groups join the facts of their parts (see `rules.conditions.facts`); the denial of a rule is written as facts too.
If all alternatives of a rule contradict themselves, it never holds. If all of its denial do, it always holds.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Final, Literal

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import AllOf, AtLeastOf, Group, NoneOf
from rules.catalogue.segment import Segment
from rules.conditions.base import Condition, Node
from rules.conditions.facts import (
    ALWAYS,
    NEVER,
    UP,
    Alternative,
    Alternatives,
    Fact,
    OneOf,
    Range,
    TooMany,
    both,
    bounded,
    consistent,
)
from rules.conditions.operator_facts import OperatorFacts
from rules.conditions.scene import Scene

CHOICES_MAX: Final = 64
"""Most ways to choose n parts of an `at_least_of` that are gone through."""


def scene_of(segment: Segment, rule: Literal["enter", "exit"] = "enter") -> Scene:
    """Return the plain scene of a rule of a segment: any evaluation."""
    return Scene(segment.id, rule, segment.forgets)


class Reasoning:
    """Judges the rules of one catalogue. The caller adds to `empty` each segment that nobody can enter."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.empty: set[str] = set()
        self._catalogue = catalogue
        self.operators = OperatorFacts(catalogue.dictionary)
        self._known: dict[tuple[int, bool, Scene], Alternatives | None] = {}
        self._nodes: list[Node] = []

    def never(self, rule: Node, scene: Scene) -> bool:
        """Tell whether it can be shown that a rule never holds."""
        return self._impossible(lambda: self.alternatives(rule, True, scene))

    def always(self, rule: Node, scene: Scene) -> bool:
        """Tell whether it can be shown that a rule always holds."""
        return self._impossible(lambda: self.alternatives(rule, False, scene))

    def never_admitted(self, segment: Segment) -> bool:
        """Tell whether `enter` can never hold of a profile that audience, markets and parent admit."""
        scene = scene_of(segment)
        return self._impossible(lambda: both(self.admitted(segment), self.alternatives(segment.enter, True, scene)))

    def never_first(self, segment: Segment) -> bool:
        """Tell whether `exit` holds whenever `enter` does for the first time, so that nobody ever enters."""
        leave = segment.exit
        if leave is None:
            return False
        enter = replace(scene_of(segment), first_time=True)
        stay = replace(enter, rule="exit", entering=True)

        def alternatives() -> Alternatives:
            entering = both(self.admitted(segment), self.alternatives(segment.enter, True, enter))
            return both(entering, self.alternatives(leave, False, stay))

        return self._impossible(alternatives)

    def never_leaves(self, segment: Segment) -> bool:
        """Tell whether `exit` can never hold of a member."""
        leave = segment.exit
        if leave is None:
            return False
        scene = replace(scene_of(segment, "exit"), stay_max_ms=segment.max_stay_ms or UP)
        return self._impossible(lambda: both(self.admitted(segment), self.alternatives(leave, True, scene)))

    def _impossible(self, alternatives: Callable[[], Alternatives]) -> bool:
        try:
            return not alternatives()
        except TooMany:
            return False

    def admitted(self, segment: Segment) -> Alternatives:
        """Say what is so of every profile that audience, markets and parent admit, and so of every member."""
        facts: set[Fact] = set()
        if segment.layers.audience is not None:
            facts.add(OneOf(("audience",), frozenset({segment.layers.audience})))
        market = self._catalogue.policy.market_trait
        if market is not None and segment.markets:
            facts.update(self.operators.of(("trait", market), {"in": list(segment.markets)}, "string"))
        if segment.parent is not None:
            return both([frozenset(facts)], self.in_segment(segment.parent, 0))
        return both([frozenset(facts)], ALWAYS)

    def in_segment(self, name: str, for_ms: float) -> Alternatives:
        """Say what is so of every profile that has been a member for so long."""
        if name in self.empty:
            return NEVER
        return both([frozenset({Range(("stay", name), low=for_ms)})], self.admitted(self._catalogue.segments[name]))

    def alternatives(self, node: Node, holds: bool, scene: Scene) -> Alternatives:
        """Write a rule, or its denial, as alternatives that are each consistent. Raises TooMany."""
        key = id(node), holds, scene
        if key not in self._known:
            self._nodes.append(node)  # its id stays its own
            try:
                self._known[key] = self._written(node, holds, scene)
            except TooMany:
                self._known[key] = None
        known = self._known[key]
        if known is None:
            raise TooMany
        return known

    def _written(self, node: Node, holds: bool, scene: Scene) -> Alternatives:
        if isinstance(node, Group):
            return self._group(node, holds, scene)
        assert isinstance(node, Condition)
        return [facts for facts in node.facts(self, holds, scene) if consistent(facts)]

    def _group(self, group: Group, holds: bool, scene: Scene) -> Alternatives:
        parts, wanted = group.parts, holds != isinstance(group, NoneOf)
        size = len(parts)
        least = size if isinstance(group, AllOf) else group.n if isinstance(group, AtLeastOf) else 1
        if not wanted:  # fewer than that many hold: so many do not
            least = max(0, size - least + 1)
        if math.comb(size, least) > CHOICES_MAX:
            raise TooMany
        known = [self.alternatives(part, wanted, scene) for part in parts]
        found: dict[Alternative, None] = {}
        for chosen in combinations(known, least):
            joined = ALWAYS
            for each in chosen:
                joined = both(joined, each)
            found.update(dict.fromkeys(joined))
        return bounded(found)

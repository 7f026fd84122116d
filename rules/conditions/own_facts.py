"""Facts of a condition that cannot be said of a variable it shares with others: it is true, or it is false."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from rules.conditions.base import Condition
from rules.conditions.facts import Alternatives, Fact, OneOf
from rules.conditions.scene import Scene
from rules.language.problems import canonical_json

_SINCE_WORDS: Final = ("entry", "exit", "ever")


def nothing_yet(leaf: Condition, scene: Scene) -> bool:
    """Tell whether a condition counts from a mark that nothing is later than."""
    return scene.entering and leaf.mark == "entry"


def variable_of(leaf: Condition, scene: Scene, raw: Mapping[str, Any], rule: str = "") -> tuple[str, ...]:
    """Name a variable by what a definition says and from which mark it counts here."""
    mark = None if scene.first_time and leaf.mark == "exit" else leaf.mark
    said = {key: value for key, value in raw.items() if key != "since" or value not in _SINCE_WORDS}
    return leaf.kind, canonical_json(said), str(mark), rule


def own(leaf: Condition, holds: bool, scene: Scene, besides: Iterable[Fact] = (), rule: str = "") -> Alternatives:
    """Make a variable of its own: true, and `besides` what follows from that; or false.

    `rule` is part of the variable where a condition's parts count from marks that depend on the rule.
    """
    itself = OneOf(variable_of(leaf, scene, leaf.definition, rule), frozenset({holds}))
    return [frozenset({itself, *besides})] if holds else [frozenset({itself})]

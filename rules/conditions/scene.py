"""What lint and a condition say to each other: the rule that is asked about, what a condition compares and names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from rules.conditions.facts import UP, Alternatives
from rules.conditions.operator_facts import OperatorFacts
from rules.language.dictionary import Attribute
from rules.language.validation import Path


@dataclass(frozen=True, slots=True)
class Scene:
    """The rule that lint asks about, and the evaluations at which it asks."""

    segment: str
    rule: Literal["enter", "exit"]
    forgets: bool
    first_time: bool = False
    """Only profiles that never left the segment: no mark of an exit bounds anything."""
    entering: bool = False
    """Of `exit`: only the evaluation at which the profile would enter. Nothing is later than that mark."""
    stay_max_ms: float = UP
    """Of `exit`: no stay is longer."""


class Judge(Protocol):
    """What the facts of a condition need to know of the rest of the catalogue."""

    operators: OperatorFacts

    def in_segment(self, name: str, for_ms: float) -> Alternatives:
        """Say what is so of every profile that has been a member for so long."""
        ...

    def never(self, rule: Any, scene: Scene) -> bool:
        """Tell whether a compiled rule can be shown never to hold."""
        ...

    def always(self, rule: Any, scene: Scene) -> bool:
        """Tell whether a compiled rule can be shown always to hold."""
        ...


class Compared(NamedTuple):
    """A trait or an attribute that a condition compares."""

    path: Path
    """Where the operators stand, below the condition."""
    name: str
    declared: Attribute
    operators: Mapping[str, Any]
    """The raw mapping in which the operators stand; it may have other keys too."""


class Word(NamedTuple):
    """A word of the author's own."""

    what: Literal["channel", "purpose"]
    word: str
    path: Path
    """Below the condition."""

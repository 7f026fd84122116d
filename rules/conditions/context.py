"""Which rule a condition is compiled for."""

from dataclasses import dataclass
from typing import Literal

from rules.language.dictionary import Dictionary


@dataclass(frozen=True, slots=True)
class RuleContext:
    """The rule that is compiled: it decides which names a condition may use, and from which mark it counts."""

    dictionary: Dictionary
    rule: Literal["enter", "exit", "restriction"]
    segment: str
    forgets: bool
    """Whether the segment has `exit` or `max_stay`: then `since: exit` is the default in `enter`."""

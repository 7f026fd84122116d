"""Which rule a condition is compiled for."""

from dataclasses import dataclass, replace
from typing import Literal

from rules.language.dictionary import Dictionary


@dataclass(frozen=True, slots=True)
class RuleContext:
    """The rule that is compiled: it decides which names a condition may use, and from which mark it counts."""

    dictionary: Dictionary
    rule: Literal["enter", "exit", "restriction"]
    segment: str
    forgets: bool
    """Whether the segment has `exit` or `max_stay`: then `since: exit` is the default of evidence in `enter`."""
    denied: bool = False
    """Whether the part that is compiled stands under an odd number of `none`."""

    def inside_none(self) -> "RuleContext":
        """Return the context of what stands in a `none` here."""
        return replace(self, denied=not self.denied)

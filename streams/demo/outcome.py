"""Everything that came of a demo: the figures, and what the checks found."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.demo import check, naive
from streams.demo.figures import Figures


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """Everything that came of it."""

    figures: Figures
    verdict: check.CheckVerdict
    records: int
    """Of the input, applied again."""
    published: int
    """Changes in the membership topic."""
    contacts: int
    """Changes in the topics of the channels."""
    effects: int
    """Effects of links on other profiles."""
    sampled: naive.Sampled | None
    """None: the naive evaluator is not here."""

    @property
    def missing(self) -> int:
        """Changes expected, by either check, and not published."""
        return len(self.verdict.missing.union(*(each.missing for each in self._verdicts)))

    @property
    def unexpected(self) -> int:
        """Changes published and not expected, by either check."""
        return len(self.verdict.unexpected.union(*(each.unexpected for each in self._verdicts)))

    @property
    def right(self) -> bool:
        """Whether all is as it must be."""
        return self.verdict.right and all(each.right for each in self._verdicts)

    @property
    def _verdicts(self) -> Sequence[check.CheckVerdict]:
        return () if self.sampled is None else self.sampled.verdicts

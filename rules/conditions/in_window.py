"""What the conditions share that remember the events of a window, an entry each (`rules.conditions.occurrences`)."""

from typing import Any

from rules.conditions.base import Condition
from rules.conditions.occurrences import MEMORY, Entries, evidence_of, later_than, remembered
from rules.conditions.view import View
from rules.conditions.window import Window


class InWindow(Condition):
    """A condition on the events in a window."""

    looks_at_history = True

    def __init__(self, definition: Any, types: frozenset[str], window: Window, text: str) -> None:
        """`text` says it in plain English."""
        self.definition = definition
        self.types = types
        self.mark = window.mark
        self.window = window
        self._text = text

    def entries(self, view: View) -> Entries:
        """The remembered entries later than the mark, in order."""
        state = view.facts.states.get(self.state_key)  # type: ignore[arg-type]
        return later_than(remembered(state), view.mark(self.mark)) if state else []

    def complete_at(self, cut_ms: int) -> int:
        """As its window says."""
        return self.window.complete_at(cut_ms)

    def describe(self) -> str:
        """`sum of amount of purchase within 30d at least 100`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """All of them."""
        return evidence_of(self.entries(view))

    def capped(self, view: View) -> bool:
        """Whether entries were dropped at the limit."""
        return len(view.facts.states.get(self.state_key or "") or ()) > MEMORY

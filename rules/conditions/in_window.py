"""What the conditions on the events of a window share; an event is an entry (`rules.conditions.entry_memory`)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mypy_extensions import mypyc_attr

from rules.conditions.base import Completion, Condition
from rules.conditions.entry_memory import WindowMemory
from rules.conditions.facts import Counted
from rules.conditions.matching import Matcher, compared_attributes
from rules.conditions.occurrences import Entries, Slide, evidence_of
from rules.conditions.own_facts import nothing_yet
from rules.conditions.scene import Compared, Judge, Scene
from rules.conditions.view import View
from rules.conditions.window import Window
from rules.language.dictionary import Dictionary
from rules.language.problems import canonical_json


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class InWindow(Condition):
    """A condition on the events in a window."""

    looks_at_history = True

    def __init__(self, definition: Any, memory: WindowMemory, window: Window, text: str) -> None:
        """`text` says it in plain English."""
        self.definition = definition
        self.memory = memory
        self.mark = window.mark
        self.window = window
        self._text = text

    def counted(self, view: View) -> tuple[Entries, Entries]:
        """Return the units and the entries later than the mark, in order."""
        memory = self.memory
        assert isinstance(memory, WindowMemory)
        return memory.counted(view.facts.state(memory.state_key), view.mark(self.mark))

    def slide(self, entries: Entries) -> Slide:
        """Lay the window over units or entries."""
        window = self.window
        return Slide(entries, window.within_ms, window.older_ms, window.bucket_ms)

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """As its window says."""
        return ((self.window.complete_at(cut_ms), self.mark),)

    def describe(self) -> str:
        """`sum of amount of purchase within 30d at least 100`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the events in the window that are remembered one by one."""
        slide = self.slide(self.counted(view)[1])
        first, end = slide.slice_at(view.t_ms)
        return evidence_of(slide.entries[first:end])


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class OfMatcher(InWindow):
    """A condition on the events in a window that one matcher takes."""

    def __init__(self, definition: Any, matcher: Matcher, memory: WindowMemory, window: Window, text: str) -> None:
        super().__init__(definition, memory, window, text)
        self.matcher = matcher

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """Walk `where`, and `is` where there is one."""
        return compared_attributes(self.definition, self.matcher.types, dictionary)

    def counts_nothing(self, judge: Judge, scene: Scene, is_: Mapping[str, Any] | None = None) -> bool:
        """Tell whether no event can ever be in the window and match (and satisfy `is_`)."""
        if self.window.empty or nothing_yet(self, scene):
            return True
        return not judge.operators.match(self.matcher.types, self.definition.get("where"), is_)

    def count_variable(self, scene: Scene) -> Counted:
        """Name the number of matching events in the window, for facts."""
        window, where = self.window, self.definition.get("where")
        if scene.first_time and window.mark == "exit":
            window = replace(window, mark=None)
        return Counted(self.matcher.types, "" if where is None else canonical_json(where), window)

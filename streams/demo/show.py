"""What every way of showing the demo can do."""

from collections.abc import Iterable
from typing import Protocol

from streams.demo.figures import Figures, ToldChange
from streams.demo.words import Line


class Show(Protocol):
    """Shows the demo to somebody: `screen` on a terminal, `lines` elsewhere."""

    feed_per_s: float
    """How many changes a second can be read there."""

    def step(self, text: str) -> None:
        """Tell one step of getting ready, or of the checks."""
        ...

    def doing(self, text: str) -> None:
        """Say what is being done until the next step, and perhaps how far it is."""
        ...

    def begin(self, figures: Figures) -> None:
        """Begin to show the play."""
        ...

    def update(self, figures: Figures) -> None:
        """Show the figures of the moment; called a few times a second."""
        ...

    def change(self, line: Line) -> None:
        """Show one change of the selection."""
        ...

    def notice(self, text: str) -> None:
        """Say that something happened that must not be missed."""
        ...

    def explain(self, told: ToldChange) -> None:
        """Explain a profile."""
        ...

    def end(self) -> None:
        """End showing the play; what follows is steps."""
        ...


def numbered(words: Iterable[object]) -> str:
    """Join words as people do: `1, 2 and 3`."""
    *some, last = map(str, words)
    return f"{', '.join(some)} and {last}" if some else last


def partitions(numbers: Iterable[int]) -> str:
    """Name partitions: `partition 3`, `partitions 1 and 3`."""
    found = list(numbers)
    return f"partition{'' if len(found) == 1 else 's'} {numbered(found)}"

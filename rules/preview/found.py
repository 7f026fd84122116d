"""What a preview found: numbers that add up over chunks of profiles, passes over ranges, and partitions."""

from dataclasses import dataclass, field

from rules.preview.census import Census
from rules.preview.tally import Tally


@dataclass(slots=True)
class Window:
    """The last days twice: as they went, and as they would have gone under the new catalogue from their beginning."""

    actual: Tally = field(default_factory=Tally)
    supposed: Tally = field(default_factory=Tally)
    at_start: Tally = field(default_factory=Tally)
    """What the new catalogue would have changed at the beginning; not part of `supposed`."""

    def add(self, other: "Window") -> None:
        """Add another's counts."""
        self.actual.add(other.actual)
        self.supposed.add(other.supposed)
        self.at_start.add(other.at_start)


@dataclass(slots=True)
class Found:
    """What was found."""

    cut: Tally = field(default_factory=Tally)
    """What the cut changes, its history filled in."""
    unfilled: Tally = field(default_factory=Tally)
    """What the cut would change without filling."""
    before: Census = field(default_factory=Census)
    after: Census = field(default_factory=Census)
    parts: dict[str, Tally] = field(default_factory=dict)
    """By name of a part of the change: what that part alone changes."""
    window: Window | None = None

    def add(self, other: "Found") -> None:
        """Add another's counts."""
        self.cut.add(other.cut)
        self.unfilled.add(other.unfilled)
        self.before.add(other.before)
        self.after.add(other.after)
        for name, tally in other.parts.items():
            self.parts.setdefault(name, Tally()).add(tally)
        if other.window is not None:
            self.window = self.window or Window()
            self.window.add(other.window)

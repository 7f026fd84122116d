"""What a preview found: numbers that add up over chunks of profiles, passes over ranges, and partitions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rules.preview.blind import Blind
from rules.preview.census import Census
from rules.preview.people import PEOPLE_MAX, Moved, Person
from rules.preview.tally import Shows, Tally


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

    def only(self, shows: Shows) -> "Window":
        """Return the changes of the definitions that a reader may see."""
        return Window(self.actual.only(shows), self.supposed.only(shows), self.at_start.only(shows))


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
    blind: dict[tuple[str, str], Blind] = field(default_factory=dict)
    """By (segment, path): conditions that would have no verdict without filling."""
    still_blind: dict[tuple[str, str], Blind] = field(default_factory=dict)
    """Those that have no verdict though the history is filled in: the log does not reach back so far."""
    of_several: int = 0
    """Profiles with facts of other subjects, where conditions come in: what was told of these before is not counted."""
    people: dict[Moved, list[Person]] = field(default_factory=dict)
    """The first few profiles of each way."""
    people_max: int = PEOPLE_MAX
    """How many profiles of each way are kept."""

    def add(self, other: "Found") -> None:
        """Add another's counts."""
        self.cut.add(other.cut)
        self.unfilled.add(other.unfilled)
        self.before.add(other.before)
        self.after.add(other.after)
        for name, tally in other.parts.items():
            self.parts.setdefault(name, Tally()).add(tally)
        _join(self.blind, other.blind)
        _join(self.still_blind, other.still_blind)
        self.of_several += other.of_several
        for moved, people in other.people.items():
            self.people[moved] = sorted([*self.people.get(moved, ()), *people])[: self.people_max]
        if other.window is not None:
            self.window = self.window or Window()
            self.window.add(other.window)

    def only(self, shows: Shows) -> "Found":
        """Return what a reader may see."""
        return Found(
            cut=self.cut.only(shows),
            unfilled=self.unfilled.only(shows),
            before=self.before.only(shows),
            after=self.after.only(shows),
            parts={name: tally.only(shows) for name, tally in self.parts.items()},
            window=None if self.window is None else self.window.only(shows),
            blind=self.blind,
            still_blind=self.still_blind,
            of_several=self.of_several,
            people={moved: people for moved, people in self.people.items() if shows(moved.kind, moved.name)},
            people_max=self.people_max,
        )


def _join(into: dict[tuple[str, str], Blind], others: Mapping[tuple[str, str], Blind]) -> None:
    for key, blind in others.items():
        known = into.get(key)
        into[key] = blind if known is None else known.later(blind)

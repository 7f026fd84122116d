"""What the demo plays in: events, the catalogue they meet, and what is to be said of them in honesty."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import streams.demo
import streams.example
from rules.catalogue.catalogue import Catalogue
from rules.catalogue.loading import load_catalogue
from streams.example import cdnow, synthetic
from streams.operations.yaml_files import read_folder, read_yaml

_EXAMPLE: Final = Path(streams.example.__path__[0])
_OVERLAY: Final = Path(streams.demo.__path__[0]) / "overlay"
ALONE_S: Final = 5
"""Length of the window, or stay, in the overlay segments."""


class Data(StrEnum):
    """The choices of `--data`."""

    SYNTHETIC = "synthetic"
    CDNOW = "cdnow"


@dataclass(frozen=True, slots=True)
class Suppression:
    """How the demo makes a suppression happen: an event that brings a profile into a segment that suppresses."""

    segment: str
    event: Callable[[str, int, int], dict[str, Any]]
    """(subject, number, instant in ms) → the event."""

    def suppressed(self, catalogue: Catalogue) -> frozenset[str]:
        """The activations that the segment suppresses."""
        found = (each for each in catalogue.approved_activations.values())
        return frozenset(each.id for each in found if self.segment in each.suppress_while)


@dataclass(frozen=True, slots=True)
class Telling:
    """Whom payers may tell something, and the segment that they enter by it."""

    professionals: tuple[str, ...]
    segment: str


@dataclass(frozen=True, slots=True)
class DataSource:
    """One choice, ready to be played."""

    said: tuple[str, ...]
    """What people must know about it, a line each."""
    catalogue: Catalogue
    overlay: str
    """The segment that is in the catalogue for the demo only."""
    events: Iterator[dict[str, Any]]
    total: int | None
    """How many events there are; None: without end."""
    suppression: Suppression | None = None
    """None: nothing suppresses anything in this catalogue."""
    telling: Telling | None = None
    """None: no organisation tells anything in this catalogue."""


def open_source(data: Data, profiles: int, seed: int, wall_ms: Callable[[], int]) -> DataSource:
    """Open a source. `wall_ms` dates synthetic events; for CDNOW `profiles` does not count."""
    if data is Data.CDNOW:
        return _cdnow()
    names = synthetic.subjects(profiles, seed)
    said = (
        f"Events: synthetic, about {profiles:,} invented profiles (seed {seed}); no real person, no real product.",
        "More than half are dated back by up to 75 days, so that windows of weeks have something in them.",
    )
    catalogue, overlay = _with_overlay(_EXAMPLE / "catalogue", Data.SYNTHETIC)
    suppression = Suppression("treatment-initiation-programme", synthetic.enrolled)
    professionals = tuple(each for each in names if each.startswith("hcp:"))
    telling = Telling(professionals, "plan-criteria-affected")
    return DataSource(said, catalogue, overlay, synthetic.events(names, wall_ms, seed), None, suppression, telling)


def _cdnow() -> DataSource:
    shift = cdnow.shift_to(datetime.now(UTC).date())
    said = (
        f"Events: the public CDNOW log, {cdnow.PURCHASES:,} purchases of {cdnow.CUSTOMERS:,} customers, 1997-98.",
        "These are retail purchases of compact discs, played as prescription fills because the shape is the same:"
        " nothing about health can be learned from them.",
        f"Every day is shifted by {shift:,} days, so that the last purchase falls on today; played day by day, as fast"
        " as it goes.",
        "Each purchase counts at its own day, and is judged when it arrives: 18 months of it within a minute or so.",
    )
    catalogue, overlay = _with_overlay(_EXAMPLE / "cdnow" / "catalogue", Data.CDNOW)
    return DataSource(said, catalogue, overlay, cdnow.purchases(shift), cdnow.PURCHASES)


def _with_overlay(folder: Path, data: Data) -> tuple[Catalogue, str]:
    """Load a catalogue with the demo's own segment added to its files."""
    [added] = _OVERLAY.joinpath(data.value).glob("*.yaml")
    segment = read_yaml(added.read_bytes(), f"segments/demo/{added.name}")
    return load_catalogue([*read_folder(folder), segment]), added.stem

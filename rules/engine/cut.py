"""A cut: a catalogue that took effect at an instant, as a checkpoint keeps it."""

from dataclasses import dataclass
from typing import NamedTuple


class Introduced(NamedTuple):
    """A condition that came in at a cut without its history."""

    condition: str
    """Name of the condition's canonical text (`rules.engine.pending.text_name`)."""
    segment: str
    cut: int
    """Ordinal of the cut at which it came in."""
    t_ms: int
    """Instant of that cut."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A catalogue that took effect at `t_ms`, and how far the visits of its cut have come."""

    ordinal: int
    """Counts the cuts of a partition, from 1."""
    t_ms: int
    catalogue: str
    """Hash of the catalogue."""
    visited_to: str | None = None
    """The last subject that was visited; None: no visit yet."""
    introductions: tuple[Introduced, ...] = ()
    """Only of the oldest cut kept: a plan that is made from the catalogue alone could not know them."""

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


class Made(NamedTuple):
    """A cut that was made, and whether its history has been filled in."""

    cut: int
    """Its ordinal."""
    t_ms: int
    """Its instant."""
    filled: bool = False
    since_ms: int | None = None
    """If it is filled: the instant from which on the log was whole; None: it was whole."""
    traits: tuple[str, ...] | None = ()
    """The traits that its dictionary declared anew; None: an earlier version did not keep them. Of a partition's first
    cut, and where it stands among `fills`: not told."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A catalogue that took effect at `t_ms`.

    The end of a fill stands among the cuts too: it visits every profile, and it changes what is pending.
    """

    ordinal: int
    """Counts the cuts of a partition, and the ends of fills among them, from 1."""
    t_ms: int
    catalogue: str
    """Hash of the catalogue."""
    introductions: tuple[Introduced, ...] = ()
    """Only of the oldest cut kept: a plan that is made from the catalogue alone could not know them."""
    made: tuple[Made, ...] = ()
    """Only of the oldest cut kept: every cut up to it."""
    fills: tuple[Made, ...] = ()
    """If it is the end of a fill: the cuts that it fills, as they stand from it on."""

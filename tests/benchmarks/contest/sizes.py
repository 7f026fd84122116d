"""How large a run is."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of a run; seconds and events/s."""

    profiles: int
    segments: tuple[int, ...]
    rounds: int
    """Repeats of A and B, the engines in turn."""
    backlog: int
    """Events that A drains."""
    rates: tuple[int, ...]
    """Of B."""
    rate_share: float
    """Of A: one more rate of B; 0: none."""
    rate_s: float
    """How long each rate lasts."""
    warm_s: float
    """How long the null engine runs before the first round, uncounted: Java compiles the broker's code meanwhile."""
    wakes: int
    """Wakes of C."""
    wakes_s: float
    """The span in which they are due."""
    upset_s: float
    """How long the load of D and E lasts; a third of it is before the kill, or before segments are added."""
    upset_rate: int
    """Events/s of D and E, if that is at most half of what A gave."""
    sample: int
    """Profiles of the gate's sample."""


SIZES: Final = {
    "ci": Size(1_500, (50,), 1, 5_000, (500,), 0, 3, 0, 300, 2, 6, 500, 30),
    "day": Size(50_000, (500,), 3, 200_000, (2_000, 5_000, 10_000), 0.75, 10, 20, 20_000, 10, 24, 2_000, 60),
    "full": Size(
        1_000_000,
        (50, 500, 2_000),
        5,
        2_000_000,
        (2_000, 5_000, 10_000, 25_000),
        0.75,
        60,
        60,
        100_000,
        10,
        60,
        5_000,
        200,
    ),
}
ADDED_SEGMENTS: Final = 50
"""Segments that E adds."""

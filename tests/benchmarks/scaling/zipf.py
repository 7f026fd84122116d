"""How often Zipf's law repeats a profile: what a cache holds, and how many profiles a checkpoint writes.

The profile of rank r has a share of the events proportional to r^-exponent; exponent 0 is uniform. All sums go over
ranks in bands that grow, so 300 million profiles cost milliseconds; within a band the share of its middle counts.
"""

import itertools
import math
from collections.abc import Callable
from typing import Final, NamedTuple

BANDS_A_DOUBLING: Final = 16
"""More bands are more exact: 16 give sums that are exact to one part in a thousand (a test holds it)."""


class Band(NamedTuple):
    """Ranks with about the same share."""

    ranks: float
    share: float
    """Of the events, of one profile of the band."""


class Zipf:
    """The law over so many profiles."""

    def __init__(self, profiles: int, exponent: float) -> None:
        """`profiles`: at least 1. `exponent`: at least 0."""
        edges, edge = [1.0], 1.0
        while edge < profiles + 1:
            edge = min(profiles + 1.0, max(edge + 1, math.floor(edge * 2 ** (1 / BANDS_A_DOUBLING))))
            edges.append(edge)
        bands = [(last - first, ((first + last - 1) / 2) ** -exponent) for first, last in itertools.pairwise(edges)]
        total = sum(ranks * weight for ranks, weight in bands)
        self.profiles: Final = profiles
        self.bands: Final = [Band(ranks, weight / total) for ranks, weight in bands]

    @property
    def hottest(self) -> float:
        """The share of the events that the first profile has."""
        return self.bands[0].share

    def distinct(self, events: float) -> float:
        """Return how many profiles so many events meet, on average."""
        return sum(ranks * -math.expm1(-share * events) for ranks, share in self.bands)

    def window(self, kept: float) -> float | None:
        """Return how many events meet `kept` profiles; None: all profiles are kept.

        A memory of `kept` profiles, the one touched longest ago dropped first, has a profile if one of so many last
        events met it (Che's approximation).
        """
        if kept >= self.profiles:
            return None
        return _inverse(self.distinct, kept) if kept > 0 else 0.0

    def miss_ratio(self, kept: float) -> float:
        """Return the share of events whose profile is not among the `kept` ones."""
        window = self.window(kept)
        if window is None:
            return 0.0
        return sum(ranks * share * math.exp(-share * window) for ranks, share in self.bands)


def _inverse(rising: Callable[[float], float], value: float) -> float:
    """Return where a rising function takes a value."""
    low, high = 0.0, 1.0
    while rising(high) < value:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < value else (low, middle)
    return high

"""Ranges of subjects by a stable hash: an exact sample, and the passes over a partition that is too large for one.

A subject has a place: the first 8 bytes of BLAKE2b of its UTF-8, an integer below 2^64. It is the same in every
partition, run and version. A sample of 1/N takes the subjects with the smallest places, so 1/16 holds 1/32.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

PLACES: Final = 1 << 64
SAMPLE_MAX: Final = 1_000_000
"""The thinnest sample is one subject in a million."""


def place_of(subject: bytes) -> int:
    """Return the place of a subject, 0 to 2^64 - 1."""
    return int.from_bytes(blake2b(subject, digest_size=8).digest(), "big")


class Range(NamedTuple):
    """The subjects whose place is at least `low` and below `high`."""

    low: int
    high: int

    def has(self, subject: bytes) -> bool:
        """Tell whether a subject is in it."""
        return self.low <= place_of(subject) < self.high

    def halves(self) -> "tuple[Range, Range]":
        """Return its two halves, the lower first."""
        middle = (self.low + self.high) // 2
        return Range(self.low, middle), Range(middle, self.high)


def sampled(one_in: int) -> Range:
    """Return the range of a sample of 1/`one_in`; 1: every subject."""
    return Range(0, PLACES // one_in)

"""Holdouts, arms and pilots: a profile's place in [0, 1) by keyed hash, the same for ever and everywhere."""

from collections.abc import Sequence
from hmac import digest
from typing import Final

TWO_64: Final = 2**64


def share(key: bytes, text: str) -> float:
    """Place a text in [0, 1]: the first 8 bytes, big-endian, of its HMAC-SHA256, divided by 2^64.

    1.0 is what the very largest values round to.
    """
    return int.from_bytes(digest(key, text.encode("utf-8", "surrogatepass"), "sha256")[:8], "big") / TWO_64


def below(key: bytes, salt: str, percent: float, subject: str) -> bool:
    """Tell whether a profile belongs to a share of all: that which a holdout keeps out, that which a pilot governs."""
    return share(key, f"{salt}|{subject}") < percent / 100


def arm_of(key: bytes, salt: str, weights: Sequence[tuple[str, float]], subject: str) -> str:
    """Choose the first arm whose cumulated weight, as written, exceeds the profile's place times 100.

    Where rounding leaves the sum below that place, the last arm that has a weight.
    """
    place = 100 * share(key, f"{salt}|arm|{subject}")
    cumulated = 0.0
    last = weights[-1][0]
    for arm, weight in weights:
        cumulated += weight
        if cumulated > place:
            return arm
        if weight > 0:
            last = arm
    return last

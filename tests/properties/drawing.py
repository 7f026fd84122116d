"""Shared by all generators: the dictionary, the grid of instants, and a coin.

A catalogue and its history use the same grid with one unit of time, so their instants often coincide.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.naive.times import duration, written

Condition = dict[str, Any]

COLORS = ["red", "green"]
TEXTS = ["x", "xy", "y"]
TAGS = ["p", "q", "r"]
DICTIONARY: dict[str, Any] = {
    "traits": {
        "color": {"type": "string"},
        "level": {"type": "number"},
        "rank": {"type": "integer"},
        "vip": {"type": "boolean"},
        "due": {"type": "datetime"},
        "tags": {"type": "list"},
        "secret": {"type": "string", "restricted": "genetic"},
    },
    "events": {
        "a": {"data": {"n": {"type": "number"}, "t": {"type": "string"}, "at": {"type": "datetime"}}},
        "b": {"data": {"n": {"type": "number"}, "t": {"type": "string"}, "tags": {"type": "list"}}},
        "c": {"sets": {"vip": "vip"}, "restricted": "trial"},
        "fill": {"data": {"days": {"type": "number"}, "ends": {"type": "datetime"}}},
        "set": {
            "data": {"deep.color": {"type": "string"}},
            "sets": {
                "color": "deep.color",
                **{name: name for name in ("level", "rank", "vip", "due", "tags", "secret")},
            },
        },
    },
}
EVENTS = ["a", "b", "c", "fill", "set"]
COUNTED = ["a", "b", "c"]


@dataclass(frozen=True)
class Grid:
    """The grid of instants: `start` + k units, for k up to `span`."""

    unit: str
    start: int
    span: int

    @property
    def unit_ms(self) -> int:
        """One unit in ms."""
        found = duration(f"1{self.unit}")
        assert found is not None
        return found

    def at(self, k: int) -> int:
        """The instant at place k of the grid."""
        return self.start + k * self.unit_ms

    def lengths(self, least: int = 1, most: int = 6) -> SearchStrategy[str]:
        """Lengths of whole units."""
        return st.integers(least, most).map(lambda k: f"{k}{self.unit}")

    def instants(self) -> SearchStrategy[str]:
        """Instants of the grid, written as in a definition."""
        return st.integers(-2, self.span).map(lambda k: written(self.at(k)))


def chance(draw: DrawFn, percent: int) -> bool:
    """Throw a weighted coin."""
    return draw(st.integers(0, 99)) < percent

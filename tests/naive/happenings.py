"""Records, and what happens by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.naive.decode import Event
from tests.naive.fillings import Filled, History
from tests.naive.pending import Era
from tests.naive.profile import Profile


@dataclass(frozen=True)
class Record:
    """One record at its instant: an event, the cut into an era, a part of a filling, or nothing."""

    at: int
    event: Event | None = None
    era: Era | None = None
    filling: History | Filled | None = None
    line: int = 0


@dataclass(frozen=True)
class Happening:
    """A visit, or changes of a profile at an instant. `record`: the record that caused it directly."""

    at: int
    changes: list[bytes]
    record: int | None
    after: int
    """It cannot come before this record was read."""
    step: int = 0
    """Its place among the happenings of its record: 0 for the record's own subject, then the effects in order."""


Instants = Callable[[Profile, Era, int, int], Sequence[int]]


@dataclass
class Now:
    """The record at hand."""

    index: int
    at: int
    event: Event
    steps: int = 0

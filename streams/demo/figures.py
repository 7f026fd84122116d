"""What the demo knows at the moment: written by its tasks, shown by `screen` and `lines`."""

from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from rules.explain.activations import ActivationExplanation
from rules.explain.segments import Explanation
from streams.demo.arrivals import Arrivals
from streams.demo.words import Line

FEED_KEPT: Final = 60
WINDOW_S: Final = 3.0
"""Rates of the moment are over so long."""


@dataclass(slots=True)
class Lane:
    """One partition. Offsets are next records."""

    partition: int
    owner: int | None = None
    """Number of the worker that has it; None: nobody says so."""
    state: str = "no owner"
    end: int = 0
    applied: int = 0
    published: int = 0

    @property
    def lag(self) -> int:
        """Records not applied."""
        return max(0, self.end - self.applied)

    @property
    def running(self) -> bool:
        """Whether somebody publishes it."""
        return self.owner is not None and self.state == "running"


@dataclass(slots=True)
class Crew:
    """One worker."""

    number: int
    pid: int
    alive: bool = True


@dataclass(slots=True)
class Trouble:
    """The kill half-way, in seconds of the monotonic clock."""

    worker: int
    pid: int
    partitions: tuple[int, ...]
    killed_s: float
    taken_s: float | None = None
    """All its partitions are run by somebody else."""
    over_s: float | None = None
    """And nothing is behind any more."""


@dataclass(frozen=True, slots=True)
class ToldChange:
    """A profile explained, in one segment or one activation."""

    line: Line
    """The change that made it interesting."""
    explanation: Explanation | ActivationExplanation


@dataclass(slots=True)
class Figures:
    """Everything that is shown."""

    lanes: list[Lane]
    arrivals: Arrivals = field(default_factory=Arrivals)
    crew: list[Crew] = field(default_factory=list)
    phase: str = "Getting ready"
    seconds: float | None = None
    """How long events are played; None: to their end."""
    total: int | None = None
    """How many events there are; None: without end."""
    began_s: float = field(default_factory=monotonic)
    playing_s: float | None = None
    """When the first event was sent."""
    played_s: float = 0.0
    """How long events were played, once that is over."""
    sent: int = 0
    rate: float = 0.0
    """Events a second that the sender aims at; 0: as fast as it goes."""
    feed: deque[Line] = field(default_factory=lambda: deque(maxlen=FEED_KEPT))
    """A selection of the changes, newest last."""
    notices: deque[str] = field(default_factory=lambda: deque(maxlen=4))
    told: ToldChange | None = None
    trouble: Trouble | None = None
    _past: deque[tuple[float, int, int]] = field(default_factory=deque)

    @property
    def lag(self) -> int:
        """Records not applied, of all partitions."""
        return sum(lane.lag for lane in self.lanes)

    @property
    def ready(self) -> bool:
        """Whether every partition has an owner that publishes it."""
        return all(lane.running for lane in self.lanes)

    def playing_for_s(self) -> float:
        """How long events have been played."""
        if self.played_s:
            return self.played_s
        return 0.0 if self.playing_s is None else monotonic() - self.playing_s

    def share_played(self) -> float:
        """How much of the play is over, 0 to 1."""
        shares = [0.0]
        if self.seconds:
            shares.append(self.playing_for_s() / self.seconds)
        if self.total:
            shares.append(self.sent / self.total)
        return min(1.0, max(shares))

    def tick(self) -> None:
        """Take the measure for the rates of the moment; a few times a second."""
        now_s = monotonic()
        self._past.append((now_s, self.sent, self.arrivals.changes))
        while len(self._past) > 2 and self._past[1][0] < now_s - WINDOW_S:
            self._past.popleft()

    def rates(self) -> tuple[float, float]:
        """(events in, changes out) a second, over the last few seconds."""
        if len(self._past) < 2:
            return 0.0, 0.0
        (then_s, sent, changes), (now_s, sent_now, changes_now) = self._past[0], self._past[-1]
        length_s = max(0.001, now_s - then_s)
        return (sent_now - sent) / length_s, (changes_now - changes) / length_s

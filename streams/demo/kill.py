"""The kill half-way: which worker, what is told of it, and when the trouble is over."""

from time import monotonic
from typing import Final

from streams.demo.figures import Figures, Trouble
from streams.demo.show import Show, partitions
from streams.demo.stage import Workers

KILL_AT: Final = 0.5
"""Share of the play after which a worker is killed."""
CALM_S: Final = 0.5
"""After a kill the trouble is over when less is behind than is sent in so long."""


class Kill:
    """Kills the worker that has most partitions, once, and follows what comes of it."""

    def __init__(self, figures: Figures, workers: Workers, show: Show, session_timeout_ms: int) -> None:
        """`session_timeout_ms`: how long the group waits for a silent worker."""
        self._figures = figures
        self._workers = workers
        self._show = show
        self._session_timeout_ms = session_timeout_ms

    def look(self) -> None:
        """Kill when it is time; afterwards note when others have the partitions, and when nothing is behind."""
        figures = self._figures
        playing = figures.playing_s is not None and not figures.played_s
        if playing and figures.trouble is None and figures.share_played() >= KILL_AT:
            self._kill()
        self.follow()

    def follow(self) -> None:
        """Note when others have the partitions, and when nothing is behind."""
        figures, trouble = self._figures, self._figures.trouble
        if trouble is None or trouble.over_s is not None:
            return
        now_s = monotonic()
        if trouble.taken_s is None and figures.ready:
            trouble.taken_s = now_s
            heirs = sorted({lane.owner or 0 for lane in figures.lanes if lane.partition in trouble.partitions})
            self._notice(
                f"worker {heirs[0]} has taken over {partitions(trouble.partitions)},"
                f" {now_s - trouble.killed_s:.1f} s after the kill"
            )
        if trouble.taken_s is not None and figures.lag <= max(100.0, figures.rates()[0] * CALM_S):
            trouble.over_s = now_s
            figures.arrivals.watch(())
            self._notice(f"everything has caught up, {now_s - trouble.killed_s:.1f} s after the kill")

    def _kill(self) -> None:
        figures = self._figures
        owned = {crew.number: [lane for lane in figures.lanes if lane.owner == crew.number] for crew in figures.crew}
        victim = max(figures.crew, key=lambda crew: (len(owned[crew.number]), -crew.number))
        numbers = tuple(lane.partition for lane in owned[victim.number])
        figures.arrivals.watch(numbers)
        figures.trouble = Trouble(victim.number, victim.pid, numbers, monotonic())
        self._workers.kill(victim.number, figures)
        self._notice(
            f"kill -9 {victim.pid}: worker {victim.number} is dead; nobody has {partitions(numbers)} until the group"
            f" notices ({self._session_timeout_ms / 1000:.0f} s)"
        )

    def _notice(self, text: str) -> None:
        self._figures.notices.append(text)
        self._show.notice(text)

"""What is due in a partition, in the one canonical order: by (due, subject).

A profile *stands* at its next instant: its wake, or the cut that it has not been brought over yet, whichever comes
first (at one instant the visit of the cut absorbs the wake). The queue holds (due, subject). An entry that no longer
says where its profile stands is dropped when it comes up.

Profiles and wakes may live in a store: then the horizon says up to which (due, subject) the queue is complete.
"""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Final, TypeAlias

from rules.engine.cuts import Cuts
from rules.engine.profile import Profile
from rules.ground.instants import FOREVER

Standing: TypeAlias = tuple[int, str]
"""(due, subject)."""
Horizon: TypeAlias = Standing
"""Up to and including there the queue is complete."""


class Queue:
    """Where the profiles stand. It reads the profiles and the cuts of its partition, and changes neither."""

    __slots__ = ("_cuts", "_entries", "_profiles", "horizon")

    def __init__(self, profiles: Mapping[str, Profile], cuts: Cuts, horizon: Horizon | None) -> None:
        """`horizon` None: the queue is complete."""
        self.horizon = horizon
        self._profiles: Final = profiles
        self._cuts: Final = cuts
        self._entries: Final[list[Standing]] = []

    def stands_at(self, profile: Profile) -> int:
        """Return the instant at which a profile stands; FOREVER: nothing is due."""
        plan = self._cuts.next_of(profile)
        return profile.wake_ms if plan is None else min(profile.wake_ms, plan.t_ms)

    def enqueue(self, profile: Profile) -> None:
        """Note where a profile stands."""
        due_ms = self.stands_at(profile)
        if due_ms < FOREVER:
            heappush(self._entries, (due_ms, profile.subject))

    def stand_anew(self, clock_ms: int) -> None:
        """Put every profile into the queue for the visit of a cut that was made now."""
        for subject, profile in self._profiles.items():
            heappush(self._entries, (self.stands_at(profile), subject))
        if self.horizon is not None:
            self.horizon = min(self.horizon, (clock_ms, ""))

    def top(self) -> Standing | None:
        """Return the first entry that is true, and leave it; None: there is none."""
        entries = self._entries
        while entries:
            due_ms, subject = entries[0]
            profile = self._profiles.get(subject)
            if profile is not None and self.stands_at(profile) == due_ms:
                return entries[0]
            heappop(entries)
        return None

    def drop_top(self) -> None:
        """Drop the entry that `top` returned."""
        heappop(self._entries)

    def nothing_due(self, before_ms: int) -> bool:
        """Tell at a glance that nothing is due before an instant. False: look at `top`.

        Nearly every record passes nothing, so it pays for a look at the first entry only, dropped or not.
        """
        entries, horizon = self._entries, self.horizon
        return (
            (not entries or entries[0][0] >= before_ms)
            and len(self._cuts.plans) <= 1
            and (horizon is None or horizon[0] >= before_ms)
        )

    def complete_to(self, standing: Standing) -> bool:
        """Tell whether the queue is complete up to there."""
        return self.horizon is None or standing <= self.horizon

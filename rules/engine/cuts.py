"""The catalogues of a partition that some profile may still stand under: their plans, and how far the visits have come.

A profile stands under the plan of the cut that it was last brought over. A plan is let go when the queue is complete
and past the instant of the cut after it: then every profile has been brought over that cut.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.cut import Cut, Introduced
from rules.engine.pending import Introduction
from rules.engine.plan import Plan, make_plan
from rules.engine.profile import Profile

MAX_SUBJECT: Final = "\U0010ffff" * 4
"""Sorts after every subject: its kind never begins with four of the last code points."""


class Cuts:
    """The plans by the ordinal of their cut, oldest first."""

    __slots__ = ("_filled", "_visited", "current", "plans")

    def __init__(self, *, filled: bool) -> None:
        """`filled`: the history of new conditions is at hand, so nothing is pending."""
        self.plans: dict[int, Plan] = {}
        self.current: Plan | None = None
        """The plan in force; None before the first catalogue."""
        self._filled = filled
        self._visited: dict[int, str | None] = {}

    def enforce(self, catalogue: Catalogue, t_ms: int) -> None:
        """Put a catalogue into force at `t_ms`."""
        self._add(self.current.ordinal + 1 if self.current is not None else 1, t_ms, catalogue, ())

    def resume(self, cuts: Sequence[Cut], catalogues: Mapping[str, Catalogue]) -> None:
        """Take up the cuts of a checkpoint, oldest first. Raises KeyError for a catalogue that is not given."""
        for cut in cuts:
            self._add(cut.ordinal, cut.t_ms, catalogues[cut.catalogue], cut.introductions)
            self._visited[cut.ordinal] = cut.visited_to

    def _add(self, ordinal: int, t_ms: int, catalogue: Catalogue, introduced: Iterable[Introduced]) -> None:
        self.current = make_plan(
            catalogue,
            ordinal=ordinal,
            t_ms=t_ms,
            old=self.current,
            filled=self._filled,
            introduced={(each.condition, each.segment): Introduction(each.cut, each.t_ms) for each in introduced},
        )
        self.plans[ordinal] = self.current
        self._visited[ordinal] = None

    def kept(self) -> tuple[Cut, ...]:
        """Return what `resume` needs: the oldest cut that a profile may stand under, and all after it."""
        oldest = next(iter(self.plans), 0)
        return tuple(
            Cut(
                ordinal,
                plan.t_ms,
                plan.catalogue.hash,
                self._visited[ordinal],
                _introduced(plan) if ordinal == oldest else (),
            )
            for ordinal, plan in self.plans.items()
        )

    def unvisited_ms(self) -> list[int]:
        """Return the instants of the cuts whose visits may not be over."""
        return [plan.t_ms for plan in self.plans.values()][1:]

    def next_of(self, profile: Profile) -> Plan | None:
        """Return the plan of the next cut that the profile has not been brought over; None: there is none."""
        if self.current is None or profile.cut == self.current.ordinal:
            return None
        return self.plans[profile.cut + 1]

    def visited(self, plan: Plan, subject: str) -> None:
        """Note that the queue has visited a subject for the cut of a plan."""
        self._visited[plan.ordinal] = subject

    def let_go(self, before_ms: int, horizon: tuple[int, str] | None) -> None:
        """Let go of plans that no profile stands under. The queue is past all that is due before `before_ms`."""
        while len(self.plans) > 1:
            ordinals = iter(self.plans)
            oldest, following = next(ordinals), next(ordinals)
            t_ms = self.plans[following].t_ms
            complete = horizon is None or horizon > (t_ms, MAX_SUBJECT)
            if not complete or t_ms >= before_ms:
                return
            del self.plans[oldest], self._visited[oldest]


def _introduced(plan: Plan) -> tuple[Introduced, ...]:
    known = plan.introductions.items()
    return tuple(Introduced(text, segment, i.cut, i.t_ms) for (text, segment), i in known if i is not None)

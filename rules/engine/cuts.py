"""The catalogues of a partition that some profile may still stand under, and their plans.

A profile stands under the plan of the cut that it was last brought over. A plan is let go when the queue is complete
and past the instant of the cut after it: then every profile has been brought over that cut.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.engine.cut import Cut, Introduced, Made
from rules.engine.past import FIRST_CUT
from rules.engine.pending import Introduction
from rules.engine.plan import Plan, make_plan
from rules.engine.profile import Profile

MAX_SUBJECT: Final = "\U0010ffff" * 4
"""Sorts after every subject: its kind never begins with four of the last code points."""


class Cuts:
    """The plans by the ordinal of their cut, oldest first."""

    __slots__ = ("_anew", "_filled", "_made", "current", "plans")

    def __init__(self, *, filled: bool) -> None:
        """`filled`: the history of new conditions is at hand, so nothing is pending."""
        self.plans: dict[int, Plan] = {}
        self.current: Plan | None = None
        """The plan in force; None before the first catalogue."""
        self._filled = filled
        self._made: dict[int, int] = {}
        """By ordinal of each cut that was made so far, ends of fills left out: its instant."""
        self._anew: dict[int, tuple[str, ...] | None] = {}
        """By ordinal of each of these cuts but the first: the traits that its dictionary declared anew."""

    def enforce(self, catalogue: Catalogue, t_ms: int) -> None:
        """Put a catalogue into force at `t_ms`."""
        self._add(Cut(self.current.ordinal + 1 if self.current is not None else 1, t_ms, catalogue.hash), catalogue)

    def fill(self, cut_ms: int, since_ms: int | None, t_ms: int) -> bool:
        """End the fill of the cut at `cut_ms`, at `t_ms`; False: there is no such cut, or that moves nothing.

        `since_ms`: the instant from which on the log was whole; None: it was whole.
        """
        current = self.current
        if current is None:
            return False
        since_ms = None if since_ms is None else min(since_ms, cut_ms)
        moved = tuple(
            Made(cut, cut_ms, True, since_ms)
            for cut in self.named(cut_ms)
            if cut not in current.fills or _further_back(since_ms, current.fills[cut])
        )
        if moved:
            end = Cut(current.ordinal + 1, t_ms, current.catalogue.hash, fills=moved)
            self._add(end, current.catalogue)
        return bool(moved)

    def name_first(self, t_ms: int) -> None:
        """Say at which instant the first cut was made, where that was not known when it was."""
        self._made[min(self._made)] = t_ms

    @property
    def first_ms(self) -> int:
        """The instant of the first cut. There is one."""
        return self._made[min(self._made)]

    def named(self, cut_ms: int) -> tuple[int, ...]:
        """Return the ordinals of the cuts that were made at an instant."""
        return tuple(cut for cut, t_ms in self._made.items() if t_ms == cut_ms)

    def anew(self, cut_ms: int, traits: Set[str]) -> Mapping[int, Set[str]]:
        """Return by ordinal of each cut that was made at an instant: which of these traits it declared anew.

        Of a cut that an earlier version checkpointed that is not known: it declared all of them anew.
        """
        found = {cut: self._anew.get(cut, ()) for cut in self.named(cut_ms)}
        return {cut: traits if anew is None else traits & {*anew} for cut, anew in found.items()}

    def resume(self, cuts: Sequence[Cut], catalogues: Mapping[str, Catalogue]) -> None:
        """Take up the cuts of a checkpoint, oldest first. Raises KeyError for a catalogue that is not given."""
        for cut in cuts:
            self._add(cut, catalogues[cut.catalogue])

    def _add(self, cut: Cut, catalogue: Catalogue) -> None:
        old = self.current
        known = {} if old is None else old.fills
        fills = {each.cut: each.since_ms for each in (*cut.made, *cut.fills) if each.filled}
        # an earlier version kept the introductions only
        self._made |= {each.cut: each.t_ms for each in cut.introductions}
        self._made |= {each.cut: each.t_ms for each in cut.made}
        self._anew |= {each.cut: each.traits for each in cut.made}
        # the oldest cut kept may be the end of a fill, whose `fills` are not kept; but `made` names every cut up to it
        if not cut.fills and not cut.made:
            self._made[cut.ordinal] = cut.t_ms
            self._anew[cut.ordinal] = _declared_anew(cut, catalogue, old)
        self.current = make_plan(
            catalogue,
            ordinal=cut.ordinal,
            t_ms=cut.t_ms,
            old=old,
            filled=self._filled,
            introduced={(each.condition, each.segment): Introduction(*each[2:]) for each in cut.introductions},
            fills={**known, **fills},
            ends_fill=bool(cut.fills),
            numbers={ordinal: number for number, ordinal in enumerate(sorted(self._made), 1)},
        )
        self.plans[cut.ordinal] = self.current

    def kept(self) -> tuple[Cut, ...]:
        """Return what `resume` needs: the oldest cut that a profile may stand under, and all after it."""
        oldest = next(iter(self.plans), 0)
        return tuple(
            Cut(
                ordinal,
                plan.t_ms,
                plan.catalogue.hash,
                _introduced(plan) if ordinal == oldest else (),
                self._made_up_to(plan) if ordinal == oldest else (),
                self._filled_by(plan) if ordinal != oldest and plan.ends_fill else (),
            )
            for ordinal, plan in self.plans.items()
        )

    def _made_up_to(self, plan: Plan) -> tuple[Made, ...]:
        return tuple(
            Made(cut, t_ms, cut in plan.fills, plan.fills.get(cut), self._anew.get(cut, ()))
            for cut, t_ms in sorted(self._made.items())
            if cut <= plan.ordinal
        )

    def _filled_by(self, plan: Plan) -> tuple[Made, ...]:
        before = self.plans[plan.ordinal - 1].fills
        return tuple(
            Made(cut, self._made[cut], True, since_ms)
            for cut, since_ms in plan.fills.items()
            if cut not in before or before[cut] != since_ms
        )

    def unvisited_ms(self) -> list[int]:
        """Return the instants of the cuts whose visits may not be over."""
        return [plan.t_ms for plan in self.plans.values()][1:]

    def next_of(self, profile: Profile) -> Plan | None:
        """Return the plan of the next cut that the profile has not been brought over; None: there is none."""
        if self.current is None or profile.cut == self.current.ordinal:
            return None
        return self.plans[profile.cut + 1]

    def let_go(self, before_ms: int, horizon: tuple[int, str] | None) -> None:
        """Let go of plans that no profile stands under. The queue is past all that is due before `before_ms`."""
        while len(self.plans) > 1:
            ordinals = iter(self.plans)
            oldest, following = next(ordinals), next(ordinals)
            t_ms = self.plans[following].t_ms
            complete = horizon is None or horizon > (t_ms, MAX_SUBJECT)
            if not complete or t_ms >= before_ms:
                return
            del self.plans[oldest]


def _further_back(since_ms: int | None, known_ms: int | None) -> bool:
    """Tell whether the log was whole from further back than was known; None: from its beginning."""
    return known_ms is not None and (since_ms is None or since_ms < known_ms)


def _declared_anew(cut: Cut, catalogue: Catalogue, old: Plan | None) -> tuple[str, ...] | None:
    if old is None:
        return () if cut.ordinal == FIRST_CUT else None
    return tuple(sorted(catalogue.dictionary.traits.keys() - old.catalogue.dictionary.traits.keys()))


def _introduced(plan: Plan) -> tuple[Introduced, ...]:
    known = plan.introductions.items()
    return tuple(Introduced(text, segment, i.cut, i.t_ms) for (text, segment), i in known if i is not None)

"""One evaluation of one profile at one instant: which segments and activations change, and why.

An evaluation visits, in order of rank and id, only the segments that something moved: conditions of the event's type,
traits it set, wakes that are due, memberships changed earlier in the same evaluation. A segment changes at most once in
it; where it changed, the next millisecond is looked at as well, since every millisecond counts as evaluated. The
activations that something moved come last, all together; they move no segment.
"""

from collections.abc import Mapping
from typing import Final

from rules.conditions.view import Mark, View
from rules.engine.activations.decide import deactivate_all, decide
from rules.engine.change import AnyChange, Reason, membership_change
from rules.engine.first_wake import find_first, set_wake, set_wakes
from rules.engine.membership import NEW_EVIDENCE_AFTER, admits, deciding_leaves, judge, view_of_enter
from rules.engine.persons.taking_over import Taken
from rules.engine.plan import Plan, all_of
from rules.engine.profile import Profile
from rules.engine.segment_plan import Gone, SegmentPlan
from rules.engine.sleeping import awake
from rules.engine.stay import Stay
from rules.ground.instants import FOREVER
from rules.ground.tuples import new

MERGED: Final = "merged"
"""Why a subject leaves that stands for another now, and why the other has its stays."""


class Evaluation:
    """One evaluation of one profile at one instant: its changes, in order."""

    __slots__ = ("changes", "events", "generation", "now_mark", "plan", "profile", "t_ms", "taken")

    def __init__(self, profile: Profile, plan: Plan, t_ms: int, generation: str, events: tuple[str, ...] = ()) -> None:
        self.profile = profile
        self.plan = plan
        self.t_ms = t_ms
        self.generation = generation
        self.events = events
        self.changes: list[AnyChange] = []
        self.now_mark = new(Mark, (profile.latest_ms, profile.arrivals, plan.ordinal))
        self.taken: Mapping[str, Stay] = {}
        """By segment: the stays of a subject that became an alias, which the profile may take over."""

    def take_over(self, taken: Taken) -> list[AnyChange]:
        """Judge everything, the stays of a subject that became an alias among it (docs/language.md, Taking over).

        Segments that sleep are left out: their entry rules do not hold. But a stay in one of them may be taken over.
        """
        self.taken = {name: stay for name, stay in taken.stays.items() if stay.member}
        mask = awake(self.profile, self.plan, all_of(self.plan))
        for name in self.taken:
            mask |= self.plan.wake_bits.get(name, 0)
        return self.run(mask)

    def leave(self, kind: str) -> list[AnyChange]:
        """Leave everything: the profile is not known any more. No last exit is kept of it, and no wake."""
        profile, segments, by_id = self.profile, self.plan.governing(self.profile), self.plan.by_id
        stays = profile.stays
        for position in sorted(by_id[name].position for name, stay in stays.items() if stay.member and name in by_id):
            plan = segments[position]
            stay = stays[plan.id]
            self._change(plan, False, Reason(kind, (), self.events))
            stay.member, stay.entry_mark = False, None
        self.changes += deactivate_all(self.plan, profile, self.t_ms, self.generation, self.events, kind)
        profile.wakes.clear()
        profile.wake_ms = FOREVER
        profile.mask_cut = -1
        return self._end()

    def run(self, mask: int, *, backfill: bool = False) -> list[AnyChange]:
        """Visit the segments of a mask and the segments that their changes move, then decide the activations moved.

        `backfill`: it is the visit at the end of a fill, so who enters does so because history was filled in.
        """
        rest = self._visit_all(mask, backfill=backfill)
        if rest:
            self._decide(rest)
        return self._end()

    def run_cut(self, mask: int) -> list[AnyChange]:
        """Make the visit of a cut: the segments that are gone, those of a mask and those that their changes move.

        Then every activation.
        """
        if self.plan.only_segments:
            self._visit_all(self._without_waiting(mask) & ~self.plan.activations_mask, at_cut=True)
        else:
            for each in self.plan.visits:
                if isinstance(each, Gone):
                    self._retire(each)
                elif each.position in self.plan.crossings:
                    mask |= self._cross(each)
                elif mask >> each.position & 1:
                    mask |= self.visit(each, at_cut=each.changed)
        if self.plan.activations_mask or self.plan.activations_before.by_id:
            self._decide(self.plan.activations_mask, at_cut=True)
        return self._end()

    def _without_waiting(self, mask: int) -> int:
        """Visit the segments that wait for history from this cut on, all at once; return the mask of the others.

        The profile was never in, and they have no verdict for it: each visit would set the wake that the plan knows.
        """
        plan, profile = self.plan, self.profile
        if not plan.waiting or mask & plan.waiting_mask != plan.waiting_mask:
            return mask
        was_known = profile.born_ms < plan.t_ms and not profile.lacking
        if not was_known or not plan.waiting.keys().isdisjoint(profile.stays):
            return mask
        profile.blocked_mask &= ~plan.waiting_mask
        set_wakes(profile, plan.waiting)
        profile.first_mask |= plan.waiting_mask
        profile.second_mask |= plan.waiting_mask
        return mask ^ plan.waiting_mask

    def _visit_all(self, mask: int, *, at_cut: bool = False, backfill: bool = False) -> int:
        """Visit the segments of a mask and those that their changes move; return the mask of the activations moved.

        `at_cut`: it is the visit of a cut.
        """
        profile = self.profile
        segments = self.plan.governing(profile)
        count = len(segments)
        stays, wakes = profile.stays, profile.wakes
        view: View | None = None  # what the entry rule sees of any segment that the profile was never in
        while mask:
            lowest = mask & -mask
            position = lowest.bit_length() - 1
            if position >= count:
                break
            mask ^= lowest
            plan = segments[position]
            if plan.id not in stays and plan.id not in self.taken:
                # never in, and most visits end here: what `judge` would find, without its detours
                if not admits(plan, profile):
                    next_ms = FOREVER
                else:
                    if view is None:
                        view = view_of_enter(plan, profile, None, self.t_ms)
                    verdict, next_ms = plan.enter.verdict(view)
                    if verdict is True:
                        mask |= self.visit(plan, at_cut=at_cut and plan.changed, backfill=backfill)
                        continue
                if profile.blocked_mask:
                    profile.blocked_mask &= ~lowest
                if next_ms < FOREVER or plan.id in wakes:
                    set_wake(profile, plan.id, next_ms)
                    profile.first_mask |= lowest
                    profile.second_mask |= lowest
            else:
                mask |= self.visit(plan, at_cut=at_cut and plan.changed, backfill=backfill)
        return mask

    def _cross(self, plan: SegmentPlan) -> int:
        """Visit a segment that is a pilot before the cut or after it, under the version that governs the profile.

        Returns the mask of what its change moves.
        """
        pilot, profile = self.plan.pilots.get(plan.position), self.profile
        governing = plan if pilot is None else pilot.of(profile)
        if pilot is not None and pilot.ungoverned(governing):
            self._retire(governing)
            profile.members_mask &= ~(1 << plan.position)
            return self.plan.dependents.get(plan.id, 0)
        return self.visit(governing, at_cut=self.plan.crossings[plan.position].changes(profile))

    def _decide(self, mask: int, *, at_cut: bool = False) -> None:
        view = View(self.t_ms, self.profile)
        self.changes += decide(self.plan, self.profile, view, mask, self.generation, self.events, at_cut=at_cut)

    def visit(self, plan: SegmentPlan, *, at_cut: bool = False, backfill: bool = False) -> int:
        """Judge one segment and carry it out; returns the mask of what its change moves.

        `at_cut`: the cut changed the segment. `backfill`: who enters does so because history was filled in.
        """
        moved = 0
        if plan.id in self.taken and self._take_over(plan, self.taken[plan.id]):
            kind, next_ms, rearms = None, self._peek(plan), False
            moved = self.plan.dependents.get(plan.id, 0)
        else:
            kind, next_ms, rearms = judge(plan, self.profile, self.t_ms, self.now_mark, at_cut=at_cut)
        if kind is not None:
            self._carry_out(plan, kind, at_cut, at_cut or backfill)
            moved = self.plan.dependents.get(plan.id, 0)
            next_ms = self._peek(plan)
        elif rearms:
            self.profile.stays[plan.id].disarmed = False
            next_ms = self._peek(plan)
        profile, bit = self.profile, 1 << plan.position
        if not profile.members_mask & bit:
            profile.blocked_mask |= bit
        profile.first_mask |= bit
        profile.second_mask |= bit
        set_wake(profile, plan.id, next_ms)
        return moved

    def _take_over(self, plan: SegmentPlan, theirs: Stay) -> bool:
        """Judge a stay that another had as the profile's own; tell whether it has that stay now.

        If exit_rule or max_stay makes it leave, that counts as an exit of its own, without a change.
        """
        profile = self.profile
        stay = profile.stays.get(plan.id)
        pilot = self.plan.pilots.get(plan.position)
        ungoverned = pilot is not None and pilot.ungoverned(plan)
        if (stay is not None and stay.member) or ungoverned or not admits(plan, profile):
            return False
        if stay is None:
            stay = profile.stays[plan.id] = Stay()
        stay.member, stay.since_ms, stay.entry_mark = True, theirs.since_ms, theirs.entry_mark
        kind, _, rearms = judge(plan, profile, self.t_ms, self.now_mark)
        if kind is None:
            self._change(plan, True, Reason(MERGED, (), self.events))
            profile.members_mask |= 1 << plan.position
            if rearms:
                stay.disarmed = False
            return True
        if kind in NEW_EVIDENCE_AFTER:
            self._leave(stay)
            self._disarm(plan, stay)
        else:
            stay.member, stay.entry_mark = False, None
        return False

    def _peek(self, plan: SegmentPlan) -> int:
        """Return when to look again after a change: the next millisecond, if an evaluation then would decide something.

        Also if another evaluation now would: an event of the same instant looks at what is due a millisecond later.
        """
        kind, _, rearms = judge(plan, self.profile, self.t_ms, self.now_mark)
        if kind is not None or rearms:
            return self.t_ms + 1
        kind, next_ms, rearms = judge(plan, self.profile, self.t_ms + 1, self.now_mark)
        return self.t_ms + 1 if kind is not None or rearms else next_ms

    def _carry_out(self, plan: SegmentPlan, kind: str, at_cut: bool, backfill: bool) -> None:
        stay = self.profile.stays.get(plan.id)
        if stay is None:
            stay = self.profile.stays[plan.id] = Stay()
        deciding = deciding_leaves(plan, kind, self.profile, stay, self.t_ms)
        if kind == "entry_rule":
            self._change(plan, True, Reason(kind, deciding, self.events), backfill)
            stay.member, stay.since_ms, stay.entry_mark = True, self.t_ms, self.now_mark
            self.profile.members_mask |= 1 << plan.position
            return
        reason = Reason("definition_changed" if at_cut or kind == "audience" else kind, deciding, self.events)
        self._change(plan, False, reason)
        self._leave(stay)
        self.profile.members_mask &= ~(1 << plan.position)
        if reason.kind in NEW_EVIDENCE_AFTER:
            self._disarm(plan, stay)

    def _disarm(self, plan: SegmentPlan, stay: Stay) -> None:
        """Mark an exit after which a segment that forgets asks for new evidence."""
        stay.exit_mark, stay.marked_ms, stay.disarmed = self.now_mark, None, True
        if plan.forgets:
            view = view_of_enter(plan, self.profile, stay, self.t_ms)
            stay.disarmed = plan.enter.verdict(view)[0] is not False

    def _retire(self, gone: Gone | SegmentPlan) -> None:
        stay = self.profile.stays.get(gone.id)
        set_wake(self.profile, gone.id, FOREVER)
        if stay is not None and stay.member:
            governed = gone.governing(self.profile) if isinstance(gone, Gone) and gone.governing is not None else gone
            self._change(governed, False, Reason("retired", (), self.events))
            self._leave(stay)

    def _leave(self, stay: Stay) -> None:
        if stay.exit_mark is not None and stay.marked_ms is None:
            stay.marked_ms = stay.last_exit_ms
        stay.member, stay.last_exit_ms, stay.entry_mark = False, self.t_ms, None

    def _change(self, plan: SegmentPlan | Gone, entered: bool, reason: Reason, backfill: bool = False) -> None:
        self.profile.sequence += 1
        self.changes.append(
            membership_change(
                generation=self.generation,
                subject=self.profile.subject,
                segment=plan.id,
                version=plan.version,
                entered=entered,
                sequence=self.profile.sequence,
                effective_ms=self.t_ms,
                reason=reason,
                layers=plan.layers,
                backfill=backfill,
                restricted=plan.restricted,
            )
        )

    def _end(self) -> list[AnyChange]:
        profile = self.profile
        profile.evaluated_ms = self.t_ms
        find_first(profile)
        return self.changes

"""Step a profile: fold an event, evaluate at an instant, bring it over a cut. Pure but for the profile handed in.

An evaluation visits, in order of rank and id, only the segments that something moved: conditions of the event's type,
traits it set, wakes that are due, memberships changed earlier in the same evaluation. A segment changes at most once in
it; where it changed, the next millisecond is looked at as well, since every millisecond counts as evaluated. The
activations that something moved come last, all together; they move no segment.
"""

from collections.abc import Iterable
from typing import NamedTuple

from rules.conditions.consent import CONSENT_EVENTS, fold_consent
from rules.conditions.view import Mark, Register, View
from rules.engine.activations.decide import decide
from rules.engine.change import AnyChange, Reason, membership_change
from rules.engine.membership import NEW_EVIDENCE_AFTER, admits, deciding_leaves, judge, view_of_enter
from rules.engine.plan import Gone, Plan, SegmentPlan
from rules.engine.profile import Profile, Stay
from rules.ground.event import Event
from rules.ground.instants import FOREVER


class Seen(NamedTuple):
    """An event as a profile took it in: for filling the history of conditions that come later."""

    event: Event
    arrival: int
    r_ms: int


class Evaluation:
    """One evaluation of one profile at one instant: its changes, in order."""

    __slots__ = ("changes", "events", "generation", "now_mark", "plan", "profile", "t_ms")

    def __init__(self, profile: Profile, plan: Plan, t_ms: int, generation: str, events: tuple[str, ...] = ()) -> None:
        self.profile = profile
        self.plan = plan
        self.t_ms = t_ms
        self.generation = generation
        self.events = events
        self.changes: list[AnyChange] = []
        self.now_mark = Mark(profile.latest_ms, profile.arrivals, plan.ordinal)

    def run(self, mask: int) -> list[AnyChange]:
        """Visit the segments of a mask and those that their changes move, then decide the activations moved."""
        segments, profile = self.plan.segments, self.profile
        count = len(segments)
        stays, wakes = profile.stays, profile.wakes
        view: View | None = None  # that of every entry rule of a segment which the profile was never in
        while mask:
            lowest = mask & -mask
            position = lowest.bit_length() - 1
            if position >= count:
                self._decide(mask)
                break
            mask ^= lowest
            plan = segments[position]
            if plan.id not in stays:
                # never in, and most visits end here: what `judge` would find, without its detours
                if not admits(plan, profile):
                    next_ms = FOREVER
                else:
                    if view is None:
                        view = view_of_enter(plan, profile, None, self.t_ms)
                    verdict, next_ms = plan.enter.verdict(view)
                    if verdict is True:
                        mask |= self.visit(plan)
                        continue
                profile.blocked_mask &= ~lowest
                if next_ms < FOREVER:
                    wakes[plan.id] = next_ms
                elif plan.id in wakes:
                    del wakes[plan.id]
            else:
                mask |= self.visit(plan)
        return self._end()

    def run_cut(self) -> list[AnyChange]:
        """Visit every segment of the plan and those gone, then every activation: a cut's visit."""
        for each in self.plan.visits:
            if isinstance(each, Gone):
                self._retire(each)
            else:
                self.visit(each, at_cut=each.changed)
        if self.plan.activations_mask or self.plan.activations_before:
            self._decide(self.plan.activations_mask, at_cut=True)
        return self._end()

    def _decide(self, mask: int, *, at_cut: bool = False) -> None:
        view = View(self.t_ms, self.profile)
        self.changes += decide(self.plan, self.profile, view, mask, self.generation, self.events, at_cut=at_cut)

    def visit(self, plan: SegmentPlan, *, at_cut: bool = False) -> int:
        """Judge one segment and carry it out; returns the mask of what its change moves."""
        wakes = self.profile.wakes
        kind, next_ms, rearms = judge(plan, self.profile, self.t_ms, self.now_mark, at_cut=at_cut)
        moved = 0
        if kind is not None:
            self._carry_out(plan, kind, at_cut)
            moved = self.plan.dependents.get(plan.id, 0)
            next_ms = self._peek(plan)
        elif rearms:
            self.profile.stays[plan.id].disarmed = False
            next_ms = self._peek(plan)
        if not self.profile.members_mask >> plan.position & 1:
            self.profile.blocked_mask |= 1 << plan.position
        if next_ms < FOREVER:
            wakes[plan.id] = next_ms
        elif plan.id in wakes:
            del wakes[plan.id]
        return moved

    def _peek(self, plan: SegmentPlan) -> int:
        """When to look again after a change: the next millisecond, if it would decide something.

        Or if another evaluation now would: an event of the same instant looks at what is due a millisecond later.
        """
        kind, _, rearms = judge(plan, self.profile, self.t_ms, self.now_mark)
        if kind is not None or rearms:
            return self.t_ms + 1
        kind, next_ms, rearms = judge(plan, self.profile, self.t_ms + 1, self.now_mark)
        return self.t_ms + 1 if kind is not None or rearms else next_ms

    def _carry_out(self, plan: SegmentPlan, kind: str, at_cut: bool) -> None:
        stay = self.profile.stays.get(plan.id)
        if stay is None:
            stay = self.profile.stays[plan.id] = Stay()
        deciding = deciding_leaves(plan, kind, self.profile, stay, self.t_ms)
        if kind == "entry_rule":
            self._change(plan, True, Reason(kind, deciding, self.events), at_cut)
            stay.member, stay.since_ms, stay.entry_mark = True, self.t_ms, self.now_mark
            self.profile.members_mask |= 1 << plan.position
            return
        reason = Reason("definition_changed" if at_cut else kind, deciding, self.events)
        self._change(plan, False, reason)
        self._leave(stay)
        self.profile.members_mask &= ~(1 << plan.position)
        if reason.kind in NEW_EVIDENCE_AFTER:
            stay.exit_mark, stay.disarmed = self.now_mark, True
            if plan.forgets:
                view = view_of_enter(plan, self.profile, stay, self.t_ms)
                stay.disarmed = plan.enter.verdict(view)[0] is not False

    def _retire(self, gone: Gone) -> None:
        stay = self.profile.stays.get(gone.id)
        self.profile.wakes.pop(gone.id, None)
        if stay is not None and stay.member:
            self._change(gone, False, Reason("retired", (), self.events))
            self._leave(stay)

    def _leave(self, stay: Stay) -> None:
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
        profile.wake_ms = min(profile.wakes.values(), default=FOREVER)
        return self.changes


def wake(profile: Profile, plan: Plan, t_ms: int, generation: str) -> list[AnyChange]:
    """Evaluate at a wake: all of the profile whose wake is due at t_ms."""
    if profile.mask_cut != plan.ordinal:
        _find_masks(profile, plan)
    return Evaluation(profile, plan, t_ms, generation).run(_due(profile, plan, t_ms))


def apply_event(
    profile: Profile | None, plan: Plan, event: Event, known: int, r_ms: int, generation: str
) -> tuple[Profile, list[AnyChange]]:
    """Fold an event that the profile does not know yet, and evaluate the profile at R.

    Returns the profile (None given: a new one) and its changes. `known` is the event's identity
    (`rules.ground.digest.identity`). The profile's own wakes before r_ms must have fired, and it must have been brought
    over to `plan`.
    """
    if profile is None:
        profile = Profile(event.subject, plan.ordinal, event.time_ms, r_ms)
        profile.mask_cut = plan.ordinal
        profile.asleep_mask = plan.needing_mask
        mask = plan.fresh_mask
    else:
        mask = 0
    profile.remember(known, r_ms)
    profile.arrivals += 1
    if event.time_ms > profile.latest_ms:
        profile.latest_ms = event.time_ms
    elif event.time_ms < profile.known_since_ms:
        profile.known_since_ms = event.time_ms
        mask |= plan.known_since_mask
    if profile.mask_cut != plan.ordinal:
        _find_masks(profile, plan)
    mask |= _fold(profile, plan, event, r_ms)
    mask &= ~profile.asleep_mask
    if profile.wake_ms <= r_ms + 1:
        # due a millisecond later: a change at r_ms itself, at a cut or by the event before, left it something to decide
        mask |= _due(profile, plan, r_ms + 1)
    if not mask:
        profile.evaluated_ms = r_ms
        return profile, []
    return profile, Evaluation(profile, plan, r_ms, generation, (f"{event.source} {event.id}",)).run(mask)


def bring_over(profile: Profile, plan: Plan, generation: str, history: Iterable[Seen] | None) -> list[AnyChange]:
    """Bring a profile over the cut that began `plan`: evaluate it once at the cut's instant.

    States of conditions that are gone are dropped; new ones start from `history` where it is given, else from what
    the profile itself still knows: the last setting of each trait, which stands on after the cut, and the state of the
    same definition in another place.
    """
    kept = {key: state for key, state in profile.states.items() if key in plan.states}
    for key, counter in plan.counters_before.items():
        if key not in kept:
            continue
        if history is not None:
            del kept[key]  # its windows may reach further back than before
        else:
            kept[key] = counter.prune(kept[key], plan.t_ms)  # what is known does not depend on when it was packed
    for key in plan.states.keys() - kept.keys():
        state = _begun(plan, key, profile) if history is None else _filled(plan, key, history)
        if state is not None:
            kept[key] = state
    profile.states = kept
    profile.cut = plan.ordinal
    _find_masks(profile, plan)
    return Evaluation(profile, plan, plan.t_ms, generation).run_cut()


def _due(profile: Profile, plan: Plan, t_ms: int) -> int:
    mask = 0
    for name, due_ms in profile.wakes.items():
        if due_ms <= t_ms:
            mask |= plan.wake_bits[name]
    return mask


def _fold(profile: Profile, plan: Plan, event: Event, r_ms: int) -> int:
    """Fold an event into registers and condition states; returns the mask of what it can move.

    A state that only an exit rule looks at moves nobody who is out, unless that rule may be what keeps him out; one
    that only an entry rule looks at moves no member of a segment with an exit rule. A setting that repeats the value
    moves no condition that keeps no state of settings: those look at nothing but the value and the instant.
    """
    mask = enter_mask = exit_mask = 0
    states, arrival = profile.states, profile.arrivals
    for trait, value in event.sets:
        setting = Register(event.time_ms, event.source, event.id, value)
        known = profile.traits.get(trait)
        if known is None or known[:3] < setting[:3]:
            profile.traits[trait] = setting
            if known is None or known.value != value or known.value.__class__ is not value.__class__:
                mask |= plan.trait_masks.get(trait, 0)
        for fold in plan.setting_folds.get(trait, ()):
            state = states.get(fold.state_key)
            moved = fold.memory.fold_setting(state, trait, setting, arrival, r_ms)
            if moved is not state:
                states[fold.state_key] = moved
                enter_mask |= fold.enter_mask
                exit_mask |= fold.exit_mask
    if event.type in CONSENT_EVENTS and fold_consent(profile.consents, event):
        mask |= plan.consent_mask
    for fold in plan.folds.get(event.type, ()):
        state = states.get(fold.state_key)
        memory = fold.memory
        moved = memory.fold(state, event, arrival, r_ms)
        if moved is not state:
            states[fold.state_key] = moved
            if not memory.inert(moved):
                enter_mask |= fold.enter_mask
                exit_mask |= fold.exit_mask
                if fold.needed_mask & profile.asleep_mask:
                    _awaken(profile, plan, fold.needed_mask & profile.asleep_mask)
    members = profile.members_mask
    enter_mask &= ~(members & plan.with_exit_mask) | profile.rearming_mask
    return mask | enter_mask | (exit_mask & (members | profile.blocked_mask))


def _find_masks(profile: Profile, plan: Plan) -> None:
    """Find which segments a profile is in; of the rest each may be blocked by its exit rule until it was visited."""
    members = rearming = 0
    for name, stay in profile.stays.items():
        if stay.member and name in plan.by_id:
            bit = 1 << plan.by_id[name].position
            members |= bit
            rearming |= bit if stay.disarmed else 0
    asleep = plan.needing_mask
    for name in (*profile.stays, *profile.wakes):
        asleep &= ~plan.wake_bits.get(name, 0)
    profile.asleep_mask = asleep
    needed = 0
    for key, state in profile.states.items():
        mask = plan.needed_masks.get(key, 0)
        if mask and not plan.states[key].inert(state):
            needed |= mask
    _awaken(profile, plan, needed & asleep)
    profile.members_mask = members
    profile.rearming_mask = rearming
    profile.blocked_mask = plan.with_exit_mask & ~members
    profile.mask_cut = plan.ordinal


def _awaken(profile: Profile, plan: Plan, mask: int) -> None:
    """Wake those of the segments of a mask that no longer need a state which is inert."""
    states, conditions, needs = profile.states, plan.states, plan.needs
    while mask:
        lowest = mask & -mask
        mask ^= lowest
        if not any(conditions[key].inert(states.get(key)) for key in needs[lowest.bit_length() - 1]):
            profile.asleep_mask &= ~lowest


def _begun(plan: Plan, key: str, profile: Profile) -> object:
    condition = plan.states[key]
    known = profile.states.get(condition.kin_key) if condition.kin_key is not None else None
    state = None if known is None else condition.adopt(known)
    for trait in condition.traits:
        register = profile.traits.get(trait)
        if register is not None:
            state = condition.fold_setting(state, trait, register, profile.arrivals, plan.t_ms)
    return state


def _filled(plan: Plan, key: str, history: Iterable[Seen]) -> object:
    condition = plan.states[key]
    settings = any(fold.state_key == key for folds in plan.setting_folds.values() for fold in folds)
    state = None
    for event, arrival, r_ms in history:
        if event.type in condition.types:
            state = condition.fold(state, event, arrival, r_ms)
        if settings:
            for trait, value in event.sets:
                if trait in condition.traits:
                    setting = Register(event.time_ms, event.source, event.id, value)
                    state = condition.fold_setting(state, trait, setting, arrival, r_ms)
    return state

"""The membership of one profile in one segment: what an evaluation decides (docs/language.md, In and out).

`judge` looks and changes nothing; `rules.engine.evaluation` carries out what it decided.
"""

from typing import Final, TypeAlias

from rules.catalogue.logic import leaves
from rules.conditions.base import Node
from rules.conditions.view import Mark, View, enter_view, exit_view
from rules.engine.profile import Profile
from rules.engine.segment_plan import SegmentPlan
from rules.engine.stay import Stay
from rules.ground.instants import FOREVER

NEW_EVIDENCE_AFTER: Final = frozenset({"exit_rule", "max_stay"})
"""Exits after which a segment that forgets asks for new evidence."""

LEAVES_OF: Final = {"entry_rule": ("enter", True), "exit_rule": ("exit", True), "entry_lost": ("enter", False)}
"""Which rule decided, and whether its leaves that hold or those that do not are the reason."""


Judgement: TypeAlias = tuple[str | None, int, bool]
"""What an evaluation decides about one segment: kind, next instant, whether entry is armed again.

The kind: `entry_rule`, an exit reason, `audience` (at a cut, or under the other version of a pilot: the audience does
not admit), or None: stays as it is. The instant: the next at which to look again, were nothing changed now.
"""

_NOTHING: Final[Judgement] = (None, FOREVER, False)


def judge(plan: SegmentPlan, profile: Profile, t_ms: int, now_mark: Mark, *, at_cut: bool = False) -> Judgement:
    """Decide about one segment at an instant. Reads plan and profile, changes nothing.

    `now_mark`: the mark that a change now would get. `at_cut`: it is the visit of a cut that changed this segment.
    """
    stay = profile.stays.get(plan.id)
    if stay is not None and stay.member:
        return _judge_member(plan, profile, stay, t_ms, at_cut)
    return _judge_outsider(plan, profile, stay, t_ms, now_mark)


def _judge_member(plan: SegmentPlan, profile: Profile, stay: Stay, t_ms: int, at_cut: bool) -> Judgement:
    next_ms = FOREVER
    if plan.refuse:
        holds, next_ms = _refused(plan, profile, t_ms)
        if holds:
            return ("restricted", FOREVER, False)
    if plan.parent is not None and profile.member_since(plan.parent) is None:
        return ("parent_left", FOREVER, False)
    if plan.markets is not None and profile.trait(plan.market_trait) not in plan.markets:
        return ("market_left", FOREVER, False)
    if plan.exit is not None:
        kind, leaves_when, node = "exit_rule", True, plan.exit
        view = exit_view(t_ms, profile, stay.entry_mark, stay.since_ms)
    else:
        kind, leaves_when, node = "entry_lost", False, plan.enter
        view = view_of_enter(plan, profile, stay, t_ms)
    verdict, flip_ms = node.verdict(view)
    if flip_ms < next_ms:
        next_ms = flip_ms
    if verdict is leaves_when:
        held_until_ms = stay.since_ms + plan.min_stay_ms
        if t_ms >= held_until_ms or at_cut:
            return (kind, FOREVER, False)
        next_ms = min(next_ms, held_until_ms)
    if plan.max_stay_ms is not None:
        end_ms = stay.since_ms + plan.max_stay_ms
        if t_ms >= end_ms:
            return ("max_stay", FOREVER, False)
        next_ms = min(next_ms, end_ms)
    if (at_cut or plan.audience_may_move) and plan.audience is not None and profile.kind != plan.audience:
        return ("audience", FOREVER, False)
    if stay.disarmed and plan.forgets:
        # let in while the segment did not forget, for a time: it is armed again as if the profile were out
        verdict, flip_ms = plan.enter.verdict(view_of_enter(plan, profile, stay, t_ms))
        return (None, min(next_ms, flip_ms), verdict is False)
    return (None, next_ms, False)


def _judge_outsider(plan: SegmentPlan, profile: Profile, stay: Stay | None, t_ms: int, now_mark: Mark) -> Judgement:
    if plan.forgets and stay is not None and stay.disarmed:
        # armed again by an evaluation at which enter does not hold, whatever parent, audience and market say
        verdict, next_ms = plan.enter.verdict(view_of_enter(plan, profile, stay, t_ms))
        return (None, next_ms, verdict is False)
    if not admits(plan, profile):
        return _NOTHING
    if stay is not None and stay.last_exit_ms is not None and plan.reenter_after_ms is not None:
        again_ms = min(stay.last_exit_ms + plan.reenter_after_ms, FOREVER)
        if t_ms < again_ms:
            return (None, again_ms, False)
    verdict, next_ms = plan.enter.verdict(view_of_enter(plan, profile, stay, t_ms))
    if verdict is not True:
        return _NOTHING if next_ms >= FOREVER else (None, next_ms, False)
    refused, next_ms = _refused(plan, profile, t_ms)
    if refused:
        return (None, next_ms, False)
    if plan.exit is not None:
        verdict, next_ms = plan.exit.verdict(exit_view(t_ms, profile, now_mark, None))
        if verdict is not False:
            return (None, next_ms, False)
    return ("entry_rule", FOREVER, False)


def admits(plan: SegmentPlan, profile: Profile) -> bool:
    """Tell whether audience, parent and market admit a profile."""
    if plan.audience is not None and profile.kind != plan.audience:
        return False
    if plan.parent is not None and profile.member_since(plan.parent) is None:
        return False
    return plan.markets is None or profile.trait(plan.market_trait) in plan.markets


def view_of_enter(plan: SegmentPlan, profile: Profile, stay: Stay | None, t_ms: int) -> View:
    """Return what the entry rule of a segment sees of a profile."""
    return enter_view(t_ms, profile, stay.exit_mark if stay is not None and plan.forgets else None)


def deciding_leaves(plan: SegmentPlan, kind: str, profile: Profile, stay: Stay, t_ms: int) -> tuple[str, ...]:
    """Return the paths of the leaves of the deciding rule that hold (entry_lost: that do not), in document order.

    Under an odd number of `none` it is the other way round. `stay` is as it was before the change.
    """
    deciding = LEAVES_OF.get(kind)
    if deciding is None:
        return ()
    rule, wanted = deciding
    node: Node | None
    if rule == "enter":
        node, view = plan.enter, view_of_enter(plan, profile, stay, t_ms)
    else:
        node, view = plan.exit, exit_view(t_ms, profile, stay.entry_mark, stay.since_ms)
    if node is None:
        return ()
    return tuple(path for path, leaf, negated in leaves(node, rule) if leaf.verdict(view)[0] is (wanted is not negated))


def _refused(plan: SegmentPlan, profile: Profile, t_ms: int) -> tuple[bool, int]:
    """Tell whether a restriction refuses the profile, and when that may change with no event."""
    next_ms = FOREVER
    if not plan.refuse:
        return False, next_ms
    view = View(t_ms, profile)
    for node in plan.refuse:
        verdict, flip_ms = node.verdict(view)
        if verdict:
            return True, flip_ms
        next_ms = min(next_ms, flip_ms)
    return False, next_ms

"""Say what the rules of a segment said at the evaluation that changed a membership, in that version's words."""

from dataclasses import dataclass

from rules.conditions.view import Mark, exit_view
from rules.engine.change import Change
from rules.engine.membership import view_of_enter
from rules.engine.plan import Plan
from rules.engine.profile import Profile
from rules.engine.stay import Stay
from rules.explain.segments import Leaf, told_leaves


@dataclass(frozen=True, slots=True)
class RulesThen:
    """The conditions of a segment's rules, each with its verdict at the change and the events that it stands on."""

    enter: tuple[Leaf, ...]
    exit: tuple[Leaf, ...]


def rules_then(change: Change, plan: Plan, before: Profile | None, after: Profile) -> RulesThen | None:
    """Return the rules that decided a change; None: the segment is not in that catalogue any more.

    `before` and `after` are the profile before and after the evaluation. Its facts are read from `after`, which knows
    the event evaluated; its stay from `before`, because the change itself moved the stay and its marks.
    """
    segment = plan.by_id.get(change.segment)
    if segment is None:
        return None
    stay = (None if before is None else before.stays.get(segment.id)) or Stay()
    t_ms = change.effective_ms
    enter = told_leaves(segment.enter, "enter", view_of_enter(segment, after, stay, t_ms), after, plan)
    if segment.exit is None:
        return RulesThen(enter, ())
    mark = stay.entry_mark if stay.member else Mark(after.latest_ms, after.arrivals, plan.ordinal)
    view = exit_view(t_ms, after, mark, stay.since_ms if stay.member else None)
    return RulesThen(enter, told_leaves(segment.exit, "exit", view, after, plan))

"""Say why a profile is in a segment, why not, and what would change it next and when.

Everything is read off the rules and the state that decide, at one instant. To find the next change that needs no event,
the profile's own wakes fire on a copy.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from rules.catalogue.logic import leaves
from rules.catalogue.pilot import Pilot
from rules.conditions.base import Condition, Node
from rules.conditions.view import Mark, View, exit_view
from rules.engine.change import Change
from rules.engine.membership import view_of_enter
from rules.engine.plan import Plan
from rules.engine.profile import Profile, unpack
from rules.engine.segment_plan import SegmentPlan
from rules.engine.stay import Stay
from rules.engine.step import wake
from rules.explain.affiliations import ToldBy, told_by
from rules.explain.persons import told_under
from rules.ground.instants import FOREVER, format_duration, format_instant

WAKES_AHEAD_MAX: Final = 1_000
"""Wakes tried on the copy before saying that nothing changes soon."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition of a rule at the instant asked about."""

    path: str
    text: str
    holds: bool | None
    """None: no verdict yet (pending)."""
    until_ms: int | None
    """Earliest instant at which that can change with no event; None: never."""
    evidence: tuple[tuple[int, str, str], ...]
    """(time_ms, source, id) of the events it stands on."""
    capped: bool
    pending: bool
    told_under: tuple[str, ...] = ()
    """The subject under which each event of the evidence was told; none: all facts of the profile are its own."""
    told_by: tuple[ToldBy | None, ...] = ()
    """The organisation that told each event; none: no organisation told any of them."""


@dataclass(frozen=True, slots=True)
class Next:
    """The next change with no new event."""

    at_ms: int
    entered: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One segment for one profile at `t_ms`."""

    segment: str
    t_ms: int
    member: bool
    since_ms: int | None
    because: tuple[str, ...]
    """Sentences: why it is so."""
    enter: tuple[Leaf, ...]
    exit: tuple[Leaf, ...]
    next: Next | None
    outside_pilot: bool = False
    """Whether it is a pilot that leaves the profile to the version before, or to nothing."""


def explain(profile: Profile, plan: Plan, t_ms: int, generation: str, segment: str | None = None) -> list[Explanation]:
    """Explain one segment, or all of the catalogue, at t_ms or the profile's last evaluation, whichever is later.

    The profile is not changed. Raises KeyError for a segment that is not approved.
    """
    ahead = copy_at(profile, plan, t_ms, generation)
    now = copy_of(ahead)
    at_ms = max(t_ms, profile.evaluated_ms)
    names = [each.id for each in plan.segments] if segment is None else [segment]
    chosen = [plan.segment_of(name, now) for name in names]
    following = _following(ahead, plan, generation, {each.id for each in chosen})
    return [_explain(now, plan, each, at_ms, following.get(each.id)) for each in chosen]


def copy_of(profile: Profile) -> Profile:
    """Copy a profile; wakes may fire on the copy."""
    found = unpack(profile.subject, profile.pack())
    if profile.person is not None:  # what its parts say together is not packed
        found.known_since_ms, found.latest_ms = profile.known_since_ms, profile.latest_ms
        found.know(dict(profile.traits), dict(profile.consents), dict(profile.states))
    return found


def copy_at(profile: Profile, plan: Plan, t_ms: int, generation: str) -> Profile:
    """Copy a profile as it stands when its wakes up to and including t_ms have fired."""
    ahead = copy_of(profile)
    while ahead.wake_ms <= t_ms:
        wake(ahead, plan, ahead.wake_ms, generation)
    return ahead


def _following(profile: Profile, plan: Plan, generation: str, wanted: set[str]) -> dict[str, Next]:
    found: dict[str, Next] = {}
    for _ in range(WAKES_AHEAD_MAX):
        if profile.wake_ms >= FOREVER or wanted <= found.keys():
            break
        for change in wake(profile, plan, profile.wake_ms, generation):
            if isinstance(change, Change):
                found.setdefault(change.segment, Next(change.effective_ms, change.entered, change.kind))
    return found


def _explain(profile: Profile, plan: Plan, segment: SegmentPlan, t_ms: int, following: Next | None) -> Explanation:
    stay = profile.stays.get(segment.id) or Stay()
    view = view_of_enter(segment, profile, stay, t_ms)
    enter = told_leaves(segment.enter, "enter", view, profile, plan)
    enter_holds = segment.enter.verdict(view)[0]
    exit_leaves: tuple[Leaf, ...] = ()
    exit_holds: bool | None = False
    if segment.exit is not None:
        mark = stay.entry_mark if stay.member else Mark(profile.latest_ms, profile.arrivals, plan.ordinal)
        seen = exit_view(t_ms, profile, mark, stay.since_ms if stay.member else None)
        exit_leaves = told_leaves(segment.exit, "exit", seen, profile, plan)
        exit_holds = segment.exit.verdict(seen)[0]
    pilot = plan.pilots.get(segment.position)
    outside = pilot is not None and segment is pilot.before
    if pilot is not None and pilot.ungoverned(segment):
        because = []
    elif stay.member:
        because = _why_in(segment, stay, t_ms, exit_holds, enter_holds)
    else:
        because = _why_out(profile, segment, stay, view, enter_holds, exit_holds)
    if pilot is not None:
        definition = plan.catalogue.approved[segment.id]
        governs = None if pilot.ungoverned(segment) else segment.version
        because.insert(0, governed_by(definition.pilot, outside, governs))
    return Explanation(
        segment.id,
        t_ms,
        stay.member,
        stay.since_ms if stay.member else None,
        tuple(because),
        enter,
        exit_leaves,
        following,
        outside,
    )


def governed_by(pilot: Pilot | None, outside: bool, version: int | None) -> str:
    """Say which version of a pilot governs a profile; `version` None: nothing does."""
    if not outside:
        return f"in the pilot ({pilot}): version {version} governs it"
    if version is None:
        return f"outside the pilot ({pilot}), and there is no version before: nothing governs it"
    return f"outside the pilot ({pilot}): the version before, {version}, governs it"


def told_leaves(node: Node, rule: str, view: View, profile: Profile, plan: Plan) -> tuple[Leaf, ...]:
    """Return the conditions of a rule with their verdicts. `profile`: the one that `view` sees."""
    return tuple(_leaf(path, leaf, view, profile, plan) for path, leaf, _ in leaves(node, rule))


def without_affiliations(told: Iterable[Leaf]) -> tuple[Leaf, ...]:
    """Return conditions for a reader who does not see affiliations."""
    return tuple(
        replace(leaf, told_by=tuple(None if by is None else replace(by, affiliations=None) for by in leaf.told_by))
        for leaf in told
    )


def _leaf(path: str, leaf: Condition, view: View, profile: Profile, plan: Plan) -> Leaf:
    holds, until_ms = leaf.verdict(view)
    evidence = tuple(leaf.evidence(view))
    return Leaf(
        path,
        leaf.describe(),
        holds,
        None if until_ms >= FOREVER else until_ms,
        evidence,
        leaf.capped(view),
        holds is None,
        told_under(profile, evidence),
        told_by(profile, plan, evidence),
    )


def _why_in(
    segment: SegmentPlan, stay: Stay, t_ms: int, exit_holds: bool | None, enter_holds: bool | None
) -> list[str]:
    because = [f"a member since {format_instant(stay.since_ms)}"]
    leaving = exit_holds if segment.exit is not None else enter_holds is False
    held_until_ms = stay.since_ms + segment.min_stay_ms
    if leaving and t_ms < held_until_ms:
        because.append(f"min_stay keeps it in until {format_instant(held_until_ms)} although it would leave now")
    elif segment.exit is not None:
        because.append("the exit rule does not hold" if exit_holds is False else "the exit rule has no verdict yet")
    else:
        because.append("the entry rule holds" if enter_holds else "the entry rule has no verdict yet")
    if segment.max_stay_ms is not None:
        because.append(f"max_stay ends at {format_instant(stay.since_ms + segment.max_stay_ms)}")
    return because


def _why_out(
    profile: Profile,
    segment: SegmentPlan,
    stay: Stay,
    view: View,
    enter_holds: bool | None,
    exit_holds: bool | None,
) -> list[str]:
    because = []
    if segment.audience is not None and profile.kind != segment.audience:
        because.append(f"the audience is {segment.audience}")
    if segment.parent is not None and profile.member_since(segment.parent) is None:
        because.append(f"not a member of the parent {segment.parent}")
    if segment.markets is not None and profile.trait(segment.market_trait) not in segment.markets:
        because.append(f"the market is none of {', '.join(sorted(segment.markets))}")
    if any(node.verdict(view)[0] for node in segment.refuse):
        because.append("a restriction refuses the profile")
    if segment.reenter_after_ms is not None and stay.last_exit_ms is not None:
        again_ms = stay.last_exit_ms + segment.reenter_after_ms
        if again_ms >= FOREVER:
            because.append("it left once, and reenter_after is never")
        elif view.t_ms < again_ms:
            waits = format_duration(segment.reenter_after_ms)
            because.append(f"it left; reenter_after {waits} ends at {format_instant(again_ms)}")
    if segment.forgets and stay.disarmed:
        because.append("it left by rule and the entry rule has held ever since: entry asks for new evidence")
    if enter_holds is not True:
        because.append("the entry rule has no verdict yet" if enter_holds is None else "the entry rule does not hold")
    if segment.exit is not None and exit_holds is not False:
        because.append("the exit rule holds" if exit_holds else "the exit rule has no verdict yet")
    return because

"""The memberships of one profile in one evaluation: docs/language.md."""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.naive.conditions import Mark, Sight, trait_value, truth
from tests.naive.decode import Event
from tests.naive.pending import Era, always
from tests.naive.profile import Profile, Stay
from tests.naive.reading import Catalogue, leaves
from tests.naive.times import length, written

ENDLESS = 1 << 62
"""More than any number of arrivals: of a mark that was taken over only a later time is later."""
FORGETTING = ("exit_rule", "max_stay")
"""The reasons after which re-entry needs new evidence."""


Visit = Literal["cut", "filled"] | None
"""Whether an evaluation is the visit of the cut that began the era, the visit of a `segue.filled`, or neither."""


@dataclass(frozen=True)
class Verdict:
    """A move and its reason."""

    kind: str
    conditions: list[str] = field(default_factory=list)
    backfill: bool = False
    stay: Stay | None = None
    """The stay that is taken over."""


@dataclass(frozen=True)
class Taken:
    """What a subject has that becomes an alias, as it was before: another takes it over."""

    stays: Mapping[str, Stay]
    last_exit: Mapping[str, int]
    exit_mark: Mapping[str, Mark]
    disarmed: Set[str]

    @staticmethod
    def of(profile: Profile) -> "Taken":
        """Keep what a profile has now."""
        return Taken(
            {name: Stay(one.entered_at, taken_over(one.mark)) for name, one in profile.stays.items()},
            dict(profile.last_exit),
            {name: taken_over(mark) for name, mark in profile.exit_mark.items()},
            frozenset(profile.disarmed),
        )


def taken_over(mark: Mark) -> Mark:
    """Return a mark as another subject takes it over."""
    return mark._replace(arrivals=ENDLESS)


def take_exits(profile: Profile, taken: Taken) -> None:
    """Take last exits over where they are later: those of any kind, and those that ask for new evidence."""
    for segment, at in taken.last_exit.items():
        profile.last_exit[segment] = max(at, profile.last_exit.get(segment, at))
    for segment, mark in taken.exit_mark.items():
        own = profile.exit_mark.get(segment)
        if own is None or mark.set_at > own.set_at:
            profile.exit_mark[segment] = mark
            profile.disarmed.discard(segment)
            profile.disarmed |= {segment} & taken.disarmed


def sight(profile: Profile, era: Era, segment: str, rule: str, t: int) -> Sight:
    """Collect everything that one rule of one segment may look at, now."""
    stay = profile.stays.get(segment)
    forgets = era.catalogue.approved(segment) and era.catalogue.forgets(segment)
    return Sight(
        t=t,
        catalogue=era.catalogue,
        known=profile.known,
        facts=profile.known,
        starts_known=always,
        rule=rule,
        forgets=forgets,
        odd=False,
        entry_mark=stay.mark if stay else profile.mark(t),
        exit_mark=profile.exit_mark.get(segment) if forgets else None,
        entered_at=stay.entered_at if stay else None,
        members={name: one.entered_at for name, one in profile.stays.items()},
        look=lambda condition, seen: era.look(profile, segment, condition, seen),
    )


def rule_truth(profile: Profile, era: Era, segment: str, rule: str, t: int) -> bool | None:
    """Return the verdict of `enter` or `exit`."""
    return truth(era.catalogue.segments[segment][rule], sight(profile, era, segment, rule, t))


def deciding(profile: Profile, era: Era, segment: str, rule: str, t: int, lost: bool = False) -> list[str]:
    """List the deciding leaves: those that hold, or do not hold under an odd number of `none`. `lost`: the opposite."""
    seen = sight(profile, era, segment, rule, t)
    found = leaves(era.catalogue.segments[segment][rule], rule)
    return [path for path, leaf, odd in found if truth(leaf, replace(seen, odd=odd)) is (odd == lost)]


def audience_admits(profile: Profile, catalogue: Catalogue, segment: str) -> bool:
    """Tell whether the subject's kind is the audience's."""
    audience = (catalogue.segments[segment].get("layers") or {}).get("audience")
    return audience is None or profile.subject.partition(":")[0] == audience


def parent_admits(profile: Profile, catalogue: Catalogue, segment: str) -> bool:
    """Tell whether the profile is a member of the parent now."""
    parent = catalogue.segments[segment].get("parent")
    return parent is None or parent in profile.stays


def market_admits(profile: Profile, era: Era, segment: str, t: int) -> bool:
    """Tell whether the value of the market trait is listed."""
    markets, name = era.catalogue.segments[segment].get("markets"), era.catalogue.policy.get("market_trait")
    return markets is None or name is None or trait_value(name, sight(profile, era, segment, "enter", t)) in markets


def refused(profile: Profile, era: Era, segment: str, t: int) -> bool:
    """Tell whether a restriction of the segment refuses the profile."""
    return any(truth(rule, sight(profile, era, segment, "refuse", t)) for rule in era.refusals[segment])


def reason_to_leave(profile: Profile, era: Era, segment: str, t: int, min_stay: bool) -> Verdict | None:
    """Return the first reason to leave, in order of precedence. `min_stay`: whether it delays the exit."""
    definition, stay = era.catalogue.segments[segment], profile.stays[segment]
    stayed = not min_stay or "min_stay" not in definition or t >= stay.entered_at + length(definition["min_stay"])
    if refused(profile, era, segment, t):
        return Verdict("restricted")
    if not parent_admits(profile, era.catalogue, segment):
        return Verdict("parent_left")
    if not market_admits(profile, era, segment, t):
        return Verdict("market_left")
    if "exit" in definition and stayed and rule_truth(profile, era, segment, "exit", t) is True:
        return Verdict("exit_rule", deciding(profile, era, segment, "exit", t))
    if "exit" not in definition and stayed and rule_truth(profile, era, segment, "enter", t) is False:
        return Verdict("entry_lost", deciding(profile, era, segment, "enter", t, lost=True))
    if "max_stay" in definition and t >= stay.entered_at + length(definition["max_stay"]):
        return Verdict("max_stay")
    return None


def may_return(profile: Profile, definition: Mapping[str, Any], t: int) -> bool:
    """Tell whether reenter_after has passed since the last exit of any kind."""
    wait, left_at = definition.get("reenter_after"), profile.last_exit.get(definition["segment"])
    return wait is None or left_at is None or (wait != "never" and t >= left_at + length(wait))


def reason_to_join(profile: Profile, era: Era, segment: str, t: int) -> Verdict | None:
    """Return the reason for which a profile that is out enters; None: it stays out."""
    definition, catalogue = era.catalogue.segments[segment], era.catalogue
    if (
        audience_admits(profile, catalogue, segment)
        and market_admits(profile, era, segment, t)
        and parent_admits(profile, catalogue, segment)
        and not refused(profile, era, segment, t)
        and rule_truth(profile, era, segment, "enter", t) is True
        and not (segment in profile.disarmed and catalogue.forgets(segment))
        and ("exit" not in definition or rule_truth(profile, era, segment, "exit", t) is False)
        and may_return(profile, definition, t)
    ):
        return Verdict("entry_rule", deciding(profile, era, segment, "enter", t))
    return None


def decide(profile: Profile, era: Era, segment: str, t: int, visit: Visit) -> Verdict | None:
    """Decide one segment in one evaluation."""
    member = segment in profile.stays
    if not era.catalogue.approved(segment):
        return Verdict("retired") if member else None
    if f"segment {segment}" in era.catalogue.ungoverned:
        return Verdict("retired" if visit == "cut" else "market_left") if member else None
    changed = visit == "cut" and era.changed(segment)
    if not member:
        found = reason_to_join(profile, era, segment, t)
        return Verdict(found.kind, found.conditions, backfill=changed or visit == "filled") if found else None
    found = reason_to_leave(profile, era, segment, t, min_stay=not changed)
    moves = segment in era.catalogue.segments_before  # between the versions of a pilot, whose audiences may differ
    if (changed or moves) and found is None and not audience_admits(profile, era.catalogue, segment):
        return Verdict("definition_changed")
    return Verdict("definition_changed", found.conditions) if found and changed else found


def take_over(profile: Profile, era: Era, segment: str, t: int, stay: Stay) -> Verdict | None:
    """Judge a stay that another had, as the profile's own. None: it is not taken over."""
    if (
        segment in profile.stays
        or f"segment {segment}" in era.catalogue.ungoverned
        or not audience_admits(profile, era.catalogue, segment)
        or not market_admits(profile, era, segment, t)
        or not parent_admits(profile, era.catalogue, segment)
        or refused(profile, era, segment, t)
    ):
        return None
    profile.stays[segment] = stay
    found = reason_to_leave(profile, era, segment, t, min_stay=True)
    del profile.stays[segment]
    if found is None:
        return Verdict("merged", stay=stay)
    if found.kind in FORGETTING:
        leave(profile, segment, t, found.kind)
    return None


def leave_all(profile: Profile, era: Era, t: int, event: Event | None, kind: str) -> list[bytes]:
    """Leave every segment, by rank and id. Returns the changes as JSON."""
    return [move(profile, era, segment, t, Verdict(kind), event) for segment in era.order if segment in profile.stays]


def move_all(
    profile: Profile,
    era: Era,
    t: int,
    event: Event | None = None,
    visit: Visit = None,
    taken: Taken | None = None,
) -> list[bytes]:
    """Evaluate every segment once, by rank and id; each sees the changes already made. Returns the changes as JSON."""
    changes = []
    for segment in era.order if visit == "cut" else era.approved_order:
        verdict = None
        if taken is not None and segment in taken.stays:
            verdict = take_over(profile, era, segment, t, taken.stays[segment])
        if verdict is None:
            verdict = decide(profile, era, segment, t, visit)
        if verdict is not None:
            changes.append(move(profile, era, segment, t, verdict, event))
        arm(profile, era, segment, t)
    return changes


def arm(profile: Profile, era: Era, segment: str, t: int) -> None:
    """Arm entry again if `enter`, counted from the exit's mark, does not hold at this evaluation."""
    if (
        segment in profile.disarmed
        and era.catalogue.approved(segment)
        and f"segment {segment}" not in era.catalogue.ungoverned
        and era.catalogue.forgets(segment)
        and rule_truth(profile, era, segment, "enter", t) is False
    ):
        profile.disarmed.discard(segment)


def leave(profile: Profile, segment: str, t: int, kind: str) -> None:
    """Remember an exit. One with `merged` or `erased` is no exit to anything."""
    if kind in ("merged", "erased"):
        return
    profile.last_exit[segment] = t
    if kind in FORGETTING:
        profile.exit_mark[segment] = profile.mark(t)
        profile.disarmed.add(segment)


def move(profile: Profile, era: Era, segment: str, t: int, verdict: Verdict, event: Event | None) -> bytes:
    """Make a change, and write it in the form of docs/language.md (A membership change)."""
    entered = verdict.kind == "entry_rule" or verdict.stay is not None
    if entered:
        profile.stays[segment] = verdict.stay or Stay(t, profile.mark(t))
    else:
        del profile.stays[segment]
        leave(profile, segment, t, verdict.kind)
    profile.sequence += 1
    definition = era.definition(segment)
    layers = definition.get("layers") or {}
    change = {
        "id": f"g1/{profile.subject}/{profile.sequence}",
        "profile": profile.subject,
        "segment": segment,
        "segment_version": definition["version"],
        "change": "entered" if entered else "exited",
        "sequence": profile.sequence,
        "effective_at": written(t),
        "reason": {
            "kind": verdict.kind,
            "conditions": verdict.conditions,
            "events": [f"{event.source} {event.id}"] if event else [],
        },
        "layers": {name: layers[name] for name in ("audience", "use_case", "stage") if name in layers},
        "backfill": verdict.backfill,
    }
    return json.dumps(change, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

"""One segment of a catalogue compiled for evaluation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.segment import Segment
from rules.catalogue.segment_change import differs
from rules.conditions.base import Condition, Node
from rules.engine.pending import Fills, Introductions, in_force
from rules.engine.profile import Profile


@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """An approved segment as evaluation wants it."""

    id: str
    position: int
    rank: int
    version: Any
    layers: dict[str, str]
    audience: str | None
    markets: frozenset[str] | None
    """None: the market does not matter."""
    market_trait: str
    parent: str | None
    enter: Node
    exit: Node | None
    refuse: tuple[Node, ...]
    min_stay_ms: int
    max_stay_ms: int | None
    reenter_after_ms: int | None
    """FOREVER: never."""
    forgets: bool
    """Whether it has `exit` or `max_stay`: entry asks for new evidence after such an exit."""
    changed: bool
    """Whether the cut that began this plan changed it."""
    restricted: bool
    """Whether its changes are kept off the public topics."""
    audience_may_move: bool = False
    """Whether the versions of a pilot differ in audience: then a member may come under one that does not admit it."""


@dataclass(frozen=True, slots=True)
class Gone:
    """A segment of the plan before that is no longer approved: its members leave with `retired`."""

    id: str
    rank: int
    version: Any
    layers: dict[str, str]
    restricted: bool
    governing: "Callable[[Profile], SegmentPlan] | None" = None
    """Gives the version that governed a profile, where the segment was a pilot and has no file any more."""


def segment_plan(
    catalogue: Catalogue,
    segment: Segment,
    position: int,
    introductions: Introductions,
    fills: Fills,
    old: Catalogue | None,
) -> SegmentPlan:
    def asked(leaf: Condition) -> Node:
        return in_force(leaf, segment.id, introductions, fills)

    policy = catalogue.policy
    classes = sorted(catalogue.restricted.get(segment.id, ()))
    restrictions = [policy.restrictions[name] for name in classes if name in policy.restrictions]
    old_segment = old.approved.get(segment.id) if old else None
    return SegmentPlan(
        id=segment.id,
        position=position,
        rank=catalogue.rank[segment.id],
        version=segment.version,
        layers=_layers(segment),
        audience=segment.layers.audience,
        markets=frozenset(segment.markets) if segment.markets and policy.market_trait else None,
        market_trait=policy.market_trait or "",
        parent=segment.parent,
        enter=segment.enter.with_leaves(asked),
        exit=None if segment.exit is None else segment.exit.with_leaves(asked),
        refuse=tuple(r.refuse for r in restrictions if r.refuse is not None),
        min_stay_ms=segment.min_stay_ms or 0,
        max_stay_ms=segment.max_stay_ms,
        reenter_after_ms=segment.reenter_after_ms,
        forgets=segment.exit is not None or segment.max_stay_ms is not None,
        changed=old is not None and (old_segment is None or differs(old_segment, segment, old, catalogue)),
        restricted=catalogue.is_hidden(segment.id),
    )


def _layers(segment: Segment) -> dict[str, str]:
    layers = segment.layers
    given = {"audience": layers.audience, "use_case": layers.use_case, "stage": layers.stage}
    return {name: value for name, value in given.items() if value is not None}


def gone_from(
    catalogue: Catalogue, plan: SegmentPlan, governing: Callable[[Profile], SegmentPlan] | None = None
) -> Gone:
    """Make the parting of a segment. `governing`: of a pilot, the version that governed a profile."""
    file = catalogue.segments.get(plan.id)
    version, layers = (plan.version, plan.layers) if file is None else (file.version, _layers(file))
    return Gone(plan.id, plan.rank, version, layers, plan.restricted, governing if file is None else None)

"""A catalogue compiled for evaluation: event type → conditions → segments, one plan a cut.

Sets of segments are bit masks over their position in the order of evaluation (rank, then id), so that what an event
moved is one integer, and the next segment to visit is its lowest bit. The bits of activations stand above them.
"""

from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import AllOf, leaves, map_leaves
from rules.catalogue.segment import Segment
from rules.catalogue.segment_change import differs
from rules.conditions.base import Condition, Node
from rules.conditions.memory import Memory
from rules.conditions.view import View
from rules.engine.activations.plan import ActivationPlan, Activations, compile_activations
from rules.engine.activations.sends import SendCounter
from rules.engine.pending import Introduction, Introductions, Pending, guards_of, historic, introduce, text_name
from rules.engine.profile import Profile
from rules.ground.instants import FOREVER

SHORT_NAME_BYTES: Final = 6


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


@dataclass(frozen=True, slots=True)
class Gone:
    """A segment of the plan before that is no longer approved: its members leave with `retired`."""

    id: str
    rank: int
    version: Any
    layers: dict[str, str]
    restricted: bool


@dataclass(frozen=True, slots=True)
class Fold:
    """One shared state, and the segments that it can move: by their entry rules, and by their exit rules."""

    state_key: str
    memory: Memory
    enter_mask: int
    exit_mask: int
    needed_mask: int
    """Segments whose entry rule is false for ever while this state is inert."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that `rules.engine.step` needs of a catalogue. Built by `make_plan`; immutable."""

    ordinal: int
    t_ms: int
    catalogue: Catalogue
    segments: tuple[SegmentPlan, ...]
    by_id: Mapping[str, SegmentPlan]
    gone: tuple[Gone, ...]
    rehomed: tuple[tuple[str, bool], ...]
    """Segments whose changes have other topics than in the plan before, and whether they were restricted there."""
    visits: tuple[SegmentPlan | Gone, ...]
    """Segments and those gone, in the order of a cut's visit."""
    folds: Mapping[str, tuple[Fold, ...]]
    """By event type."""
    setting_folds: Mapping[str, tuple[Fold, ...]]
    """By trait: memories of its settings."""
    states: Mapping[str, Memory]
    """By state key: the memory that keeps it."""
    trait_masks: Mapping[str, int]
    dependents: Mapping[str, int]
    """By segment: those that look at its membership."""
    activations: Activations
    activations_before: Mapping[str, ActivationPlan]
    """The approved activations of the plan before."""
    counters_before: Mapping[str, SendCounter]
    """The counters of the plan before, by state key."""
    wake_bits: Mapping[str, int]
    """By name of a wake: the bit of its segment or activation."""
    activations_mask: int
    """All activations."""
    known_since_mask: int
    consent_mask: int
    with_exit_mask: int
    """Segments with an exit rule: while in, their entry rule is not asked."""
    needs: Mapping[int, tuple[str, ...]]
    """By position: the states that must not be inert for the entry rule to hold."""
    needed_masks: Mapping[str, int]
    """By state key: the segments that need it."""
    needing_mask: int
    """Segments that need a state."""
    fresh_mask: int
    """Segments that can move for a profile of which nothing but its existence is known."""
    introductions: Introductions
    short_names: Mapping[str, str]
    state_keys: Mapping[str, str]


def make_plan(
    catalogue: Catalogue,
    *,
    ordinal: int = 0,
    t_ms: int = 0,
    old: Plan | None = None,
    filled: bool = False,
    introduced: Mapping[tuple[str, str], Introduction] | None = None,
) -> Plan:
    """Compile a catalogue that takes effect at t_ms, after `old`.

    With `filled` the history of new conditions is at hand (`rules.engine.step.bring_over` folds it in): nothing is
    pending. Without `old`, `introduced` says what a checkpoint remembers of conditions that came in without their
    history.
    """
    introductions = _introductions(catalogue, Introduction(ordinal, t_ms), old, filled, introduced or {})
    segments = tuple(
        _segment_plan(catalogue, segment, position, introductions, old)
        for position, segment in enumerate(catalogue.approved[name] for name in catalogue.order)
    )
    by_id = {plan.id: plan for plan in segments}
    gone = tuple(_gone(catalogue, plan) for plan in (old.segments if old else ()) if plan.id not in by_id)
    activations = compile_activations(catalogue, len(segments))
    masks = _Masks()
    for plan in segments:
        masks.add(plan)
    masks.add_activations(activations)
    wake_bits = {plan.id: 1 << plan.position for plan in segments}
    wake_bits |= {each.wake: each.bit for each in activations.by_id.values()}
    short_names = {key: _short_name(key) for key in masks.states}
    state_keys = {short: key for key, short in short_names.items()}
    if len(state_keys) != len(short_names):
        raise AssertionError("two state keys share a short name")
    return Plan(
        ordinal=ordinal,
        t_ms=t_ms,
        catalogue=catalogue,
        segments=segments,
        by_id=by_id,
        gone=gone,
        rehomed=tuple(
            (plan.id, plan.restricted)
            for plan in (old.segments if old else ())
            if plan.id in by_id and by_id[plan.id].restricted != plan.restricted
        ),
        visits=tuple(sorted([*segments, *gone], key=lambda each: (each.rank, each.id))),
        folds=masks.folds_by(lambda memory: memory.types),
        setting_folds=masks.folds_by(lambda memory: memory.traits),
        states=masks.states,
        trait_masks=dict(masks.traits),
        dependents=dict(masks.dependents),
        activations=activations,
        activations_before=old.activations.by_id if old else {},
        counters_before={each.state_key: each for each in old.activations.counters} if old else {},
        wake_bits=wake_bits,
        activations_mask=sum(each.bit for each in activations.by_id.values()),
        known_since_mask=masks.known_since,
        consent_mask=masks.consent,
        with_exit_mask=sum(1 << plan.position for plan in segments if plan.exit is not None),
        needs=masks.needs,
        needed_masks=dict(masks.needed),
        needing_mask=sum(1 << position for position in masks.needs),
        fresh_mask=_fresh_mask(segments, ordinal, t_ms),
        introductions=introductions,
        short_names=short_names,
        state_keys=state_keys,
    )


def _introductions(
    catalogue: Catalogue,
    now: Introduction,
    old: Plan | None,
    filled: bool,
    introduced: Mapping[tuple[str, str], Introduction],
) -> dict[tuple[str, str], Introduction | None]:
    found: dict[tuple[str, str], Introduction | None] = {}
    for name in catalogue.order:
        for condition in _historic_of(catalogue.approved[name]):
            key = text_name(condition), name
            if old is None or filled:
                found[key] = introduced.get(key)
            else:
                found[key] = introduce(condition, name, old.introductions, now)
    return found


def _fresh_mask(segments: tuple[SegmentPlan, ...], ordinal: int, t_ms: int) -> int:
    """Leave out the segments whose entry rule is false for ever without an event: a new profile need not visit them."""
    view = View(t_ms, Profile("", ordinal, t_ms, t_ms), observed_since_ms=t_ms)
    mask = 0
    for plan in segments:
        if plan.enter.verdict(view) != (False, FOREVER):
            mask |= 1 << plan.position
    return mask


def _historic_of(segment: Segment) -> Iterator[Condition]:
    for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
        if node is not None:
            for _, leaf, _ in leaves(node, rule):
                yield from historic(leaf)


def _segment_plan(
    catalogue: Catalogue, segment: Segment, position: int, introductions: Introductions, old: Plan | None
) -> SegmentPlan:
    def guarded(leaf: Condition) -> Node:
        guards = guards_of(leaf, segment.id, introductions)
        return Pending(leaf, guards) if guards else leaf

    policy = catalogue.policy
    classes = sorted(catalogue.restricted.get(segment.id, ()))
    restrictions = [policy.restrictions[name] for name in classes if name in policy.restrictions]
    old_segment = old.catalogue.approved.get(segment.id) if old else None
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
        enter=map_leaves(segment.enter, guarded),
        exit=None if segment.exit is None else map_leaves(segment.exit, guarded),
        refuse=tuple(r.refuse for r in restrictions if r.refuse is not None),
        min_stay_ms=segment.min_stay_ms or 0,
        max_stay_ms=segment.max_stay_ms,
        reenter_after_ms=segment.reenter_after_ms,
        forgets=segment.exit is not None or segment.max_stay_ms is not None,
        changed=old is not None and (old_segment is None or differs(old_segment, segment, old.catalogue, catalogue)),
        restricted=catalogue.is_hidden(segment.id),
    )


def _layers(segment: Segment) -> dict[str, str]:
    layers = segment.layers
    given = {"audience": layers.audience, "use_case": layers.use_case, "stage": layers.stage}
    return {name: value for name, value in given.items() if value is not None}


def _gone(catalogue: Catalogue, plan: SegmentPlan) -> Gone:
    file = catalogue.segments.get(plan.id)
    version, layers = (plan.version, plan.layers) if file is None else (file.version, _layers(file))
    return Gone(plan.id, plan.rank, version, layers, plan.restricted)


def _needed(node: Node) -> Iterator[str]:
    """The states that must not be inert for a rule to hold: of the conditions that it asks all of."""
    if isinstance(node, AllOf):
        for part in node.parts:
            yield from _needed(part)
    elif isinstance(node, Condition) and not isinstance(node, Pending) and node.memory and node.memory.inert(None):
        yield node.memory.state_key


def _short_name(state_key: str) -> str:
    return urlsafe_b64encode(blake2b(state_key.encode(), digest_size=SHORT_NAME_BYTES).digest()).decode()


class _Masks:
    """Gathers which segments and activations each thing can move."""

    def __init__(self) -> None:
        self.states: dict[str, Memory] = {}
        self.enter_masks: defaultdict[str, int] = defaultdict(int)
        self.exit_masks: defaultdict[str, int] = defaultdict(int)
        self.traits: defaultdict[str, int] = defaultdict(int)
        self.dependents: defaultdict[str, int] = defaultdict(int)
        self.needs: dict[int, tuple[str, ...]] = {}
        self.needed: defaultdict[str, int] = defaultdict(int)
        self.known_since = 0
        self.consent = 0

    def add(self, plan: SegmentPlan) -> None:
        bit = 1 << plan.position
        if plan.parent is not None:
            self.dependents[plan.parent] |= bit
        if plan.markets is not None:
            self.traits[plan.market_trait] |= bit
        # what refuses keeps no state: traits and consent
        for node, masks in ((plan.enter, self.enter_masks), (plan.exit, self.exit_masks)):
            if node is not None:
                for leaf in node.conditions():
                    self._add_condition(leaf, bit, masks)
        for node in plan.refuse:
            for leaf in node.conditions():
                self._add_condition(leaf, bit, self.enter_masks)
        needed = tuple(_needed(plan.enter))
        if needed:
            self.needs[plan.position] = needed
            for key in needed:
                self.needed[key] |= bit

    def add_activations(self, activations: Activations) -> None:
        """Gather what moves activations; counters of caps are kept also where nothing asks them yet."""
        for counter in activations.counters:
            self.states[counter.state_key] = counter
        for each in activations.by_id.values():
            for segment in each.segments:
                self.dependents[segment] |= each.bit
            if each.market_trait is not None:
                self.traits[each.market_trait] |= each.bit
            for cap in each.caps:
                self.enter_masks[cap.counter.state_key] |= each.bit
            for node in each.nodes:
                for leaf in node.conditions():
                    self._add_condition(leaf, each.bit, self.enter_masks)

    def _add_condition(self, condition: Condition, bit: int, masks: defaultdict[str, int]) -> None:
        memory = condition.memory
        if memory is not None:
            self.states.setdefault(memory.state_key, memory)
            masks[memory.state_key] |= bit
        for trait in condition.traits:
            self.traits[trait] |= bit
        for segment in condition.segments:
            self.dependents[segment] |= bit
        if condition.reads_known_since:
            self.known_since |= bit
        if condition.reads_consent:
            self.consent |= bit
        for part in condition.parts:
            self._add_condition(part, bit, masks)

    def folds_by(self, names: Callable[[Memory], frozenset[str]]) -> dict[str, tuple[Fold, ...]]:
        """The folds by what they want to see: event types, or traits."""
        found: defaultdict[str, list[Fold]] = defaultdict(list)
        for key, memory in self.states.items():
            for name in names(memory):
                found[name].append(Fold(key, memory, self.enter_masks[key], self.exit_masks[key], self.needed[key]))
        return {name: tuple(folds) for name, folds in found.items()}

"""A catalogue compiled for evaluation: event type → conditions → segments, one plan for each cut."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.catalogue.segment import Segment
from rules.conditions.base import Condition
from rules.conditions.memory import Memory
from rules.conditions.view import View
from rules.engine.activations.plan import ActivationPlan, Activations, compile_activations
from rules.engine.folds import Fold, TypeFolds, type_folds
from rules.engine.masks import Masks
from rules.engine.pending import Fills, Introduction, Introductions, historic, introduce, text_name
from rules.engine.profile import Profile
from rules.engine.segment_plan import Gone, SegmentPlan, gone_from, segment_plan
from rules.ground.instants import FOREVER


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
    """Segments, and segments that are gone, in the order in which the visit of a cut looks at them."""
    folds: Mapping[str, TypeFolds]
    """By event type."""
    setting_folds: Mapping[str, tuple[Fold, ...]]
    """By trait: memories of its settings."""
    states: Mapping[str, Memory]
    """By state key: the memory that keeps it."""
    trait_masks: Mapping[str, int]
    dependents: Mapping[str, int]
    """By segment: the segments and activations that look at its membership."""
    activations: Activations
    activations_before: Mapping[str, ActivationPlan]
    """The approved activations of the plan before."""
    shared_before: Mapping[str, Memory]
    """By state key: the memories of the plan before that may have kept less than those of this plan do."""
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
    """Segments that a profile without events or traits could enter."""
    introductions: Introductions
    fills: Fills
    """The cuts that are filled."""
    ends_fill: bool
    """Whether no catalogue began this plan, but the end of a fill: the same definitions, and less is pending."""


def make_plan(
    catalogue: Catalogue,
    *,
    ordinal: int = 0,
    t_ms: int = 0,
    old: Plan | None = None,
    filled: bool = False,
    introduced: Mapping[tuple[str, str], Introduction] | None = None,
    fills: Fills | None = None,
    ends_fill: bool = False,
) -> Plan:
    """Compile a catalogue that takes effect at t_ms, after `old`.

    With `filled` the history of new conditions is at hand (`rules.engine.step.bring_over` folds it in): nothing is
    pending. Without `old`, `introduced` says what a checkpoint remembers of conditions that came in without their
    history. `fills`: the cuts that are filled (None: as in `old`).
    """
    if fills is None:
        fills = {} if old is None else old.fills
    introductions = _introductions(catalogue, Introduction(ordinal, t_ms), old, filled, introduced or {})
    segments = tuple(
        segment_plan(catalogue, segment, position, introductions, fills, None if old is None else old.catalogue)
        for position, segment in enumerate(catalogue.approved[name] for name in catalogue.order)
    )
    by_id = {plan.id: plan for plan in segments}
    gone = tuple(gone_from(catalogue, plan) for plan in (old.segments if old else ()) if plan.id not in by_id)
    activations = compile_activations(catalogue, len(segments))
    masks = Masks()
    for plan in segments:
        masks.add(plan)
    masks.add_activations(activations)
    wake_bits = {plan.id: 1 << plan.position for plan in segments}
    wake_bits |= {each.wake: each.bit for each in activations.by_id.values()}
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
        folds={name: type_folds(name, folds) for name, folds in masks.folds_by(lambda memory: memory.types).items()},
        setting_folds=masks.folds_by(lambda memory: memory.traits),
        states=masks.states,
        trait_masks=dict(masks.traits),
        dependents=dict(masks.dependents),
        activations=activations,
        activations_before=old.activations.by_id if old else {},
        shared_before={key: each for key, each in old.states.items() if each.shares_text} if old else {},
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
        fills=fills,
        ends_fill=ends_fill,
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

"""A catalogue compiled for evaluation: event type → conditions → segments, one plan for each cut."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.catalogue.segment import Segment
from rules.conditions.base import Condition
from rules.conditions.memory import Memory
from rules.conditions.view import View
from rules.engine.activations.plan import NO_ACTIVATIONS, Activations, compile_activations
from rules.engine.affiliations.memories import TIES, LatestMemory, ToldMemory
from rules.engine.affiliations.ties import AFFILIATIONS
from rules.engine.doubts import Doubted, Doubts
from rules.engine.folds import Fold, TypeFolds, type_folds
from rules.engine.masks import Masks
from rules.engine.pending import (
    Fills,
    Introduction,
    Introductions,
    Pending,
    first_by_text,
    historic,
    introduce,
    text_name,
)
from rules.engine.pilots import Crossing, Governing, Piloted, crossing, piloted
from rules.engine.profile import Profile
from rules.engine.segment_plan import Gone, SegmentPlan, gone_from, segment_plan
from rules.ground.instants import FOREVER
from rules.language.reaches import Reaches


class Needed(NamedTuple):
    """The states that must not be inert for the entry rule of a segment to hold."""

    segment: str
    states: tuple[tuple[str, Memory], ...]
    """By state key: the memory, which tells."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that `rules.engine.step` needs of a catalogue. Built by `make_plan`; immutable."""

    ordinal: int
    t_ms: int
    catalogue: Catalogue
    segments: tuple[SegmentPlan, ...]
    """By position. Of a pilot: its own version."""
    by_id: dict[str, SegmentPlan]
    pilots: dict[int, Piloted]
    """By position: the segments whose versions govern different profiles."""
    crossings: dict[int, Crossing]
    """By position: the segments that are pilots before the cut or after it."""
    gone: tuple[Gone, ...]
    rehomed: tuple[tuple[str, bool], ...]
    """Segments whose changes have other topics than in the plan before, and whether they were restricted there."""
    visits: tuple[SegmentPlan | Gone, ...]
    """Segments, and segments that are gone, in the order in which the visit of a cut looks at them."""
    only_segments: bool
    """Whether none is gone, and none a pilot before the cut or after it: `visits` are `segments`."""
    folds: dict[str, TypeFolds]
    """By event type."""
    setting_folds: dict[str, tuple[Fold, ...]]
    """By trait: memories of its settings."""
    states: dict[str, Memory]
    """By state key: the memory that keeps it."""
    kept: str
    """Names these states, for facts that go to another partition: as `foreign` does, in order, with spaces between."""
    setting_states: tuple[str, ...]
    """The state keys of the memories of settings."""
    trait_masks: dict[str, int]
    dependents: dict[str, int]
    """By segment: the segments and activations that look at its membership."""
    activations: Activations
    activations_before: Activations
    """The approved activations of the plan before."""
    shared_before: Mapping[str, Memory]
    """By state key: the memories of the plan before that may have kept less than those of this plan do."""
    wake_bits: dict[str, int]
    """By name of a wake: the bit of its segment or activation."""
    activations_mask: int
    """All activations."""
    known_since_mask: int
    consent_mask: int
    with_exit_mask: int
    """Segments whose every version has an exit rule: while in, their entry rule is not asked."""
    exits_mask: int
    """Segments of which any version has an exit rule."""
    needs: dict[int, Needed]
    """By position: the states that must not be inert for the entry rule to hold."""
    needed_masks: dict[str, int]
    """By state key: the segments that need it."""
    first_masks: dict[str, int]
    """By state key: the segments that name it first of the states that they need, where another state moves them."""
    second_masks: dict[str, int]
    """By state key: the segments that name it second, where the first moves them."""
    needing_mask: int
    """Segments that need a state."""
    fresh_mask: int
    """Segments that a profile without events or traits could enter."""
    introductions: Introductions
    foreign: Mapping[str, str]
    """By state key: the key that an effect gives the state, where that is another (`rules.conditions.memory`)."""
    begun: Mapping[str, tuple[int, int]]
    """By key of each state that began at a cut which is not wholly filled: the ordinal of the cut, and the instant from
    which on the log is whole."""
    doubts: Doubts
    """The segments as they judge profiles that lack states."""
    fills: Fills
    """The cuts that are filled."""
    ends_fill: bool
    """Whether no catalogue began this plan, but the end of a fill: the same definitions, and less is pending."""
    fill_mask: int
    """Segments with a condition whose history that fill brought."""
    tells: frozenset[str]
    """Event types that may tell something to others: affiliations, and the types that reach somebody."""
    reaching: Mapping[str, Reaches]
    """By event type: whom it reaches, if it is told of an organisation."""
    waiting: Mapping[str, int]
    """By id of each segment whose entry rule waits for history from this cut on, whoever the profile is (`_waiting`):
    the instant at which a profile that was never in looks again."""
    waiting_mask: int
    """These segments."""
    cut_mask: int
    """Segments that the cut may move although nothing of them is due: those that it changed. All of them, where the
    catalogue reads the same state in another way."""

    def governing(self, profile: Profile) -> Sequence[SegmentPlan] | Governing | Doubted:
        """Return the segments by position, each as it governs a profile."""
        found = Governing(self.segments, self.pilots, profile) if self.pilots else self.segments
        return Doubted(found, self.doubts) if profile.lacking else found

    def segment_of(self, name: str, profile: Profile) -> SegmentPlan:
        """Return the definition of a segment that governs a profile."""
        plan = self.by_id[name]
        pilot = self.pilots.get(plan.position)
        found = plan if pilot is None else pilot.of(profile)
        return self.doubts.of(found) if profile.lacking else found


def all_of(plan: Plan) -> int:
    """Return the mask of all segments and activations."""
    return plan.activations_mask | ((1 << len(plan.segments)) - 1)


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
    numbers: Mapping[int, int] | None = None,
) -> Plan:
    """Compile a catalogue that takes effect at t_ms, after `old`.

    With `filled` the history of new conditions is at hand (`rules.engine.step.bring_over` folds it in): nothing is
    pending. Without `old`, `introduced` says what a checkpoint remembers of conditions that came in without their
    history. `fills`: the cuts that are filled (None: as in `old`). `numbers`: by ordinal of a cut, its number among the
    cuts that put a catalogue into force (None: no end of a fill came between).
    """
    if fills is None:
        fills = {} if old is None else old.fills
    introductions = _introductions(catalogue, Introduction(ordinal, t_ms), old, filled, introduced or {})
    before = None if old is None else old.catalogue
    segments = tuple(
        segment_plan(catalogue, segment, position, introductions, fills, before)
        for position, segment in enumerate(catalogue.approved[name] for name in catalogue.order)
    )
    pilots = _pilots(catalogue, segments, introductions, fills)
    by_id = {plan.id: plan for plan in segments}
    gone = tuple(_gone(catalogue, old, by_id)) if old else ()
    activations = compile_activations(catalogue, len(segments))
    masks = Masks()
    for plan in segments:
        masks.add(plan, pilots.get(plan.position))
    masks.add_activations(activations)
    reaching = catalogue.dictionary.reaching
    told_as = sorted({each.told_as for each in reaching.values()})
    for memory in (TIES, *map(LatestMemory, reaching), *map(ToldMemory, told_as)):
        masks.keep(memory)
    crossed = {} if before is None else {plan.position: crossing(plan.id, before, catalogue) for plan in segments}
    crossings = {position: each for position, each in crossed.items() if each is not None}
    wake_bits = {plan.id: 1 << plan.position for plan in segments}
    wake_bits |= {each.wake: each.bit for each in activations.by_id.values()}
    foreign = _foreign(masks.states, numbers or {})
    waiting = {} if old is None or ends_fill else _waiting(segments, pilots, ordinal, t_ms)
    first_masks, second_masks = masks.needed_elsewhere()
    return Plan(
        ordinal=ordinal,
        t_ms=t_ms,
        catalogue=catalogue,
        segments=segments,
        by_id=by_id,
        pilots=pilots,
        crossings=crossings,
        gone=gone,
        rehomed=tuple(
            (plan.id, plan.restricted)
            for plan in (old.segments if old else ())
            if plan.id in by_id and by_id[plan.id].restricted != plan.restricted
        ),
        visits=tuple(sorted([*segments, *gone], key=lambda each: (each.rank, each.id))),
        only_segments=not (gone or pilots or crossings),
        folds={name: type_folds(name, folds) for name, folds in masks.folds_by(lambda memory: memory.types).items()},
        setting_folds=masks.folds_by(lambda memory: memory.traits),
        states=masks.states,
        kept=" ".join(sorted(foreign.get(key, key) for key in masks.states)),
        setting_states=tuple(key for key, memory in masks.states.items() if memory.traits),
        trait_masks=dict(masks.traits),
        dependents=dict(masks.dependents),
        activations=activations,
        activations_before=old.activations if old else NO_ACTIVATIONS,
        shared_before={key: each for key, each in old.states.items() if each.shares_text} if old else {},
        wake_bits=wake_bits,
        activations_mask=sum(each.bit for each in activations.by_id.values()),
        known_since_mask=masks.known_since,
        consent_mask=masks.consent,
        with_exit_mask=_mask(segments, pilots, lambda versions: all(each.exit is not None for each in versions)),
        exits_mask=_mask(segments, pilots, lambda versions: any(each.exit is not None for each in versions)),
        needs={
            position: Needed(segment, tuple((key, masks.states[key]) for key in keys))
            for position, (segment, keys) in masks.needs.items()
        },
        needed_masks=dict(masks.needed),
        first_masks=first_masks,
        second_masks=second_masks,
        needing_mask=masks.needing,
        fresh_mask=_fresh_mask(segments, pilots, ordinal, t_ms),
        introductions=introductions,
        foreign=foreign,
        begun=_begun(masks.states, introductions, fills),
        doubts=Doubts(),
        fills=fills,
        ends_fill=ends_fill,
        fill_mask=_fill_mask(masks, {} if old is None else old.fills, fills) if ends_fill else 0,
        tells=frozenset({*AFFILIATIONS, *reaching}),
        reaching=reaching,
        waiting=waiting,
        waiting_mask=sum(wake_bits[name] for name in waiting),
        cut_mask=_cut_mask(segments, before, catalogue),
    )


def _begun(states: Mapping[str, Memory], introductions: Introductions, fills: Fills) -> dict[str, tuple[int, int]]:
    instants = {each.cut: each.t_ms for each in introductions.values() if each is not None}
    found = {}
    for key, memory in states.items():
        since_ms = fills.get(memory.cut, instants.get(memory.cut))
        if memory.cut and since_ms is not None:
            found[key] = memory.cut, since_ms
    return found


def _foreign(states: Mapping[str, Memory], numbers: Mapping[int, int]) -> dict[str, str]:
    found = {}
    for key, memory in states.items():
        told = memory.key_of_cut(numbers.get(memory.cut, memory.cut))
        if told != key:
            found[key] = told
    return found


def _cut_mask(segments: Sequence[SegmentPlan], before: Catalogue | None, catalogue: Catalogue) -> int:
    if before is None or not _reads_alike(before, catalogue):
        return (1 << len(segments)) - 1
    return sum(1 << plan.position for plan in segments if plan.changed)


def _reads_alike(old: Catalogue, new: Catalogue) -> bool:
    """Tell whether both read a profile in the same way: its market, and the types of traits and of data."""
    if old.policy.market_trait != new.policy.market_trait:
        return False
    traits, events = old.dictionary.traits, old.dictionary.events
    return all(
        traits[name].type == each.type for name, each in new.dictionary.traits.items() if name in traits
    ) and all(
        events[name].data[path].type == each.type
        for name, event in new.dictionary.events.items()
        if name in events
        for path, each in event.data.items()
        if path in events[name].data
    )


def _fill_mask(masks: Masks, known: Fills, fills: Fills) -> int:
    """Return the segments with a condition that came in at a cut of which a fill says more than was known."""
    moved = {cut for cut, since_ms in fills.items() if cut not in known or known[cut] != since_ms}
    mask = 0
    for key, memory in masks.states.items():
        if memory.cut in moved:
            mask |= masks.enter_masks[key] | masks.exit_masks[key]
    return mask


def _introductions(
    catalogue: Catalogue,
    now: Introduction,
    old: Plan | None,
    filled: bool,
    introduced: Mapping[tuple[str, str], Introduction],
) -> dict[tuple[str, str], Introduction | None]:
    found: dict[tuple[str, str], Introduction | None] = {}
    first = {} if old is None else first_by_text(old.introductions)
    for name in catalogue.order:
        for condition in (one for segment in catalogue.versions(name) for one in _historic_of(segment)):
            key = text_name(condition), name
            if old is None or filled:
                found[key] = introduced.get(key)
            else:
                found[key] = introduce(condition, name, old.introductions, first, now)
    return found


def _pilots(
    catalogue: Catalogue, segments: Sequence[SegmentPlan], introductions: Introductions, fills: Fills
) -> dict[int, Piloted]:
    found = {}
    for plan in segments:
        pilot, before = catalogue.approved[plan.id].pilot, catalogue.before.get(plan.id)
        if pilot is None:
            continue
        other = None
        if before is not None:
            other = segment_plan(catalogue, before, plan.position, introductions, fills, None)
        found[plan.position] = piloted(plan, other, pilot, catalogue.policy)
    return found


def _gone(catalogue: Catalogue, old: Plan, by_id: Mapping[str, SegmentPlan]) -> Iterator[Gone]:
    for plan in old.segments:
        if plan.id not in by_id:
            pilot = old.pilots.get(plan.position)
            yield gone_from(catalogue, plan, None if pilot is None else pilot.of)


def _versions(plan: SegmentPlan, pilots: Mapping[int, Piloted]) -> tuple[SegmentPlan, ...]:
    pilot = pilots.get(plan.position)
    return (plan,) if pilot is None else (pilot.now, pilot.before)


def _mask(
    segments: Iterable[SegmentPlan],
    pilots: Mapping[int, Piloted],
    holds: Callable[[tuple[SegmentPlan, ...]], bool],
) -> int:
    """Return the segments whose versions satisfy a test."""
    return sum(1 << plan.position for plan in segments if holds(_versions(plan, pilots)))


def _fresh_mask(segments: Iterable[SegmentPlan], pilots: Mapping[int, Piloted], ordinal: int, t_ms: int) -> int:
    """Leave out the segments whose entry rule is false for ever without an event: a new profile need not visit them."""
    view = View(t_ms, Profile("", ordinal, t_ms, t_ms), observed_since_ms=t_ms)
    return _mask(
        segments, pilots, lambda versions: any(each.enter.verdict(view) != (False, FOREVER) for each in versions)
    )


def _waiting(segments: Iterable[SegmentPlan], pilots: Mapping[int, Piloted], ordinal: int, t_ms: int) -> dict[str, int]:
    """Return the segments that have no verdict for any profile from before the cut, and when to look at them again.

    That is so for profiles that were never in. Their entry rule is one condition, all of whose guards came in at this
    very cut, and they admit everybody.
    """
    found = {}
    for plan in segments:
        rule = plan.enter
        open_to_all = plan.audience is None and plan.parent is None and plan.markets is None
        if not isinstance(rule, Pending) or not open_to_all or plan.position in pilots:
            continue
        if all((guard.cut, guard.since_ms) == (ordinal, t_ms) for guard in rule.guards):
            verdict, next_ms = rule.verdict(View(t_ms, Profile("", ordinal - 1, t_ms - 1, t_ms - 1)))
            if verdict is None and next_ms < FOREVER:
                found[plan.id] = next_ms
    return found


def _historic_of(segment: Segment) -> Iterator[Condition]:
    for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
        if node is not None:
            for _, leaf, _ in leaves(node, rule):
                yield from historic(leaf)

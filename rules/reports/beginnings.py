"""Conditions and caps that begin at a cut without the history that they look at, for a warning before an apply.

A condition that a worker did not keep has no verdict at first. Filling brings its history, as far back as the log
reaches (docs/language.md). A cap that was not counted begins to count at the cut, because no filling counts messages.
All of this is right, and may surprise the person who applies the catalogue.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.conditions.base import Condition
from rules.engine.pending import Fills, Pending
from rules.engine.plan import Plan, make_plan
from rules.engine.segment_plan import SegmentPlan
from rules.ground.instants import FOREVER, format_duration, format_instant

_OLD: Final = 1
_NEW: Final = 2


@dataclass(frozen=True, slots=True)
class Filling:
    """How far back the history of a cut is filled in. `since_ms`: where the log begins; None: nothing was dropped."""

    since_ms: int | None


def beginnings(old: Catalogue | None, new: Catalogue, now_ms: int, filling: Filling | None = None) -> list[str]:
    """Return a warning for each condition and cap that begins without history; the first catalogue has none.

    `now_ms` stands for the instant of the cut: a window that begins at a date after it misses nothing. `filling` None:
    history is not filled in.
    """
    if old is None:
        return []
    before = make_plan(old, ordinal=_OLD)
    fills: Fills = {} if filling is None else {_NEW: filling.since_ms}
    plan = make_plan(new, ordinal=_NEW, t_ms=now_ms, old=before, fills=fills)
    since_ms = now_ms if filling is None or filling.since_ms is None else filling.since_ms
    then = "now" if since_ms == now_ms else format_instant(since_ms)
    short = () if filling is None else _short(plan, now_ms, then)
    return [*short, *_pending_for_ever(plan, then), *_blind(plan, now_ms, then), *_uncounted(before, plan, now_ms)]


def _short(plan: Plan, now_ms: int, then: str) -> Iterator[str]:
    """Conditions that look back further than the log, until their window has moved."""
    for segment in plan.segments:
        for path, leaf in _leaves(segment):
            if isinstance(leaf, Pending) and now_ms < _known_ms(leaf) < FOREVER:
                yield (
                    f"{segment.id}: {path} ({leaf.describe()}) looks back further than the log, which begins at {then}:"
                    f" it gets no verdict {_until(_known_ms(leaf))} for profiles known before then"
                )


def _pending_for_ever(plan: Plan, then: str) -> Iterator[str]:
    """Conditions whose history is not at hand and whose window never moves."""
    for segment in plan.segments:
        for path, leaf in _leaves(segment):
            if isinstance(leaf, Pending) and _known_ms(leaf) >= FOREVER:
                yield (
                    f"{segment.id}: {path} ({leaf.describe()}) looks back for ever: it gets no verdict for profiles"
                    f" known before {then}" + _until_mark(leaf)
                )


def _blind(plan: Plan, now_ms: int, then: str) -> Iterator[str]:
    """Segments that hold activations back but have no verdict yet for known profiles: they hold nobody back."""
    known_ms: dict[str, int] = {}
    for segment in plan.segments:  # a segment comes after the segments that it looks at
        own = [_known_ms(leaf) for _, leaf in _leaves(segment) if isinstance(leaf, Pending)]
        looked_at = {name for _, leaf in _leaves(segment) for name in leaf.segments}
        if segment.parent is not None:
            looked_at.add(segment.parent)
        latest_ms = max([*own, *(known_ms.get(name, 0) for name in looked_at)], default=0)
        if latest_ms > now_ms:
            known_ms[segment.id] = latest_ms
    for each in plan.activations.by_id.values():
        definition = plan.catalogue.activations[each.id]
        for key, names in (("suppress_while", definition.suppress_while), ("none", definition.segments.none or ())):
            for name in sorted({*names} & known_ms.keys()):
                yield (
                    f"{each.id}: {key} {name} begins without history: it holds nobody back for what happened before"
                    f" {then}, {_until(known_ms[name])}"
                )


def _uncounted(before: Plan, plan: Plan, now_ms: int) -> Iterator[str]:
    """Caps that count messages only from now on, or further back than was counted so far."""
    counted = {each.state_key: each.reach_ms for each in before.activations.counters}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for each in plan.activations.by_id.values():
        for cap in each.caps:
            kept_ms = counted.get(cap.counter.state_key, 0)
            unheard_of = cap.counter.of == "activation" and each.id not in before.activations.by_id
            if kept_ms >= cap.within_ms or unheard_of:
                continue
            what = f"the cap of {cap.counter.of} {cap.counter.value}, at most {cap.at_most} within"
            since = "only messages from now on" if not kept_ms else f"messages of the last {format_duration(kept_ms)}"
            said = f"{what} {format_duration(cap.within_ms)}, counts {since}; it is whole"
            found[f"{said} {_until(now_ms + cap.within_ms - kept_ms, 'from')}"].append(each.id)
    for said, activations in found.items():
        yield f"{', '.join(activations)}: {said}"


def _leaves(segment: SegmentPlan) -> Iterator[tuple[str, Condition]]:
    for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
        if node is not None:
            yield from ((path, leaf) for path, leaf, _ in leaves(node, rule))


def _known_ms(leaf: Pending) -> int:
    return max(guard.complete_ms for guard in leaf.guards)


def _until(instant_ms: int, word: str = "until") -> str:
    return "ever" if instant_ms >= FOREVER else f"{word} {format_instant(instant_ms)}"


def _until_mark(leaf: Pending) -> str:
    marks = {guard.mark for guard in leaf.guards if guard.complete_ms >= FOREVER}
    return "" if None in marks else f" until their next {' or '.join(sorted(filter(None, marks)))}"

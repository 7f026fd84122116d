"""The condition `score`: points of events, which may decay, and of conditions that hold.

A state has the occurrences of each event item, in the order of the items (null: none yet). An event's points are
`P * 2.0 ** (-max(0, t - time) / half_life)` in IEEE doubles, added exactly and rounded once; between other changes
the sum only falls, so the first millisecond at which it falls below the threshold is found by bisection with the same
formula, from bounds that the shortest and the longest half-life give. Where there is one half-life only and that
instant is far, the lower bound serves: the engine looks again there.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import Completion, Condition, Node, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import ALWAYS, NEVER, UP, Alternatives
from rules.conditions.figures import exact_sum
from rules.conditions.kind import Kind
from rules.conditions.matching import read_matcher
from rules.conditions.mention import Mention, WalkRule, as_list, as_mapping, as_names, walk_events
from rules.conditions.occurrences import evidence_of
from rules.conditions.own_facts import own
from rules.conditions.scene import Judge, Scene
from rules.conditions.score_keys import EventItem, ScoreDefinition, WhenItem
from rules.conditions.score_points import Decaying, Points, ScoreMemory, bounds, copies, total
from rules.conditions.view import State, View
from rules.conditions.window import read_window
from rules.ground.instants import FOREVER
from rules.language.problems import DefinitionReader
from rules.language.validation import Path

NEAR_MS: Final = 8
"""Below this a bound is no gain over the exact instant."""


@dataclass(frozen=True, slots=True)
class When:
    """A `when` item, compiled: the points count while the rule holds."""

    index: int
    """Among all items, as written."""
    rule: Node
    points: float | int


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Score(Condition):
    """Holds while the points reach the threshold; without a verdict while one of its conditions is."""

    kind = "score"
    looks_at_history = True

    def __init__(self, definition: Any, items: tuple[Points, ...], whens: tuple[When, ...], least: float | int) -> None:
        self.definition = definition
        self._items = items
        self.whens = whens
        self._least = least
        self.memory = ScoreMemory(items) if items else None
        self.parts = _inside(whens)
        self.traits = frozenset[str]().union(*(part.traits for part in self.parts))
        self.segments = frozenset[str]().union(*(part.segments for part in self.parts))
        self.reads_consent = any(part.reads_consent for part in self.parts)
        self.reads_known_since = any(part.reads_known_since for part in self.parts)
        marks = {item.window.mark for item in items}
        self.mark = marks.pop() if len(marks) == 1 else None
        told = [item.describe() for item in items] + [f"{when.points} if {when.rule.describe()}" for when in whens]
        self._text = f"a score of at least {least}: {'; '.join(told)}"

    def verdict(self, view: View) -> Verdict:
        """Add the points; the next flip is a condition's, or the instant at which the decaying sum has fallen below."""
        fixed: list[float | int] = []
        open_: list[int] = []
        when_ms = FOREVER
        for when in self.whens:
            holds, next_ms = when.rule.verdict(view)
            if holds is None:
                open_.append(next_ms)
            elif holds:
                fixed.append(when.points)
            when_ms = min(when_ms, next_ms)
        if open_:
            return None, max(open_)
        decaying = self._decaying(view, fixed)
        if not decaying:
            return exact_sum(fixed) >= self._least, when_ms
        t_ms = view.t_ms
        if total(fixed, decaying, t_ms) < self._least:
            return False, when_ms
        return True, self._falls_ms(fixed, decaying, t_ms, when_ms)

    def _decaying(self, view: View, fixed: list[float | int]) -> list[Decaying]:
        """Return the points that decay; points that stay go to `fixed`."""
        decaying: list[Decaying] = []
        for item, known in self._states(view):
            times = item.times(known, view)
            if item.half_life_ms is None:
                for _, number in times:
                    fixed.extend(copies(item.points, number))
            else:
                decaying.extend((item.points, number, time_ms, item.half_life_ms) for time_ms, number in times)
        return decaying

    def _states(self, view: View) -> Iterator[tuple[Points, State]]:
        """Walk the items with their states; nothing while there is no state."""
        state = None if self.memory is None else view.facts.state(self.memory.state_key)
        return zip(self._items, state or (), strict=False)

    def _falls_ms(self, fixed: list[float | int], decaying: list[Decaying], t_ms: int, before_ms: int) -> int:
        """Return the first instant after t at which the sum is below the threshold; at most `before_ms`."""
        stays = exact_sum(fixed)
        if stays >= self._least:
            return before_ms
        low_ms, high_ms = bounds(self._least - stays, decaying, t_ms)

        def holds(at_ms: int) -> bool:
            return total(fixed, decaying, at_ms) >= self._least

        if low_ms <= t_ms or not holds(low_ms):
            low_ms = t_ms
        if before_ms <= low_ms:
            return before_ms
        if low_ms - t_ms > NEAR_MS and high_ms - low_ms < NEAR_MS:
            return low_ms
        step_ms = 1
        while holds(high_ms):
            low_ms, high_ms = high_ms, high_ms + step_ms
            step_ms *= 2
        while high_ms - low_ms > 1:
            middle_ms = (low_ms + high_ms) // 2
            if holds(middle_ms):
                low_ms = middle_ms
            else:
                high_ms = middle_ms
        return min(high_ms, before_ms)

    def with_inner(self, change: Callable[[Condition], Condition]) -> "Score":
        """Change the conditions of its `when` items."""
        if not self.whens:
            return self
        found = copy(self)
        found.whens = tuple(replace(when, rule=when.rule.with_leaves(change)) for when in self.whens)
        found.parts = _inside(found.whens)
        return found

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """Each of its event items has a window of its own; the conditions inside it are pending for themselves."""
        return tuple((item.window.complete_at(cut_ms), item.window.mark) for item in self._items)

    def describe(self) -> str:
        """`a score of at least 10: 5 for webinar.attended, halved every 30d; 3 if in segment a`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the events that count, and the evidence of the conditions that hold."""
        found: set[tuple[int, str, str]] = set()
        for item, known in self._states(view):
            found.update(evidence_of(item.memory.counted(known, view.mark(item.window.mark))[1]))
        for when in self.whens:
            if when.rule.verdict(view)[0]:
                found.update(event for part in when.rule.conditions() for event in part.evidence(view))
        return sorted(found)

    def capped(self, view: View) -> bool:
        """Tell whether an item's events, or what a condition inside remembers, were dropped at the limit."""
        if any(item.memory.capped(known, view.mark(item.window.mark)) for item, known in self._states(view)):
            return True
        return any(part.capped(view) for part in self.parts)

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Add up the sure points and the possible points; if neither decides, the score is a variable of its own."""
        events = (raw for raw in self.definition["score"] if "when" not in raw)
        sure: list[float] = []
        perhaps: list[float] = [UP for raw in events if judge.operators.match(as_names(raw["event"]), raw.get("where"))]
        for when in self.whens:
            if judge.always(when.rule, scene):
                sure.append(when.points)
            elif not judge.never(when.rule, scene):
                perhaps.append(when.points)
        if exact_sum(sure + [points for points in perhaps if points < 0]) >= self._least:
            return ALWAYS if holds else NEVER
        if UP not in perhaps and exact_sum(sure + [points for points in perhaps if points > 0]) < self._least:
            return NEVER if holds else ALWAYS
        return own(self, holds, scene, rule="" if scene.first_time else scene.rule)

    def rules_inside(self) -> Iterator[tuple[Path, Node]]:
        """Walk the rules of its `when` items."""
        for when in self.whens:
            yield ("score", when.index, "when"), when.rule


def _inside(whens: tuple[When, ...]) -> tuple[Condition, ...]:
    """Return the conditions of the `when` items."""
    return tuple(leaf for when in whens for leaf in when.rule.conditions())


def read_score(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Score | None:
    """Read a score condition, and the rules inside it."""
    keys = reader.model(ScoreDefinition)
    if keys is None:
        return None
    if not keys.score:
        reader.down("score").problem("'score' must have at least one item")
        return None
    before = len(reader.problems)
    items: list[Points] = []
    whens: list[When] = []
    for index, item in enumerate(reader.down("score").items()):
        if isinstance(item.value, dict) and "when" in item.value:
            when = item.model(WhenItem)
            node = None if when is None else nested(item.down("when"), context)
            if when is not None and node is not None:
                whens.append(When(index, node, when.points))
        else:
            points = _read_points(item, context)
            if points is not None:
                items.append(points)
    if len(reader.problems) > before:
        return None
    return Score(reader.value, tuple(items), tuple(whens), keys.at_least)


def _read_points(reader: DefinitionReader, context: RuleContext) -> Points | None:
    keys = reader.model(EventItem)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("event"), reader.down("where") if keys.where is not None else None, context)
    window = read_window(keys, reader, context, keys.bucket)
    if keys.points <= 0:
        reader.down("points").problem("'points' of an event must be above 0")
        return None
    if matcher is None or window is None:
        return None
    return Points(matcher, keys.points, keys.half_life, window)


def mentioned(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
    """Name what the items name."""
    for index, item in enumerate(as_list(raw.get("score"))):
        inside = (*path, "score", index)
        yield from nested(as_mapping(item).get("when"), (*inside, "when"))
        yield from walk_events(as_mapping(item), inside, "event")


KIND: Final[Kind] = Kind("score", Score, read_score, mentioned)

"""The points of the condition `score`: what its event items remember, and what the events are worth at an instant."""

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from mypy_extensions import mypyc_attr

from rules.conditions import bucketed
from rules.conditions.entry_memory import BucketedMemory, WindowMemory
from rules.conditions.figures import exact_sum
from rules.conditions.matching import Matcher
from rules.conditions.memory import Memory
from rules.conditions.shapes import is_row
from rules.conditions.view import State, View
from rules.conditions.window import Window, rounded_up
from rules.ground.event import Event
from rules.ground.instants import format_duration
from rules.language.problems import canonical_json

Decaying: TypeAlias = tuple[float | int, int, int, int]
"""Points of one event, how many events, the time from which they decay, and their half-life."""
HALF_LIVES_MAX: Final = 1100
"""After so many half-lives 2.0 ** -x is 0.0 (the smallest double is 2^-1074): the event may be forgotten."""


def copies(points: float | int, number: int) -> list[float | int]:
    """Return numbers that add up exactly to so many times the points: one for every bit of the number."""
    if number == 1:
        return [points]
    return [points * (1 << bit) for bit in range(number.bit_length()) if number >> bit & 1]


def total(fixed: list[float | int], decaying: list[Decaying], t_ms: int) -> float:
    """Return the sum of all points at an instant, added exactly and rounded once."""
    points = list(fixed)
    for each, number, time_ms, half_ms in decaying:
        now = each * 2.0 ** (-max(0, t_ms - time_ms) / half_ms)
        if number == 1:
            points.append(now)
        else:
            points.extend(copies(now, number))
    return exact_sum(points)


def bounds(needed: float, decaying: list[Decaying], t_ms: int) -> tuple[int, int]:
    """Return an instant at which the decaying points still suffice, and one at which they do not any more.

    Both are rough: the caller tries them. Nothing halves sooner than the shortest half-life after t, or later
    than the longest after the last event.
    """
    halves = [half_ms for *_, half_ms in decaying]
    start_ms = max(t_ms, *(time_ms for _, _, time_ms, _ in decaying))
    points = total([], decaying, t_ms)
    lives = math.log2(points) - math.log2(needed) if points < math.inf and needed > 0 else float(HALF_LIVES_MAX)
    low_ms = t_ms + math.floor(min(halves) * lives) - 2
    high_ms = start_ms + math.ceil(max(halves) * max(lives, 0.0)) + 2
    return low_ms, high_ms


class Points:
    """An event item, compiled. Frozen after construction."""

    def __init__(self, matcher: Matcher, points: float | int, half_life_ms: int | None, window: Window) -> None:
        self.matcher = matcher
        self.points = points
        self.half_life_ms = half_life_ms
        self.window = window
        self.key = [matcher.key, half_life_ms, window.key()]
        """What folding depends on."""
        # an event whose points have become nothing may be forgotten
        reach_ms = None if half_life_ms is None else half_life_ms * HALF_LIVES_MAX
        memory = WindowMemory if window.bucket_ms is None else BucketedMemory
        self.memory: WindowMemory = memory(canonical_json(self.key), (matcher,), window, reach_ms=reach_ms)

    def times(self, state: State, view: View) -> list[tuple[int, int]]:
        """Return the times from which the points of the events that count decay, and how many decay from each."""
        units, entries = self.memory.counted(state, view.mark(self.window.mark))
        times = [(rounded_up(entry[0], self.window.bucket_ms), 1) for entry in entries]
        times.extend((unit[0], unit[bucketed.NUMBER]) for unit in units)
        return times

    def describe(self) -> str:
        """`5 for webinar.attended, halved every 30d`."""
        halved = "" if self.half_life_ms is None else f", halved every {format_duration(self.half_life_ms)}"
        return f"{self.points} for {self.matcher.text}{self.window.describe()}{halved}"


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class ScoreMemory(Memory):
    """The memories of all event items, side by side: a state is the list of theirs."""

    def __init__(self, items: tuple[Points, ...]) -> None:
        self.take_name(canonical_json(["score", [item.key for item in items]]))
        self.memories = tuple(item.memory for item in items)
        """By item."""
        self._match(tuple(item.matcher for item in items))

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Fold every item."""
        moved: list[Any] | None = None
        for index, memory in enumerate(self.memories):
            if event.type not in memory.types:
                continue
            known = None if state is None else state[index]
            entries = memory.fold(known, event, arrival, t_ms)
            if entries is not known:
                if moved is None:
                    moved = [None] * len(self.memories) if state is None else list(state)
                moved[index] = entries
        return state if moved is None else moved

    def fold_past(self, state: State, event: Event, t_ms: int) -> State:
        """Fold every item."""
        known = [None] * len(self.memories) if state is None else state
        moved = [
            memory.fold_past(each, event, t_ms) if event.type in memory.types else each
            for memory, each in zip(self.memories, known, strict=True)
        ]
        return state if all(a is b for a, b in zip(moved, known, strict=True)) else moved

    def _join(self, states: list[State], t_ms: int) -> State:
        items = zip(*states, strict=True)
        return self._left([memory.join(known, t_ms) for memory, known in zip(self.memories, items, strict=True)])

    def arrived(self, state: State, arrival: int, known: Sequence[State]) -> State:
        """Every item's events arrive now."""
        if state is None:
            return None
        others = [each for each in known if each is not None]
        moved = [
            memory.arrived(each, arrival, [other[index] for other in others])
            for index, (memory, each) in enumerate(zip(self.memories, state, strict=True))
        ]
        return state if all(a is b for a, b in zip(moved, state, strict=True)) else moved

    def later(self, state: State, after_ms: int) -> State:
        """The later events of every item."""
        if state is None:
            return None
        return self._left([memory.later(each, after_ms) for memory, each in zip(self.memories, state, strict=True)])

    def _left(self, items: list[State]) -> State:
        return items if any(each is not None for each in items) else None

    def oldest_ms(self, t_ms: int) -> int:
        """Of the item that reaches back furthest."""
        return min(memory.oldest_ms(t_ms) for memory in self.memories)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop events whose points have become nothing."""
        if state is None:
            return None
        left = [memory.prune(known, t_ms) for memory, known in zip(self.memories, state, strict=True)]
        if not any(left):
            return None
        return state if all(a is b for a, b in zip(left, state, strict=True)) else left

    def is_state(self, value: State) -> bool:
        """A state of each item, or null."""
        if not is_row(value) or len(value) != len(self.memories):
            return False
        items = zip(self.memories, value, strict=True)
        return all(state is None or memory.is_state(state) for memory, state in items)

    def bytes_max(self) -> int:
        """The states of all items."""
        return sum(memory.bytes_max() for memory in self.memories)

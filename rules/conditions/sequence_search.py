"""The search of the condition `sequence`: whether some assignment of events to steps fits at an instant.

Dynamic programming over the distinct times of the events: all that a step asks looks back at the step before it only
(`within`, `after`, what follows from a `not`), or at one matched event (a `not` itself). Steps that fall on one time
take distinct events of it in any order: a small matching. The search keeps, for every step and time, the latest
possible first event, because the later it is, the later it leaves the outer window.
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import Final

from rules.conditions.occurrences import VALUE, Entries
from rules.ground.instants import FOREVER

NONE_MS: Final = -FOREVER
"""In place of a first event's time: no assignment."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step that matches an event. `bit` names its matcher; `nots` follow it, all beginning at its event."""

    bit: int
    within_ms: int
    """The gap to the event before it is less; FOREVER: any."""
    gap_ms: int
    """The gap is at least this: `after`, or the longest `not` between."""
    nots: tuple[tuple[int, int], ...] = ()
    """(bit, ms)."""


class Search:
    """One search over the entries that count at t."""

    __slots__ = ("_bit_times", "_entries", "_groups", "_steps", "_t_ms", "_times")

    def __init__(self, steps: tuple[Step, ...], entries: Entries, t_ms: int) -> None:
        self._steps = steps
        self._entries = entries
        self._t_ms = t_ms
        self._times: list[int] = []
        self._groups: list[list[int]] = []
        self._bit_times: dict[int, list[int]] = {}
        for entry in entries:
            if self._times and self._times[-1] == entry[0]:
                self._groups[-1].append(entry[VALUE])
            else:
                self._times.append(entry[0])
                self._groups.append([entry[VALUE]])

    def first_ms(self) -> int:
        """The latest possible time of the first event of an assignment that fits; NONE_MS: none fits."""
        steps = self._steps
        best = [[NONE_MS] * len(self._times) for _ in steps]
        before = [_Before(best[index - 1], self._times, step) if index else None for index, step in enumerate(steps)]
        for group, (time_ms, masks) in enumerate(zip(self._times, self._groups, strict=True)):
            alone = masks[0] if len(masks) == 1 else -1
            for start, step_before in enumerate(before):
                if not alone & steps[start].bit:
                    continue
                first_ms = time_ms if step_before is None else step_before.best(time_ms)
                if first_ms == NONE_MS:
                    continue
                if alone >= 0:
                    if all(self._passed(time_ms, alone, bit, ms) for bit, ms in steps[start].nots):
                        best[start][group] = first_ms
                    continue
                for end in range(start, min(len(steps), start + len(masks))):
                    if end > start and steps[end].gap_ms > 0:
                        break
                    if first_ms > best[end][group] and self._fits(start, end, time_ms, masks):
                        best[end][group] = first_ms
        return max(best[-1])

    def _fits(self, start: int, end: int, time_ms: int, masks: list[int]) -> bool:
        """Tell whether the steps from start to end can take distinct events of one time, the last as its nots allow."""
        last = self._steps[end]
        needed = [step.bit for step in self._steps[start:end]]
        for index, mask in enumerate(masks):
            if not mask & last.bit or not all(self._passed(time_ms, mask, bit, ms) for bit, ms in last.nots):
                continue
            if not needed or _matching(needed, masks[:index] + masks[index + 1 :]):
                return True
        return False

    def _passed(self, time_ms: int, mask: int, bit: int, length_ms: int) -> bool:
        """Tell whether by t no other event than the matched one, of that mask, denied it."""
        if time_ms + length_ms > self._t_ms:
            return False
        times = self._bit_times.get(bit)
        if times is None:
            times = self._bit_times[bit] = [entry[0] for entry in self._entries if entry[VALUE] & bit]
        found = bisect_left(times, time_ms + length_ms) - bisect_left(times, time_ms)
        return found == (1 if mask & bit else 0)


class _Before:
    """The best assignment up to the step before, among the times at the right distance: a sliding maximum."""

    __slots__ = ("_best", "_gap_ms", "_next", "_times", "_window", "_within_ms")

    def __init__(self, best: list[int], times: list[int], step: Step) -> None:
        self._best = best
        self._times = times
        self._gap_ms = max(1, step.gap_ms)  # at one time: `_fits` takes those steps together
        self._within_ms = step.within_ms
        self._next = 0
        self._window: deque[tuple[int, int]] = deque()

    def best(self, time_ms: int) -> int:
        """The latest first time; times asked for must not go back."""
        window, times = self._window, self._times
        while times[self._next] <= time_ms - self._gap_ms:
            found_ms = self._best[self._next]
            if found_ms != NONE_MS:
                while window and window[-1][1] <= found_ms:
                    window.pop()
                window.append((times[self._next], found_ms))
            self._next += 1
        while window and time_ms - window[0][0] >= self._within_ms:
            window.popleft()
        return window[0][1] if window else NONE_MS


def _matching(bits: list[int], masks: list[int]) -> bool:
    """Tell whether every bit can have a mask of its own that has it (augmenting paths)."""
    owner: dict[int, int] = {}
    return len(bits) <= len(masks) and all(_place(bit, set(), owner, bits, masks) for bit in range(len(bits)))


def _place(bit: int, tried: set[int], owner: dict[int, int], bits: list[int], masks: list[int]) -> bool:
    """Give a bit a mask, and the bit that had it another one. `owner`: by mask; `tried`: masks that were tried.

    It is no function within `_matching`: one that calls itself is a cycle, the only one that an event would leave to
    the garbage collector.
    """
    for index, mask in enumerate(masks):
        if mask & bits[bit] and index not in tried:
            tried.add(index)
            if index not in owner or _place(owner[index], tried, owner, bits, masks):
                owner[index] = bit
                return True
    return False

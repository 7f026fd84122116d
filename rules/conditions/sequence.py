"""The condition `sequence`: distinct events, one a step, of non-decreasing time, with what must not come between.

A state keeps the events that match any step, each with a bit mask of the matchers it satisfies (its fifth field).
Whether some assignment of events to steps fits at t is found by dynamic programming over the distinct times of the
events: all that a step asks looks back at the step before it only (`within`, `after`, what follows from a `not`), or
at one matched event (a `not` itself). Steps that fall on one time take distinct events of it in any order: a small
matching. The search keeps, for every step and time, the latest possible first event, because that is what leaves
the outer window last.

Time can make it true (a `not` has passed) or false (the first event leaves). While it is true it stays so until the
best first event leaves; when it is false, the instants at which some `not` passes are tried in turn.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any, Final

from rules.conditions.base import ReadRule, RuleContext, Verdict
from rules.conditions.in_window import InWindow
from rules.conditions.matching import Matcher, read_matcher
from rules.conditions.occurrences import (
    ENTRY_BYTES,
    MEMORY,
    VALUE,
    WALK_MAX,
    Entries,
    drop_until,
    entry_of,
    keep_all,
    remembered,
)
from rules.conditions.view import State, View
from rules.conditions.window import Definition, SinceKeys, Window, read_window
from rules.ground.event import Event
from rules.ground.instants import FOREVER, format_duration
from rules.language.operators import FALSE
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Duration, Maybe

MASK_BYTES: Final = 4
NONE_MS: Final = -FOREVER
"""In place of a first event's time: no assignment."""


class SequenceDefinition(SinceKeys):
    """`sequence: [S, {…, within: D}, {not: S, within: D}, {…, after: D}], within: D`, since."""

    sequence: list[Any]
    within: Duration


class StepDefinition(Definition):
    """`{event: T, where: {…}, within: D, after: D}`."""

    event: Any
    where: Maybe[dict[str, Any]] = None
    within: Maybe[Duration] = None
    after: Maybe[Duration] = None


class BareDefinition(Definition):
    """What a `not` names: `{event: T, where: {…}}`."""

    event: Any
    where: Maybe[dict[str, Any]] = None


class NotDefinition(Definition):
    """`{not: S, within: D}`."""

    not_: Any
    within: Duration


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


class Sequence(InWindow):
    """Holds when some assignment of remembered events to the steps fits."""

    kind = "sequence"

    def __init__(
        self, definition: Any, matchers: tuple[Matcher, ...], steps: tuple[Step, ...], window: Window, text: str
    ) -> None:
        assert window.within_ms is not None
        types = frozenset[str]().union(*(matcher.types for matcher in matchers))
        super().__init__(definition, types, window, f"{text}{window.describe()}")
        self._within_ms = window.within_ms
        self._matchers = tuple((1 << index, matcher.types, matcher.where) for index, matcher in enumerate(matchers))
        self._steps = steps
        self._needed = 0
        for step in steps:
            self._needed |= step.bit
        self._denies = any(step.nots for step in steps)
        self.state_key = canonical_json(["sequence", [matcher.key for matcher in matchers], self._needed, window.key()])

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the event if it matches a step."""
        mask = 0
        for bit, types, where in self._matchers:
            if event.type in types and (where is None or where(event)):
                mask |= bit
        if not mask or not self.window.admits(event.time_ms):
            return state
        entry = entry_of(event, arrival)
        entry.append(mask)
        return keep_all(state, entry, t_ms - self._within_ms)

    def prune(self, state: State, t_ms: int) -> State:
        """Drop what has left the window."""
        return drop_until(state, t_ms - self._within_ms)

    def inert(self, state: State) -> bool:
        """Some step has no match at all, and none was pushed out of memory (the steps' matchers are in the key)."""
        if not state:
            return True
        entries = remembered(state)
        return len(entries) < MEMORY and not self._may_hold(entries)

    def verdict(self, view: View) -> Verdict:
        """Search; see the module for the next flip."""
        entries = self.entries(view)
        if len(entries) < len(self._steps) or not self._may_hold(entries):
            return FALSE
        t_ms = view.t_ms
        first_ms = _Search(self._steps, entries, t_ms).first_ms()
        if first_ms != NONE_MS:
            return True, first_ms + self._within_ms
        return (False, self._next_passed(entries, t_ms)) if self._denies else FALSE

    def _may_hold(self, entries: Entries) -> bool:
        found = 0
        for entry in entries:
            found |= entry[VALUE]
        return found & self._needed == self._needed

    def _next_passed(self, entries: Entries, t_ms: int) -> int:
        """The first instant at which a `not` has passed and the sequence holds."""
        passed: set[int] = {
            entry[0] + length_ms
            for entry in entries
            for step in self._steps
            if entry[VALUE] & step.bit
            for _, length_ms in step.nots
        }
        instants = sorted(instant_ms for instant_ms in passed if instant_ms > t_ms)
        for instant_ms in instants[:WALK_MAX]:
            left = drop_until(entries, instant_ms - self._within_ms)
            if left and _Search(self._steps, left, instant_ms).first_ms() != NONE_MS:
                return instant_ms
        return instants[WALK_MAX] if len(instants) > WALK_MAX else FOREVER

    def entries(self, view: View) -> Entries:
        """Those in the window that match a step."""
        return drop_until(super().entries(view), view.t_ms - self._within_ms) or []

    def state_bytes_max(self) -> int:
        """All entries up to the limit."""
        return (MEMORY + 1) * (ENTRY_BYTES + MASK_BYTES)


class _Search:
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
    """The best assignment up to the step before, over the times at the right distance: a sliding maximum."""

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

    def place(bit: int, tried: set[int]) -> bool:
        for index, mask in enumerate(masks):
            if mask & bits[bit] and index not in tried:
                tried.add(index)
                if index not in owner or place(owner[index], tried):
                    owner[index] = bit
                    return True
        return False

    return len(bits) <= len(masks) and all(place(bit, set()) for bit in range(len(bits)))


class _Reading:
    """Reads the steps of one sequence; equal matchers share a bit."""

    def __init__(self, context: RuleContext) -> None:
        self._context = context
        self.matchers: list[Matcher] = []
        self.steps: list[Step] = []
        self.texts: list[str] = []

    def read(self, items: Items[DefinitionReader]) -> None:
        """Read all; every problem is recorded."""
        for index, reader in enumerate(items):
            if isinstance(reader.value, dict) and "not" in reader.value:
                self._read_not(reader, index)
            else:
                self._read_step(reader, index)

    def _read_not(self, reader: DefinitionReader, index: int) -> None:
        keys = reader.model(NotDefinition)
        if keys is None:
            return
        if index == 0:
            reader.problem("'not' cannot be first: it begins at the event matched before it")
            return
        matcher = self._matcher(reader.down("not"))
        if matcher is None or not self.steps:
            return
        last = self.steps[-1]
        nots = (*last.nots, (self._bit(matcher), keys.within))
        self.steps[-1] = Step(last.bit, last.within_ms, last.gap_ms, nots)
        self.texts.append(f"no {matcher.text} within {format_duration(keys.within)}")

    def _read_step(self, reader: DefinitionReader, index: int) -> None:
        within_ms = after_ms = None
        if isinstance(reader.value, dict):
            keys = reader.model(StepDefinition)
            if keys is None:
                return
            within_ms, after_ms = keys.within, keys.after
            here = reader.down("event"), reader.down("where") if keys.where is not None else None
            matcher = read_matcher(*here, self._context)
        else:
            matcher = read_matcher(reader, None, self._context)
        if index == 0 and (within_ms is not None or after_ms is not None):
            reader.problem("the first step has no event before it: 'within' and 'after' are for later ones")
            return
        if matcher is None:
            return
        length_ms = max((ms for _, ms in self.steps[-1].nots), default=0) if self.steps else 0
        gap_ms = max(after_ms or 0, length_ms)
        self.steps.append(Step(self._bit(matcher), FOREVER if within_ms is None else within_ms, gap_ms))
        after = "" if after_ms is None else f" at least {format_duration(after_ms)} later"
        within = "" if within_ms is None else f" less than {format_duration(within_ms)} later"
        self.texts.append(f"{matcher.text}{after}{within}")

    def _matcher(self, reader: DefinitionReader) -> Matcher | None:
        if not isinstance(reader.value, dict):
            return read_matcher(reader, None, self._context)
        keys = reader.model(BareDefinition)
        if keys is None:
            return None
        return read_matcher(
            reader.down("event"), reader.down("where") if keys.where is not None else None, self._context
        )

    def _bit(self, matcher: Matcher) -> int:
        for index, known in enumerate(self.matchers):
            if known.key == matcher.key:
                return 1 << index
        self.matchers.append(matcher)
        return 1 << len(self.matchers) - 1


def read_sequence(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Sequence | None:
    """Read a sequence condition."""
    keys = reader.model(SequenceDefinition)
    if keys is None:
        return None
    if not keys.sequence:
        reader.down("sequence").problem("'sequence' must have at least one step")
        return None
    before = len(reader.problems)
    reading = _Reading(context)
    reading.read(list(reader.down("sequence").items()))
    found = read_window(keys, reader, context)
    if found is None or len(reader.problems) > before:
        return None
    window = Window(keys.within, None, found.since_ms, None, found.mark)
    return Sequence(reader.value, tuple(reading.matchers), tuple(reading.steps), window, ", then ".join(reading.texts))

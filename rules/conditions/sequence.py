"""The condition `sequence`: distinct events, one a step, of non-decreasing time, with what must not come between.

A state keeps the events that match any step, each with a bit mask of the matchers it satisfies (its fifth field).
Whether some assignment of events to steps fits at t is found by a search (`rules.conditions.sequence_search`).

Time can make it true (a `not` has passed) or false (the first event leaves). While it is true it stays so until the
best first event leaves; when it is false, the instants at which some `not` passes are tried in turn.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.entry_memory import WindowMemory
from rules.conditions.facts import ALWAYS, NEVER, Alternatives
from rules.conditions.in_window import InWindow
from rules.conditions.kind import Kind
from rules.conditions.matching import Matcher, read_matcher
from rules.conditions.mention import Mention, WalkRule, as_list, as_names, walk_events
from rules.conditions.occurrences import ENTRIES_MAX, VALUE, WALK_MAX, Entries, drop_until, remembered
from rules.conditions.own_facts import nothing_yet, own
from rules.conditions.scene import Judge, Scene
from rules.conditions.sequence_keys import BareDefinition, NotDefinition, SequenceDefinition, StepDefinition
from rules.conditions.sequence_search import NONE_MS, Search, Step
from rules.conditions.shapes import is_whole
from rules.conditions.view import State, View
from rules.conditions.window import Window, read_window
from rules.ground.event import Event
from rules.ground.instants import AHEAD_LIMIT_MS, FOREVER, format_duration
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Path
from rules.language.value_test import FALSE

MASK_BYTES: Final = 4


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class SequenceMemory(WindowMemory):
    """The events of the window that match a step, or what must not come; an entry's value says which."""

    def __init__(self, matchers: tuple[Matcher, ...], needed: int, window: Window) -> None:
        self._bits = tuple((1 << index, matcher.types, matcher.where) for index, matcher in enumerate(matchers))
        self._needed = needed
        super().__init__(
            canonical_json(["sequence", [matcher.key for matcher in matchers], needed, window.key()]),
            matchers,
            window,
            reach_ms=window.within_ms,
            value_of=self._mask,
            value_bytes=MASK_BYTES,
            shape=is_whole,
        )

    def _mask(self, event: Event) -> int | None:
        """Return which matchers the event satisfies; None: none."""
        mask = 0
        for bit, types, where in self._bits:
            if event.type in types and (where is None or where.holds(event)):
                mask |= bit
        return mask or None

    def inert(self, state: State) -> bool:
        """Some step has no match at all, and none was pushed out of memory (the steps' matchers are in the key)."""
        if not state:
            return True
        entries = remembered(state)
        return len(entries) < ENTRIES_MAX and not may_hold(entries, self._needed)


def may_hold(entries: Entries, needed: int) -> bool:
    """Tell whether every needed bit is in the mask of some entry."""
    found = 0
    for entry in entries:
        found |= entry[VALUE]
    return found & needed == needed


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Sequence(InWindow):
    """Holds when some assignment of remembered events to the steps fits."""

    kind = "sequence"

    def __init__(
        self, definition: Any, matchers: tuple[Matcher, ...], steps: tuple[Step, ...], window: Window, text: str
    ) -> None:
        assert window.within_ms is not None
        needed = 0
        for step in steps:
            needed |= step.bit
        super().__init__(definition, SequenceMemory(matchers, needed, window), window, f"{text}{window.describe()}")
        self._within_ms = window.within_ms
        self._steps = steps
        self._needed = needed
        self._denies = any(step.nots for step in steps)

    def verdict(self, view: View) -> Verdict:
        """Search; see the module for the next flip."""
        t_ms = view.t_ms
        entries = drop_until(self.counted(view)[1], t_ms - self._within_ms) or []
        if len(entries) < len(self._steps) or not may_hold(entries, self._needed):
            return FALSE
        first_ms = Search(self._steps, entries, t_ms).first_ms()
        if first_ms != NONE_MS:
            return True, first_ms + self._within_ms
        return (False, self._next_passed(entries, t_ms)) if self._denies else FALSE

    def _next_passed(self, entries: Entries, t_ms: int) -> int:
        """Return the first instant at which a `not` has passed and the sequence holds."""
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
            if left and Search(self._steps, left, instant_ms).first_ms() != NONE_MS:
                return instant_ms
        return instants[WALK_MAX] if len(instants) > WALK_MAX else FOREVER

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say nothing but itself; never, if its waits leave no room for it, or no event can match a step."""
        steps = self.definition["sequence"]
        if nothing_yet(self, scene) or not self._has_room():
            return NEVER if holds else ALWAYS
        for step in steps:
            matched = isinstance(step, dict) and "not" not in step
            if matched and not judge.operators.match(as_names(step["event"]), step.get("where")):
                return NEVER if holds else ALWAYS
        return own(self, holds, scene)

    def _has_room(self) -> bool:
        """Tell whether the waits leave room for the sequence: the first match lies less than `within` ago."""
        lasts_ms = 0
        for index, step in enumerate(self._steps):
            if index and step.within_ms <= step.gap_ms:
                return False
            lasts_ms += step.gap_ms
        quiet_ms = max((length_ms for _, length_ms in self._steps[-1].nots), default=0)
        # the last match may be a little ahead, but a quiet after it must have passed
        return lasts_ms + quiet_ms < (self._within_ms if quiet_ms else self._within_ms + AHEAD_LIMIT_MS)


class _StepsReader:
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
    steps = _StepsReader(context)
    steps.read(list(reader.down("sequence").items()))
    found = read_window(keys, reader, context)
    if found is None or len(reader.problems) > before:
        return None
    window = Window(keys.within, None, found.since_ms, None, found.mark)
    return Sequence(reader.value, tuple(steps.matchers), tuple(steps.steps), window, ", then ".join(steps.texts))


def mentioned(raw: Mapping[str, Any], path: Path, nested: WalkRule) -> Iterator[Mention]:
    """Name what the steps name."""
    for index, step in enumerate(as_list(raw.get("sequence"))):
        yield from _mentioned_by_step(step, (*path, "sequence", index))


def _mentioned_by_step(step: Any, path: Path) -> Iterator[Mention]:
    """Walk a step: a type, a list of types, `{event: …}` or `{not: S}`."""
    if isinstance(step, dict) and "not" in step:
        yield from _mentioned_by_step(step["not"], (*path, "not"))
    elif isinstance(step, dict):
        yield from walk_events(step, path, "event")
    else:
        for name in as_names(step):
            yield Mention("event", name, path)


KIND: Final[Kind] = Kind("sequence", Sequence, read_sequence, mentioned)

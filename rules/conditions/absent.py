"""The condition `absent`: no matching event for so long, and the absence was observed for so long."""

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, Final, Self

from mypy_extensions import mypyc_attr

from rules.conditions.absent_keys import AbsentDefinition
from rules.conditions.base import Completion, Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import ALWAYS, NEVER, UP, Alternatives, Counted, Range
from rules.conditions.kind import Kind
from rules.conditions.matching import Matcher, compared_attributes, read_matcher
from rules.conditions.memory import Memory, state_key_of
from rules.conditions.mention import mentions_events
from rules.conditions.occurrences import ENTRY_BYTES
from rules.conditions.scene import Compared, Judge, Scene
from rules.conditions.shapes import is_name, is_row
from rules.conditions.view import State, View
from rules.conditions.window import Window
from rules.ground.event import Event
from rules.ground.instants import FOREVER, format_duration
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import FALSE, TRUE


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class LatestMatch(Memory):
    """Remembers the latest match; a state is its [time, source, id].

    All absences of the same events share one state, however long they are: it reaches back as far as the longest.
    """

    shares_text = True

    def __init__(self, matcher: Matcher, reach_ms: int) -> None:
        """`reach_ms`: a match so old is forgotten."""
        self.take_name(canonical_json(["absent", matcher.key]))
        self._match((matcher,))
        self._where = matcher.where
        self.reach_ms = reach_ms
        self._shortest_ms = reach_ms
        self.former_keys = (state_key_of(canonical_json(["absent", matcher.key, reach_ms])),)

    def joined(self, other: Self) -> Self:
        """Reach as far back as either."""
        found = copy(self)
        found.former_keys = tuple(dict.fromkeys((*self.former_keys, *other.former_keys)))
        found.reach_ms = max(self.reach_ms, other.reach_ms)
        found._shortest_ms = min(self._shortest_ms, other._shortest_ms)  # noqa: SLF001
        return found

    def united(self, former: Sequence[State]) -> State:
        """The latest of them."""
        return max(former)

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the latest."""
        if self._where is not None and not self._where.holds(event):
            return state
        if event.time_ms <= t_ms - self.reach_ms:
            return state
        match = [event.time_ms, event.source, event.id]
        return match if state is None or match > state else state

    def _join(self, states: list[State], t_ms: int) -> State:
        return self.prune(max(states), t_ms)

    def later(self, state: State, after_ms: int) -> State:
        """The latest is later, or none is."""
        return state if state is not None and state[0] > after_ms else None

    def stands_until(self, state: State) -> int:
        """As long as the shortest of the absences is not reached."""
        return -FOREVER if state is None else int(state[0]) + self._shortest_ms - self._shortest_ms // 2

    def oldest_ms(self, t_ms: int) -> int:
        """As the longest window says."""
        return t_ms - self.reach_ms

    def prune(self, state: State, t_ms: int) -> State:
        """Drop it when it has left the longest window."""
        return None if state is not None and state[0] <= t_ms - self.reach_ms else state

    def is_state(self, value: State) -> bool:
        """One identity."""
        return is_row(value) and is_name(value)

    def bytes_max(self) -> int:
        """One entry."""
        return ENTRY_BYTES


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Absent(Condition):
    """Holds when the latest match, and the beginning of the observation, lie so long ago."""

    kind = "absent"
    lasts = True
    looks_at_history = True

    def __init__(self, definition: Any, matcher: Matcher, within_ms: int, in_enter: bool) -> None:
        self.definition = definition
        self.memory = LatestMatch(matcher, within_ms)
        self.reads_known_since = in_enter
        self.state_key = self.memory.state_key
        self._matcher = matcher
        self._within_ms = within_ms
        self._text = f"no {matcher.text} within {format_duration(within_ms)}"

    def verdict(self, view: View) -> Verdict:
        """True from so long after the last match, and after the observation began, on."""
        since_ms = view.observed_since_ms
        if since_ms is None:
            return FALSE
        last = view.facts.state(self.state_key)
        if last is not None and last[0] > since_ms:
            since_ms = last[0]
        absent_ms = since_ms + self._within_ms
        return TRUE if view.t_ms >= absent_ms else (False, absent_ms)

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """As of a window `within`."""
        return ((Window(within_ms=self._within_ms).complete_at(cut_ms), None),)

    def describe(self) -> str:
        """`no portal.login within 60d`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the latest match, as long as it is in the window."""
        last = view.facts.state(self.state_key)
        return [(last[0], last[1], last[2])] if last and last[0] > view.t_ms - self._within_ms else []

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say how long the absence has lasted, and that nothing is in the window if it holds."""
        if scene.entering:
            return NEVER if holds else ALWAYS
        where = self.definition.get("where")
        length = ("absent", scene.rule, canonical_json([sorted(self._matcher.types), where]))
        if not holds:
            return [frozenset({Range(length, high=self._within_ms - 1)})]
        text = "" if where is None else canonical_json(where)
        counted = Counted(self._matcher.types, text, Window(within_ms=self._within_ms))
        longest = scene.stay_max_ms if scene.rule == "exit" else UP
        return [frozenset({Range(length, low=self._within_ms, high=longest), Range(counted, 0, 0)})]

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """Walk `where`."""
        return compared_attributes(self.definition, self._matcher.types, dictionary)


def read_absent(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Absent | None:
    """Read an absent condition."""
    keys = reader.model(AbsentDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("absent"), reader.down("where") if keys.where is not None else None, context)
    return None if matcher is None else Absent(reader.value, matcher, keys.within, context.rule == "enter")


KIND: Final[Kind] = Kind("absent", Absent, read_absent, mentions_events("absent"), types_key="absent")

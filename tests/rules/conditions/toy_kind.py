"""A kind of condition that Segue does not have, in one module: `first: T, within: D`, D from the first match on.

It is what an author of a new kind writes; `test_toy_kind` adds its one row to the table.
"""

from collections.abc import Iterator
from typing import Any, Final

from rules.conditions.base import Completion, Condition, ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import ALWAYS, NEVER, Alternatives
from rules.conditions.kind import Kind
from rules.conditions.matching import Matcher, compared_attributes, read_matcher
from rules.conditions.matching_keys import AttributeTests
from rules.conditions.memory import Memory
from rules.conditions.mention import mentions_events
from rules.conditions.occurrences import ENTRY_BYTES
from rules.conditions.own_facts import own
from rules.conditions.scene import Compared, Judge, Scene
from rules.conditions.view import State, View
from rules.conditions.window_keys import Definition
from rules.ground.event import Event
from rules.ground.instants import FOREVER, format_duration
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.validation import Duration, Maybe
from rules.language.value_test import FALSE


class FirstDefinition(Definition):
    """`first: T, where: {…}, within: D`."""

    first: Any
    where: Maybe[AttributeTests] = None
    within: Duration


class FirstMatch(Memory):
    """Remembers the first match; a state is its [time, source, id]."""

    def __init__(self, matcher: Matcher) -> None:
        self.take_name(canonical_json(["first", matcher.key]))
        self.types = matcher.types
        self._matcher = matcher

    def fold(self, state: State, event: Event, arrival: int, t_ms: int) -> State:
        """Keep the first."""
        match = [event.time_ms, event.source, event.id]
        return match if self._matcher.matches(event) and (state is None or match < state) else state

    def _join(self, states: list[State], t_ms: int) -> State:
        return min(states)

    def later(self, state: State, after_ms: int) -> State:
        """The first one, if it is later; of those after it nothing is known."""
        return state if state is not None and state[0] > after_ms else None

    def is_state(self, value: State) -> bool:
        """One identity."""
        return isinstance(value, list) and len(value) == 3

    def prune(self, state: State, t_ms: int) -> State:
        """Keep it for ever."""
        return state

    def bytes_max(self) -> int:
        """One entry."""
        return ENTRY_BYTES


class First(Condition):
    """Holds for so long after the first match."""

    kind = "first"
    looks_at_history = True

    def __init__(self, definition: Any, matcher: Matcher, within_ms: int) -> None:
        self.definition = definition
        self.memory: FirstMatch = FirstMatch(matcher)
        self._matcher = matcher
        self._within_ms = within_ms
        self._text = f"the first {matcher.text} within {format_duration(within_ms)}"

    def verdict(self, view: View) -> Verdict:
        """True until the first match is so long ago."""
        match = view.facts.state(self.memory.state_key)
        if match is None or view.t_ms >= match[0] + self._within_ms:
            return FALSE
        return True, match[0] + self._within_ms

    def describe(self) -> str:
        """`the first portal.login within 30d`."""
        return self._text

    def evidence(self, view: View) -> list[tuple[int, str, str]]:
        """Return the first match."""
        match = view.facts.state(self.memory.state_key)
        return [] if match is None else [(match[0], match[1], match[2])]

    def completions(self, cut_ms: int) -> tuple[Completion, ...]:
        """Never: an earlier first match may always lie before the cut."""
        return ((FOREVER, None),)

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say nothing but itself; never, if no event can match."""
        if not judge.operators.match(self._matcher.types, self.definition.get("where")):
            return NEVER if holds else ALWAYS
        return own(self, holds, scene)

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """Walk `where`."""
        return compared_attributes(self.definition, self._matcher.types, dictionary)


def read_first(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> First | None:
    """Read a first condition."""
    keys = reader.model(FirstDefinition)
    if keys is None:
        return None
    matcher = read_matcher(reader.down("first"), reader.down("where") if keys.where is not None else None, context)
    return None if matcher is None else First(reader.value, matcher, keys.within)


KIND: Final = Kind("first", First, read_first, mentions_events("first"), types_key="first")

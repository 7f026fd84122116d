"""The condition `held`: operators on a trait that have held all the time for so long."""

from collections.abc import Iterator
from typing import Any, Final

from mypy_extensions import mypyc_attr

from rules.conditions.base import ReadRule, Verdict
from rules.conditions.context import RuleContext
from rules.conditions.facts import Alternatives, Range
from rules.conditions.held_keys import HeldDefinition
from rules.conditions.kind import Kind
from rules.conditions.mention import mentions_trait
from rules.conditions.occurrences import Entries
from rules.conditions.scene import Compared, Judge, Scene
from rules.conditions.settings import VALUE, OfSettings
from rules.conditions.trait import compared_trait, read_trait_test, trait_keys
from rules.conditions.view import View
from rules.ground.instants import FOREVER, format_duration
from rules.language.dictionary import Dictionary
from rules.language.problems import DefinitionReader, canonical_json
from rules.language.value_test import Interval, Test


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class Held(OfSettings):
    """Holds at t when it held throughout [t − D, t], and the profile was known at t − D.

    At t the value is the trait's (even if it was set a little ahead of t); before t each setting stands from its own
    time. The standing values pass the test on a set of intervals [a, b). It holds at t if a + D ≤ t ≤ b for one of
    them, the trait's value passes at t, and t is not before `known since` + D.
    """

    kind = "held"
    one_a_millisecond = True
    reads_known_since = True

    def __init__(self, definition: Any, trait: str, test: Test, for_ms: int) -> None:
        super().__init__(definition, trait, for_ms, f"{trait} {test.text} for {format_duration(for_ms)}")
        self._test = test

    def verdict(self, view: View) -> Verdict:
        """Look for the interval that t is in, else for the first that a later t will be in."""
        t_ms, for_ms = view.t_ms, self._reach_ms
        history = self.history(view)
        long_ms = view.facts.known_since_ms + for_ms
        unknown_ms = self.unknown_before(history, view)
        if unknown_ms is not None and t_ms < unknown_ms + for_ms:
            # before the profile was known there was no value
            return (False, long_ms) if t_ms < long_ms else (None, unknown_ms + for_ms)
        register = view.facts.traits.get(self._trait)
        passes_ms, fails_ms = self._test.interval(None if register is None else register.value)
        earliest_ms = max(passes_ms, long_ms)
        next_ms = FOREVER
        for start_ms, end_ms in self._standing(history):
            if end_ms < t_ms:
                break
            first_ms, last_ms = max(start_ms + for_ms, earliest_ms), min(end_ms, fails_ms - 1)
            if first_ms > last_ms:
                continue
            if first_ms <= t_ms <= last_ms:
                return True, FOREVER if last_ms >= FOREVER - 1 else last_ms + 1
            if first_ms > t_ms:
                next_ms = first_ms
        return False, next_ms

    def _standing(self, history: Entries) -> Iterator[Interval]:
        """Walk the intervals on which the standing value passes, the latest first, none touching the next."""
        open_: Interval | None = None
        until_ms = FOREVER
        for index in range(len(history) - 1, -2, -1):
            from_ms, value = (history[index][0], history[index][VALUE]) if index >= 0 else (-FOREVER, None)
            passes_ms, fails_ms = self._test.interval(tuple(value) if isinstance(value, list) else value)
            start_ms, end_ms = max(from_ms, passes_ms), min(until_ms, fails_ms)
            if start_ms < end_ms:
                if open_ is not None and open_[0] == end_ms:
                    open_ = start_ms, open_[1]
                else:
                    if open_ is not None:
                        yield open_
                    open_ = start_ms, end_ms
            until_ms = from_ms
        if open_ is not None:
            yield open_

    def facts(self, judge: Judge, holds: bool, scene: Scene) -> Alternatives:
        """Say for how long it has held, and that it holds now."""
        raw, for_ms = self.definition, self._reach_ms
        length = ("held", canonical_json({key: value for key, value in raw.items() if key != "for"}))
        if not holds:
            return [frozenset({Range(length, high=for_ms - 1)})]
        return [frozenset({Range(length, low=for_ms), *judge.operators.of_trait(raw)})]

    def compared(self, dictionary: Dictionary) -> Iterator[Compared]:
        """The trait."""
        return compared_trait(self.definition, dictionary)


def read_held(reader: DefinitionReader, context: RuleContext, nested: ReadRule) -> Held | None:
    """Read a trait condition with `for`."""
    keys = reader.model(HeldDefinition, trait_keys(reader, context))
    if keys is None:
        return None
    test = read_trait_test(reader, keys.trait, context)
    return None if test is None else Held(reader.value, keys.trait, test, keys.for_)


KIND: Final[Kind] = Kind("trait", Held, read_held, mentions_trait("trait"), also="for")

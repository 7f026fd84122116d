"""What the condition `event` remembers: no more events than its numbers ask for.

Without `older_than` the window is bounded below only, so the latest k by (time, arrival) suffice: k for `at_least`,
one more than the largest number for the rest. With `older_than` alone and no mark, the earliest k do. With
`older_than` and `within` or a mark every event of the window may matter in its turn: all are kept, up to the limit.
Where more than the limit is needed and the definition says `bucket`, what overflows is counted by bucket.
"""

from mypy_extensions import mypyc_attr

from rules.conditions.entry_memory import BucketedMemory, EarliestMemory, LatestMemory, WindowMemory
from rules.conditions.matching import Matcher
from rules.conditions.occurrences import ENTRIES_MAX
from rules.conditions.view import State
from rules.conditions.window import Window, rounded_up
from rules.ground.instants import FOREVER
from rules.language.problems import canonical_json


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class LatestCountMemory(LatestMemory):
    """The latest matching events, as many as decide the count."""

    def __init__(self, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        self._least = least
        wanted = wanted_of(least, most)
        super().__init__(
            canonical_json(["event", matcher.key, wanted, least, window.key()]),
            (matcher,),
            window,
            reach_ms=None if window.within_ms is None else window.within_ms + (window.bucket_ms or 0),
            wanted=wanted,
        )

    def inert(self, state: State) -> bool:
        """Too few to reach the lower bound, which is part of the state's key: all conditions on this state have it."""
        return len(state) < self._least if state else self._least > 0

    def stands_until(self, state: State) -> int:
        """As long as enough events are in the window: the last that is counted can only become a later one."""
        least, window = self._least, self._window
        if not state or not least or len(state) < least:
            return -FOREVER
        if window.within_ms is None:
            return FOREVER
        return rounded_up(state[-least][0], window.bucket_ms) + window.within_ms - window.within_ms // 2


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class EarliestCountMemory(EarliestMemory):
    """The earliest matching events, as many as decide the count: for `older_than` alone, without a mark."""

    def __init__(self, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        self._least = least
        super().__init__(
            earliest_text(matcher, least, most, window),
            (matcher,),
            window,
            wanted=wanted_of(least, most),
        )

    def inert(self, state: State) -> bool:
        """Too few to reach the lower bound."""
        return len(state) < self._least if state else self._least > 0


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class AllCountMemory(WindowMemory):
    """All matching events that the window may reach: for `older_than` with `within` or a mark."""

    def __init__(self, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        self._least = least
        super().__init__(
            all_text(matcher, least, window),
            (matcher,),
            window,
            reach_ms=None if window.within_ms is None else window.within_ms + (window.bucket_ms or 0),
        )

    def inert(self, state: State) -> bool:
        """Too few to reach the lower bound."""
        return len(state) < self._least if state else self._least > 0


@mypyc_attr(allow_interpreted_subclasses=True, serializable=True)
class BucketedCountMemory(BucketedMemory):
    """All matching events, by bucket where there are more than the limit."""

    def __init__(self, matcher: Matcher, least: int, most: int | None, window: Window) -> None:
        super().__init__(bucketed_text(matcher, window), (matcher,), window, reach_ms=window.within_ms)


def wanted_of(least: int, most: int | None) -> int:
    """Return how many events decide the count; at least one, so that the state tells whether there was any."""
    return min(max(1, least if most is None else most + 1), ENTRIES_MAX)


def earliest_text(matcher: Matcher, least: int, most: int | None, window: Window) -> str:
    """Return the text of the state of `EarliestCountMemory`."""
    return canonical_json(["event", matcher.key, f"first {wanted_of(least, most)}", least, window.key()])


def all_text(matcher: Matcher, least: int, window: Window) -> str:
    """Return the text of the state of `AllCountMemory`."""
    return canonical_json(["event", matcher.key, "all", least, window.key()])


def bucketed_text(matcher: Matcher, window: Window) -> str:
    """Return the text of the state of `BucketedCountMemory`."""
    return canonical_json(["event", matcher.key, "bucketed", window.key()])

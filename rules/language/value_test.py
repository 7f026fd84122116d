"""A test of one value: several operators that must all hold, and on which instants they do.

`older_than` and `newer_than` compare with the instant, so a value passes a test on one interval of instants. Of *no
value* a test holds only where every operator of it does: `not_equals`, `not_in`, `exists: false`.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Final, TypeAlias, final

from rules.ground.event import Value
from rules.ground.instants import FOREVER

Check: TypeAlias = Callable[[Any], bool]
Interval: TypeAlias = tuple[int, int]
"""Instants from the first (inclusive) to the second (exclusive)."""

AT_EVERY_INSTANT: Final[Interval] = (-FOREVER, FOREVER)
AT_NO_INSTANT: Final[Interval] = (FOREVER, FOREVER)
TRUE: Final[tuple[bool | None, int]] = (True, FOREVER)
FALSE: Final[tuple[bool | None, int]] = (False, FOREVER)


@final
class Test:
    """Several operators on one value of one declared type; all must hold.

    `check` tests the part that does not change with time, of a value or None; `timed` says whether that is not all.
    """

    __test__: ClassVar[bool] = False  # no test class of pytest's
    __slots__ = ("_checks", "_newer_ms", "_nothing", "_older_ms", "among", "least", "rising", "text", "timed")

    def __init__(
        self,
        checks: tuple[Check, ...],
        nothing: bool,
        older_ms: int | None,
        newer_ms: int | None,
        text: str,
        rising: bool = False,
        among: frozenset[Value] | None = None,
        least: float | None = None,
    ) -> None:
        self.among = among
        """The only values of which it can hold; None: it does not say."""
        self.least = least
        """It holds of no number below, and of nothing that is no number; None: it does not say."""
        self.rising = rising
        """Whether it holds of every larger value too, if it holds of one."""
        self._older_ms = older_ms
        self._newer_ms = newer_ms
        self.timed = older_ms is not None or newer_ms is not None
        self.text = text
        """In plain English: `equals hcp and not in [a, b]`."""
        self._checks = checks
        self._nothing = nothing

    def check(self, value: Any) -> bool:
        """Test the part that does not change with time.

        A fact that kept another type from its arrival fails a test that cannot take it.
        """
        if value is None:
            return self._nothing
        try:
            for check in self._checks:
                if not check(value):
                    return False
        except (TypeError, AttributeError):
            return False
        return True

    def holds(self, value: Any, t_ms: int) -> bool:
        """Tell whether all operators hold of the value at t_ms; inside `where` that is the event's own time."""
        if not self.timed:
            return self.check(value)
        low, high = self.interval(value)
        return low <= t_ms < high

    def verdict(self, value: Any, t_ms: int) -> tuple[bool | None, int]:
        """Tell whether it holds at t_ms, and the exact next instant at which that changes."""
        if not self.timed:
            return TRUE if self.check(value) else FALSE
        low, high = self.interval(value)
        if t_ms < low:
            return False, low
        return (True, high) if t_ms < high else FALSE

    def interval(self, value: Any) -> Interval:
        """Tell on which instants it holds of the value; AT_NO_INSTANT where there are none."""
        if not self.check(value):
            return AT_NO_INSTANT
        if not self.timed:
            return AT_EVERY_INSTANT
        if not isinstance(value, int):  # no value; or an older fact of another type
            return AT_NO_INSTANT
        low = -FOREVER if self._older_ms is None else value + self._older_ms
        high = FOREVER if self._newer_ms is None else value + self._newer_ms
        return (low, high) if low < high else AT_NO_INSTANT

"""What links and erasures need of the partition that they happen in."""

from collections.abc import Sequence
from typing import Protocol

from rules.engine.change import AnyChange
from rules.engine.outcome import Item
from rules.engine.plan import Plan
from rules.engine.profile import Profile


class Host(Protocol):
    """The partition of a profile. What is not in memory, and is asked for here, does not exist."""

    generation: str
    logs: bool
    """Whether the facts of each profile are kept, for conditions that come in later."""

    @property
    def plan(self) -> Plan:
        """The plan in force."""
        ...

    def plan_of(self, profile: Profile) -> Plan:
        """Return the plan that a profile stands under."""
        ...

    def profile(self, subject: str) -> Profile | None:
        """Return a profile; None: nothing was ever told of the subject."""
        ...

    def linked(self, subject: str, r_ms: int) -> Profile:
        """Return a profile that remembers links; where there is none, it begins without facts."""
        ...

    def bring_up(self, profile: Profile, r_ms: int, items: list[Item]) -> None:
        """Fire a profile's wakes before an instant, and the visits of its cuts."""
        ...

    def put_out(self, changes: Sequence[AnyChange], items: list[Item]) -> None:
        """Put changes out."""
        ...

    def moved(self, profile: Profile) -> None:
        """Note that a profile moved: it is written with the next slice, and stands elsewhere in the queue."""
        ...

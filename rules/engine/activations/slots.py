"""One journey a group: one journey of an exclusive group has the slot, among those that nothing else refuses."""

from collections.abc import Collection, Sequence
from typing import Protocol


class Competitor(Protocol):
    """An activation that nothing else refuses."""

    @property
    def id(self) -> str:
        """Ties go to the smaller one."""
        ...

    @property
    def slot(self) -> str:
        """Its journey."""
        ...

    @property
    def priority(self) -> int:
        """The highest has the slot."""
        ...


def journey_with_slot(free: Sequence[Competitor], holders: Collection[str], *, preempt: bool) -> str:
    """Name the journey that has the slot. `holders`: the journeys that had an active activation before the evaluation.

    Without `preempt` a holder keeps it while any of its activations is free. Raises ValueError if nothing is free.
    """
    keeping = () if preempt else [each for each in free if each.slot in holders]
    return min(keeping or free, key=lambda each: (-each.priority, each.id)).slot

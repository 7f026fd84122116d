"""Which partitions an operation works on, and how it tells how far it has come in one."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from streams.operations.errors import WrongRequest

OnOffset: TypeAlias = Callable[[int, int, int], None]
"""Is called with (partition, offset reached, offset at which the partition's work ends) after each batch."""


def chosen(partitions: Sequence[int] | None, count: int) -> list[int]:
    """Return the partitions asked for in order, once each; all of them where None or nothing is given.

    Raises WrongRequest where one does not exist.
    """
    if not partitions:
        return list(range(count))
    for partition in partitions:
        if not 0 <= partition < count:
            raise WrongRequest(f"there is no partition {partition}: the input has partitions 0 to {count - 1}")
    return sorted(set(partitions))

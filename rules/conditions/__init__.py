"""The kinds of conditions: one module each (or one a close family), and one row here.

A mapping in a rule is of the first kind whose keyword it has and whose `also` it has, if there is one.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from rules.conditions.base import Condition, Place, ReadRule
from rules.conditions.event import EventCount, read_event
from rules.conditions.everyone import Everyone, read_everyone
from rules.conditions.trait import Trait, read_trait
from rules.problems import Reader

ReadCondition: TypeAlias = Callable[[Reader, Place, ReadRule], Condition | None]


class Kind(NamedTuple):
    """One kind of condition: the key that tells it, and how it is read."""

    keyword: str
    condition: type[Condition]
    read: ReadCondition
    also: str | None = None
    """A second key that it has and the kind below with the same keyword has not."""


KINDS: Final[tuple[Kind, ...]] = (
    Kind("everyone", Everyone, read_everyone),
    Kind("trait", Trait, read_trait),
    Kind("event", EventCount, read_event),
)

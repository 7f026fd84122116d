"""The kinds of conditions: one module each (or one a close family), and one row here.

A mapping in a rule is of the first kind whose keyword it has, and whose `also` it has, if there is one. `aggregate`
stands before `event`, which it has too.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from rules.conditions.absent import Absent, read_absent
from rules.conditions.aggregate import Aggregate, read_aggregate
from rules.conditions.base import Condition, ReadRule, RuleContext
from rules.conditions.changed import Changed, read_changed
from rules.conditions.consent import Consent, read_consent
from rules.conditions.covered import Covered, read_covered
from rules.conditions.during import During, read_during
from rules.conditions.event import EventCount, read_event
from rules.conditions.everyone import Everyone, read_everyone
from rules.conditions.held import Held, read_held
from rules.conditions.last import Last, read_last
from rules.conditions.score import Score, read_score
from rules.conditions.segment import InSegment, read_segment_condition
from rules.conditions.sequence import Sequence, read_sequence
from rules.conditions.trait import Trait, read_trait
from rules.language.problems import DefinitionReader

ReadCondition: TypeAlias = Callable[[DefinitionReader, RuleContext, ReadRule], Condition | None]


class Kind(NamedTuple):
    """One kind of condition: the key that tells it, and how it is read."""

    keyword: str
    condition: type[Condition]
    read: ReadCondition
    also: str | None = None
    """A second key, which the kind below with the same keyword has not."""


KINDS: Final[tuple[Kind, ...]] = (
    Kind("everyone", Everyone, read_everyone),
    Kind("trait", Held, read_held, also="for"),
    Kind("trait", Trait, read_trait),
    Kind("changed", Changed, read_changed),
    Kind("aggregate", Aggregate, read_aggregate),
    Kind("event", EventCount, read_event),
    Kind("last", Last, read_last),
    Kind("absent", Absent, read_absent),
    Kind("sequence", Sequence, read_sequence),
    Kind("covered", Covered, read_covered),
    Kind("score", Score, read_score),
    Kind("segment", InSegment, read_segment_condition),
    Kind("consent", Consent, read_consent),
    Kind("during", During, read_during),
)
DEFINED: Final = (
    *("everyone", "trait", "held", "changed", "event", "last", "absent"),
    *("sequence", "aggregate", "covered", "score", "segment", "consent", "during"),
)
"""The kinds of definitions.md section 5."""

if sorted(kind.condition.kind for kind in KINDS) != sorted(DEFINED):
    raise AssertionError("every kind of condition needs its one row")

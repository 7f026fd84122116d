"""What an author writes: the keys of `rules.conditions.segment`."""

from rules.conditions.window_keys import Definition
from rules.language.validation import Duration, Id, Maybe


class SegmentDefinition(Definition):
    """`segment: ID, for: D`."""

    segment: Id
    for_: Maybe[Duration] = None

"""What an author writes: the keys of `rules.conditions.during`."""

from rules.conditions.window_keys import Definition
from rules.language.validation import Instant, Maybe


class Dates(Definition):
    """From when (inclusive) until when (exclusive); either may be left out."""

    from_: Maybe[Instant] = None
    until: Maybe[Instant] = None


class DuringDefinition(Definition):
    """`during: {from: A, until: B}`."""

    during: Dates

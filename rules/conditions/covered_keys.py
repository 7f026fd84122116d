"""What an author writes: the keys of `rules.conditions.covered`."""

from typing import Any, Literal

from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import SinceKeys
from rules.language.validation import Duration, Maybe

Form = Literal["add", "merge", "until"]


class CoveredDefinition(SinceKeys):
    """`covered: T, where: {…}, days: ATTR, gap: D, overlap: add` or with `until: ATTR` instead of days; since."""

    covered: Any
    where: Maybe[AttributeTests] = None
    days: Maybe[str] = None
    until: Maybe[str] = None
    gap: Maybe[Duration] = None
    overlap: Maybe[Literal["add", "merge"]] = None

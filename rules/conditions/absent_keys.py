"""What an author writes: the keys of `rules.conditions.absent`."""

from typing import Any

from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import Definition
from rules.language.validation import Duration, Maybe


class AbsentDefinition(Definition):
    """`absent: T, where: {…}, within: D`."""

    absent: Any
    where: Maybe[AttributeTests] = None
    within: Duration

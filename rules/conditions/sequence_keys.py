"""What an author writes: the keys of `rules.conditions.sequence`."""

from typing import Any

from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import Definition, SinceKeys
from rules.language.validation import Duration, Maybe


class SequenceDefinition(SinceKeys):
    """`sequence: [S, {…, within: D}, {not: S, within: D}, {…, after: D}], within: D`, since."""

    sequence: list[Any]
    within: Duration


class StepDefinition(Definition):
    """`{event: T, where: {…}, within: D, after: D}`."""

    event: Any
    where: Maybe[AttributeTests] = None
    within: Maybe[Duration] = None
    after: Maybe[Duration] = None


class BareDefinition(Definition):
    """What a `not` names: `{event: T, where: {…}}`."""

    event: Any
    where: Maybe[AttributeTests] = None


class NotDefinition(Definition):
    """`{not: S, within: D}`."""

    not_: Any
    within: Duration

"""What an author writes: the keys of `rules.conditions.score`."""

from typing import Any

from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import Definition, SinceKeys
from rules.language.validation import Duration, Maybe, Number


class ScoreDefinition(Definition):
    """`score: [item, …], at_least: n`."""

    score: list[Any]
    at_least: Number


class EventItem(SinceKeys):
    """`{event: T, where: {…}, points: P, half_life: D, bucket: D}`, since."""

    event: Any
    where: Maybe[AttributeTests] = None
    points: Number
    half_life: Maybe[Duration] = None
    bucket: Maybe[Duration] = None


class WhenItem(Definition):
    """`{when: condition, points: P}`."""

    when: Any
    points: Number

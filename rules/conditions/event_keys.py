"""What an author writes: the keys of `rules.conditions.event`."""

from typing import Annotated, Any

from pydantic import Field

from rules.conditions.matching_keys import AttributeTests
from rules.conditions.window_keys import Definition, WindowKeys
from rules.language.validation import Duration, Items, Maybe

Natural = Annotated[int, Field(ge=0)]


class CountKeys(Definition):
    """How many: several keys must all hold."""

    at_least: Maybe[Natural] = None
    at_most: Maybe[Natural] = None
    exactly: Maybe[Natural] = None
    between: Maybe[Annotated[Items[Natural], Field(min_length=2, max_length=2)]] = None


class EventDefinition(WindowKeys):
    """`event: T, where: {…}, count: {…}`, window, bucket."""

    event: Any
    where: Maybe[AttributeTests] = None
    count: Maybe[CountKeys] = None
    bucket: Maybe[Duration] = None

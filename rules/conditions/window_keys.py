"""What an author writes: the keys of `rules.conditions.window`."""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import ConfigDict, PlainValidator

from rules.ground.instants import parse_instant
from rules.language.validation import Duration, Instant, Maybe, Strict

SinceWord: TypeAlias = Literal["entry", "exit", "ever"]


_SINCE_WORDS: Final = ("entry", "exit", "ever")


def _since(value: Any) -> int | str:
    if isinstance(value, str):
        if value in _SINCE_WORDS:
            return value
        try:
            return parse_instant(value)
        except ValueError:
            pass
    raise ValueError("must be entry, exit, ever, or a date like 2027-01-31")


class Definition(Strict):
    """The base of the definitions of conditions: a field `for_` stands for the key `for`."""

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


Since = Annotated[int | str, PlainValidator(_since)]
"""A word, or UTC epoch ms."""


class SinceKeys(Definition):
    """The key that says from when on events count."""

    since: Maybe[Since] = None


class WindowKeys(SinceKeys):
    """All keys of a window."""

    within: Maybe[Duration] = None
    older_than: Maybe[Duration] = None
    until: Maybe[Instant] = None

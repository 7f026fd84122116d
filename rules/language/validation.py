"""Models of definitions: their base, and the types of their fields; and the nearest right name to a wrong one."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from rules.ground.instants import parse_duration, parse_instant

Path = tuple[str | int, ...]
"""Where a value stands inside its file: keys of mappings, indexes of lists."""

NEAR_ENOUGH: Final = 0.6
"""difflib's own default ratio: `withing` finds `within`, `topic` does not find `title`."""
NAMES_LISTED_MAX: Final = 12
"""When no known name is near, up to this many are listed; more would bury the message."""

T = TypeVar("T")


class Strict(BaseModel):
    """The base of every definition model: unknown keys, wrong types and null are errors; frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


def _not_null(value: Any) -> Any:
    if value is None:
        raise ValueError("must not be empty; leave the key out instead")
    return value


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _from_text(parse: Any, what: str) -> Any:
    def read(value: Any) -> int:
        if not isinstance(value, str):
            raise ValueError(f"must be {what}")  # noqa: TRY004 - pydantic turns ValueError into its own error
        return int(parse(value))

    return read


def _instant(text: str) -> int:
    try:
        return parse_instant(text)
    except ValueError as error:
        told = str(error)
        if told.startswith(("not ", "outside ")):
            raise
        raise ValueError("there is no such day") from error  # datetime's own words differ by version


PATTERNS: Final[dict[str, str]] = {}
"""What to say of a text that does not match, by pattern; filled by `matching` when models are defined."""


def matching(pattern: str, sentence: str) -> Any:
    """Ask a text field to match a pattern; `sentence` (`must be …`) is said where it does not."""
    PATTERNS[pattern] = sentence
    return Field(pattern=pattern)


_DURATION_FORM: Final = "a duration: a positive integer and one of ms s m h d w, like 30d"
_INSTANT_FORM: Final = "a date like 2027-01-31 or an RFC 3339 instant like 2027-01-31T12:00:00Z"

Maybe = Annotated[T | None, BeforeValidator(_not_null)]
"""A key that may be left out (`= None`), but not be null."""
Items = Annotated[tuple[T, ...], Field(strict=False)]
"""A list in a definition, kept as a tuple (a strict tuple would refuse the list)."""
Duration = Annotated[int, PlainValidator(_from_text(parse_duration, _DURATION_FORM))]
"""`30d` → ms."""
Instant = Annotated[int, PlainValidator(_from_text(_instant, _INSTANT_FORM))]
"""`2027-01-31` or RFC 3339 → UTC epoch ms."""
Number = Annotated[float | int, PlainValidator(_number)]
"""A finite number; an integer stays one."""
Name = Annotated[str, matching(r"^[^\x00-\x1f\x7f-\x9f]+$", "must be a non-empty text without control characters")]
"""A non-empty text without control characters (docs/language.md, Dictionary and events)."""
Id = Annotated[str, matching(r"^[a-z0-9][a-z0-9-]{0,63}$", "must be an id: up to 64 of a-z, 0-9 and -, the first no -")]
"""The id of a segment or an activation."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name most like `name`, case apart; None if none is near."""
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(candidate.casefold(), candidate)
    found = get_close_matches(name.casefold(), folded, n=1, cutoff=NEAR_ENOUGH)
    return folded[found[0]] if found else None


def nearest(name: str, known: Iterable[str], listed_max: int = NAMES_LISTED_MAX) -> str:
    """Say the nearest right name: `; did you mean 'within'?`, else `; known: …` if there are few, else nothing."""
    names = sorted(set(known) - {name})
    near = closest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= listed_max else ""


def name_of(path: Path) -> str:
    """Name the last step of a path for a message."""
    if not path:
        return "the file"
    last = path[-1]
    return repr(last) if isinstance(last, str) else f"item {last + 1} of {name_of(path[:-1])}"


@dataclass(frozen=True, slots=True)
class KeyShape:
    """Says how a mapping is written whose type does not tell: `Annotated[dict[str, Any], Shape("{NAME: …}")]`."""

    text: str

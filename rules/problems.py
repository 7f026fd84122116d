"""Definition errors with their places: `file:line:col: what is wrong; the nearest right name` (definitions.md, head).

A definition file arrives as a `Source`: plain values and where each of them stands. Whoever compiles a part of it holds
a `Reader`, a cursor into the source; what is wrong goes into the one `Problems` collector, so that an author sees
everything at once. pydantic models check shapes; their errors are said again here in plain words.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import ErrorDetails

from rules.instants import parse_duration, parse_instant

Path = tuple[str | int, ...]
"""Where a value stands inside its file: keys of mappings, indexes of lists."""

NEAR_ENOUGH: Final = 0.6
"""difflib's own default ratio: `withing` finds `within`, `topic` does not find `title`."""
NAMES_LISTED_MAX: Final = 12
"""When no known name is near, up to this many are listed; more would bury the message."""
FAR_INTEGER: Final = 1 << 53
"""Beyond it a float is whole by nature, not by the author's will, and integers are no longer exact in JSON readers."""


@dataclass(frozen=True, slots=True)
class Source:
    """One definition file as plain values: dict with text keys, list, str, int, float, bool, None.

    `places` gives (line, col), 1-based, by path: of the key for an entry of a mapping, of the value for an item of a
    list, of the value for the root `()`. It may lack paths (a catalogue stored as JSON has none): then the nearest
    place above counts. `syntax` are problems of the text itself; `readable` is False if they left no value at all.
    """

    file: str
    value: Any
    places: Mapping[Path, tuple[int, int]] = field(default_factory=dict)
    syntax: tuple["Problem", ...] = ()
    readable: bool = True

    def place(self, path: Path) -> tuple[int, int]:
        """Find the place of a path, or the nearest above it; (0, 0) where none is known."""
        for length in range(len(path), -1, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        return 0, 0


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and where; `line` and `col` are 1-based, 0 where unknown."""

    file: str
    line: int
    col: int
    message: str

    def __str__(self) -> str:
        """Write `file:line:col: message`; without a known place `file: message`."""
        where = f":{self.line}:{self.col}" if self.line else ""
        return f"{self.file}{where}: {self.message}"


class Problems(list[Problem]):
    """What is wrong so far, in the order of discovery; `CatalogueErrors` sorts."""

    def add(
        self, source: Source, path: Path, message: str, *, name: str | None = None, known: Iterable[str] = ()
    ) -> None:
        """Add a problem at a path of a source; with `name` and `known`, the nearest right name is appended."""
        line, col = source.place(path)
        hint = nearest(name, known) if name is not None else ""
        self.append(Problem(source.file, line, col, message + hint))


class CatalogueErrors(ValueError):
    """A catalogue does not load. `problems` holds everything found, in order of file, line and column."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


def closest(name: str, known: Iterable[str]) -> str | None:
    """Find the known name most like `name`, case apart; None if none is near."""
    folded: dict[str, str] = {}
    for candidate in known:
        folded.setdefault(candidate.casefold(), candidate)
    found = get_close_matches(name.casefold(), folded, n=1, cutoff=NEAR_ENOUGH)
    return folded[found[0]] if found else None


def nearest(name: str, known: Iterable[str]) -> str:
    """Say the nearest right name: `; did you mean 'within'`, else `; known: …` if there are few, else nothing."""
    names = sorted(set(known) - {name})
    near = closest(name, names)
    if near is not None:
        return f"; did you mean {near!r}"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= NAMES_LISTED_MAX else ""


class Strict(BaseModel):
    """The base of every definition model: unknown keys, wrong types and null are errors; frozen."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())


M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reader:
    """A cursor: a raw value and where it stands. Cheap; make as many as wanted."""

    source: Source
    path: Path
    value: Any
    problems: Problems

    @classmethod
    def of(cls, source: Source, problems: Problems) -> "Reader":
        """Make a reader at the root of a source."""
        return cls(source, (), source.value, problems)

    def at(self, *keys: str | int) -> "Reader":
        """Go down; KeyError or IndexError where there is nothing (ask `in reader.value` before)."""
        value = self.value
        for key in keys:
            value = value[key]
        return Reader(self.source, (*self.path, *keys), value, self.problems)

    def problem(self, message: str, *, name: str | None = None, known: Iterable[str] = ()) -> None:
        """Record that this value is wrong; with `name` and `known`, the nearest right name is appended."""
        self.problems.add(self.source, self.path, message, name=name, known=known)

    def mapping(self, what: str | None = None) -> bool:
        """Tell whether the value is a mapping with at least one key; otherwise record that it must be."""
        if isinstance(self.value, dict) and self.value:
            return True
        state = "must not be empty" if self.value == {} else "must be a mapping"
        self.problem(f"{what or self.name} {state}")
        return False

    def keys(self, known: Iterable[str], required: Iterable[str] = ()) -> bool:
        """Check the keys of a mapping; every unknown and every missing one is recorded. False if there was any."""
        known = set(known) | set(required)
        meant: set[str | None] = set()
        unknown = [key for key in self.value if key not in known]
        for key in unknown:
            free = known - set(self.value)
            self.problems.add(self.source, (*self.path, key), f"unknown key {key!r}", name=key, known=free)
            meant.add(closest(key, free))
        missing = [key for key in required if key not in self.value]
        for key in missing:
            if key not in meant:  # said already: "did you mean"
                self.problem(f"missing key {key!r}")
        return not unknown and not missing

    def entries(self) -> Iterator[tuple[str, "Reader"]]:
        """Walk the entries of a mapping."""
        for key in self.value:
            yield key, self.at(key)

    def items(self) -> Iterator["Reader"]:
        """Walk the items of a list."""
        for index in range(len(self.value)):
            yield self.at(index)

    @property
    def name(self) -> str:
        """Say what stands here: `'version'`, `item 2 of 'markets'`, `the file`."""
        return _name(self.path)

    def model(self, model: type[M]) -> M | None:
        """Validate the value by a model; None if anything was wrong, every error recorded at its own place."""
        try:
            return model.model_validate(self.value)
        except ValidationError as error:
            _Translation(self, model).add_all(error.errors(include_url=False))
            return None


def _name(path: Path) -> str:
    """Name the last step of a path for a message."""
    if not path:
        return "the file"
    last = path[-1]
    return repr(last) if isinstance(last, str) else f"item {last + 1} of {_name(path[:-1])}"


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
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""A non-empty text without control characters (definitions.md section 1)."""
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
"""The id of a segment or an activation."""


_PATTERNS: Final = {
    r"^[^\x00-\x1f\x7f-\x9f]+$": "must be a non-empty text without control characters",
    r"^[^:|\x00-\x1f\x7f-\x9f]+$": "must be the kind of a subject: a text without : and | and control characters",
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$": "must be the name of a channel: up to 64 of A-Z, a-z, 0-9, _ and -",
    r"^[a-z0-9][a-z0-9-]{0,63}$": "must be an id: up to 64 of a-z, 0-9 and -, the first no -",
}
_SENTENCES: Final = {
    "string_type": "must be a text",
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dataclass_type": "must be a mapping",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}


class _Translation:
    """Says the errors of one validation in plain words at their places."""

    def __init__(self, reader: Reader, model: type[BaseModel]) -> None:
        self._reader = reader
        self._model = model
        self._meant: set[Path] = set()

    def add_all(self, errors: list[ErrorDetails]) -> None:
        unknown = [error for error in errors if error["type"] == "extra_forbidden"]
        for error in unknown:
            self._unknown(error["loc"])
        said: dict[Path, list[str]] = {}
        for error in errors:
            if error["type"] == "missing":
                self._missing(error["loc"])
            elif error["type"] != "extra_forbidden":
                path = self._path(error["loc"])
                said.setdefault(path, []).append(self._sentence(error))
        for path, sentences in said.items():
            name, sentence = _name((*self._reader.path, *path)), _either(sentences)
            self._add(path, f"{name} {sentence}" if sentence.startswith("must ") else f"{name}: {sentence}")

    def _unknown(self, loc: Path) -> None:
        *above, key = self._path(loc)
        present = self._value(tuple(above))
        free = [name for name in _field_names(self._model, loc[:-1]) if name not in present]
        self._add((*above, key), f"unknown key {key!r}", str(key), free)
        near = closest(str(key), free)
        if near is not None:
            self._meant.add((*above, near))

    def _missing(self, loc: Path) -> None:
        above = self._path(loc[:-1])
        if (*above, loc[-1]) not in self._meant:  # said already: "did you mean"
            self._add(above, f"missing key {loc[-1]!r}")

    def _add(self, path: Path, message: str, name: str | None = None, known: Iterable[str] = ()) -> None:
        reader = self._reader
        reader.problems.add(reader.source, (*reader.path, *path), message, name=name, known=known)

    def _sentence(self, error: ErrorDetails) -> str:
        """Say one error: `must be an integer`."""
        kind, context = error["type"], error.get("ctx", {})
        if kind == "value_error":
            return str(context["error"])
        if kind == "string_pattern_mismatch":
            return _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
        if kind == "too_short":
            least = context["min_length"]
            return "must not be empty" if least == 1 else f"must have at least {least} items"
        if kind == "literal_error":
            said, wrong = f"must be {context['expected']}", error["input"]
            near = closest(wrong, re.findall("'(.*?)'", said)) if isinstance(wrong, str) else None
            return f"{said}, not {wrong!r}; did you mean {near!r}" if near else said
        if kind in _SENTENCES:
            return _SENTENCES[kind].format_map(context)
        return error["msg"][:1].lower() + error["msg"][1:]

    def _path(self, loc: Path) -> Path:
        """Keep of pydantic's location what stands in the file (it also names members of unions and the like)."""
        value: Any = self._reader.value
        path: list[str | int] = []
        for step in loc:
            within = isinstance(step, int) and step < len(value) if isinstance(value, list) else False
            if within or (isinstance(value, dict) and step in value):
                value = value[step]
                path.append(step)
        return tuple(path)

    def _value(self, path: Path) -> Any:
        value = self._reader.value
        for step in path:
            value = value[step]
        return value


def _either(sentences: list[str]) -> str:
    """Say the errors of one place as one; the members of a union each have their own."""
    told = list(dict.fromkeys(sentences))
    if all(sentence.startswith("must be ") and ";" not in sentence for sentence in told):
        return "must be " + " or ".join(sentence.removeprefix("must be ") for sentence in told)
    return "; or ".join(told)


def _field_names(model: type[BaseModel], loc: Path) -> list[str]:
    """Find the keys that the model at a location takes."""
    models: list[Any] = [model]
    for step in loc:
        models = [found for candidate in models for found in _step(candidate, step)] or models
    return [
        field_info.alias or name
        for found in models
        if isinstance(found, type) and issubclass(found, BaseModel)
        for name, field_info in found.model_fields.items()
    ]


def _step(kind: Any, step: str | int) -> list[Any]:
    """Go from a type down one step of a location: all types that may stand there."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field_info in kind.model_fields.items():
            if step == (field_info.alias or name):
                return _flat(field_info.annotation)
        return []
    if origin in (dict, Mapping):
        return _flat(get_args(kind)[1])
    if origin in (list, tuple, set, frozenset):
        return _flat(get_args(kind)[0])
    return []


def _flat(kind: Any) -> list[Any]:
    """Take unions and annotations apart."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _flat(get_args(kind)[0])
    if origin in (Union, UnionType):
        return [found for member in get_args(kind) for found in _flat(member)]
    return [kind]


def canonical_json(value: Any) -> str:
    """Write a definition's value as canonical JSON: keys sorted, nothing spaced, whole floats as integers.

    Two values are *equal* (definitions.md section 8: key order apart, 1 = 1.0) if and only if their texts are.
    """
    return json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if abs(value) <= FAR_INTEGER and value.is_integer() else value
    if isinstance(value, dict):
        return {key: _whole(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value

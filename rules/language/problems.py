"""Definition errors with their places: `file:line:col: what is wrong; the nearest right name`.

A definition file arrives as a `Source`: plain values and the place of each. A compiler reads it through a
`DefinitionReader`, a cursor into the source. Every problem goes into one `Problems` collector, so that an author sees
all of them at once. `rules.language.validation` has the models of definitions and the types of their fields.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from rules.language.saying import say
from rules.language.validation import Path, closest, name_of, nearest

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
    expansion: str = ""
    """The values of the parameters, where it is one definition of a template (`rules.language.templates`)."""
    text: str | None = None
    """The file as it was written, byte for byte in UTF-8; None where it was not read from a file."""

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
    expansion: str = ""
    """The values of the parameters, where it stands in one definition of a template."""

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
        self.append(Problem(source.file, line, col, message + hint, source.expansion))


class CatalogueErrors(ValueError):
    """A catalogue does not load. `problems` holds everything found, in order of file, line and column.

    A problem that several definitions of a template share is told once, with the parameters of the first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = told_once(problems)
        super().__init__("\n".join(map(str, self.problems)))


def told_once(problems: Iterable[Problem]) -> list[Problem]:
    """Sort problems; one that several definitions of a template share becomes one, which says how many share it."""
    found: dict[Problem, list[str]] = {}
    for each in dict.fromkeys(problems):  # in order of discovery: definitions in written order
        found.setdefault(replace(each, expansion=""), []).append(each.expansion)
    return sorted(replace(each, message=each.message + of_template(shared)) for each, shared in found.items())


def of_template(expansions: Sequence[str]) -> str:
    """Say in which definitions of a template something is so: ` (product: a; and 2 more)`; "" without a template."""
    if not expansions or not expansions[0]:
        return ""
    more = f"; and {len(expansions) - 1} more" if len(expansions) > 1 else ""
    return f" ({expansions[0]}{more})"


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class DefinitionReader:
    """A cursor: a raw value and where it stands. Cheap; make as many as wanted."""

    source: Source
    path: Path
    value: Any
    problems: Problems

    @classmethod
    def of(cls, source: Source, problems: Problems) -> "DefinitionReader":
        """Make a reader at the root of a source."""
        return cls(source, (), source.value, problems)

    def down(self, *keys: str | int) -> "DefinitionReader":
        """Go down; KeyError or IndexError where there is nothing (ask `in reader.value` before)."""
        value = self.value
        for key in keys:
            value = value[key]
        return DefinitionReader(self.source, (*self.path, *keys), value, self.problems)

    def problem(self, message: str, *, name: str | None = None, known: Iterable[str] = ()) -> None:
        """Record that this value is wrong; with `name` and `known`, the nearest right name is appended."""
        self.problems.add(self.source, self.path, message, name=name, known=known)

    def mapping(self, wanted: str, what: str | None = None) -> bool:
        """Tell whether the value is a mapping with at least one key; otherwise record that it must be what is wanted.

        `wanted` says which mapping: `a mapping like {n: 2, of: […]}`. `what` names the value where its key does not.
        """
        if isinstance(self.value, dict) and self.value:
            return True
        state = "must not be empty" if self.value == {} else f"must be {wanted}"
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

    def entries(self) -> Iterator[tuple[str, "DefinitionReader"]]:
        """Walk the entries of a mapping."""
        for key in self.value:
            yield key, self.down(key)

    def items(self) -> Iterator["DefinitionReader"]:
        """Walk the items of a list."""
        for index in range(len(self.value)):
            yield self.down(index)

    @property
    def name(self) -> str:
        """Say what stands here: `'version'`, `item 2 of 'markets'`, `the file`."""
        return name_of(self.path)

    def model(self, model: type[M], keys: Iterable[str] | None = None) -> M | None:
        """Validate the value by a model; None if anything was wrong, every error recorded at its own place.

        `keys` are the right names for a key that the model does not know, where not all of the model's own are right.
        """
        try:
            return model.model_validate(self.value)
        except ValidationError as error:
            for said in say(model, self.value, self.path, error.errors(include_url=False), keys):
                path = (*self.path, *said.path)
                self.problems.add(self.source, path, said.message, name=said.name, known=said.known)
            return None


def canonical_json(value: Any) -> str:
    """Write a definition's value as canonical JSON: keys sorted, nothing spaced, whole floats as integers.

    Two values are *equal* (key order apart, 1 = 1.0) if and only if their texts are.
    """
    return json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def same_json(one: Any, other: Any) -> bool:
    """Tell whether two values of definitions are equal: whether their `canonical_json` is the same text."""
    kind = one.__class__
    if kind is other.__class__:
        if kind is dict:
            return len(one) == len(other) and all(
                key in other and same_json(entry, other[key]) for key, entry in one.items()
            )
        if kind is list:
            return len(one) == len(other) and all(map(same_json, one, other))
        if kind in _PLAIN or (kind is float and one == other):
            return bool(one == other)
    return canonical_json(one) == canonical_json(other)


_PLAIN: Final = frozenset((str, int, bool, type(None)))
"""Types whose values have the same canonical JSON if and only if they are equal."""


def _whole(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if abs(value) <= FAR_INTEGER and value.is_integer() else value
    if isinstance(value, dict):
        return {key: _whole(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return value

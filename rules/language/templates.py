"""Templates: one file that stands for several definitions (docs/language.md, Templates).

`for_each` gives the parameters and their values. The template is expanded once for every combination, in written
order, the last parameter turning fastest. `$(product)` in a text or a key stands for the value of a parameter,
`$(brand.code)` for a field of a parameter whose values are mappings. A placeholder that is the whole value keeps the
parameter's type. In a file without `for_each` no text is a placeholder.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any, Final

from rules.language.problems import DefinitionReader, Problems, Source
from rules.language.validation import Path

FOR_EACH: Final = "for_each"
DEFINITIONS_MAX: Final = 1_000
"""Definitions of one template: every one is evaluated, and a slip of three lists is soon a million."""
VALUES_MAX: Final = 200_000
"""Values of all definitions of one template together: twice the largest file."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_TOKEN: Final = re.compile(r"\$\$\(|\$\(([^()]*)\)|\$\(")
_LITERAL: Final = "$("
_SHOWN_MAX: Final = 40
"""Characters of a parameter's value that a message shows."""


def expand(source: Source, problems: Problems) -> list[Source]:
    """Return the definitions of a file, each as a source of its own whose places stand in the template.

    A file without `for_each` is its own only definition. A template that is wrong gives one source that is not
    readable; its problems are recorded.
    """
    if not source.readable or not isinstance(source.value, dict) or FOR_EACH not in source.value:
        return [source]
    before = len(problems)
    parameters = _parameters(DefinitionReader.of(source, problems).down(FOR_EACH))
    if parameters is not None:
        template = {key: value for key, value in source.value.items() if key != FOR_EACH}
        _check_placeholders(DefinitionReader(source, (), template, problems), parameters)
        count = prod(len(each.values) for each in parameters.values())
        if count * _size(template) > VALUES_MAX:
            problems.add(source, (FOR_EACH,), f"its definitions have more than {VALUES_MAX:,} values together")
    if parameters is None or len(problems) > before:
        return [replace(source, value=None, readable=False)]
    names = list(parameters)
    combinations = product(*(each.values for each in parameters.values()))
    return [_Expansion(source, dict(zip(names, values, strict=True)), problems).run() for values in combinations]


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter: its values in written order; `fields` are the keys of values that are mappings, else empty."""

    values: tuple[Any, ...]
    fields: tuple[str, ...]

    def names(self, name: str) -> list[str]:
        """List what placeholders may say of it."""
        return [f"{name}.{field}" for field in self.fields] or [name]


def _parameters(reader: DefinitionReader) -> dict[str, _Parameter] | None:
    """Read `for_each`; None if anything in it is wrong."""
    if not reader.mapping("a mapping of parameters to their values, like {product: [a, b]}"):
        return None
    found = {name: _parameter(name, here) for name, here in reader.entries()}
    if any(each is None for each in found.values()):
        return None
    parameters = {name: each for name, each in found.items() if each is not None}
    count = prod(len(each.values) for each in parameters.values())
    if count > DEFINITIONS_MAX:
        reader.problem(f"makes {count:,} definitions of this template; the limit is {DEFINITIONS_MAX:,}")
        return None
    return parameters


def _parameter(name: str, reader: DefinitionReader) -> _Parameter | None:
    if not _NAME.fullmatch(name):
        reader.problem(f"{name!r} must be the name of a parameter: a-z, 0-9 and _, the first a letter")
        return None
    if not isinstance(reader.value, list) or not reader.value:
        state = "must not be empty" if reader.value == [] else "must be a list of values"
        reader.problem(f"{name!r} {state}")
        return None
    first = reader.value[0]
    fields = tuple(first) if isinstance(first, dict) else ()
    right = [_value_is_right(item, fields, name) for item in reader.items()]
    return _Parameter(tuple(reader.value), fields) if all(right) else None


def _value_is_right(item: DefinitionReader, fields: tuple[str, ...], name: str) -> bool:
    if isinstance(item.value, dict) != bool(fields):
        item.problem(f"the values of {name!r} must all be mappings with the same keys, or none of them")
        return False
    if not fields:
        if item.value is None:
            item.problem(f"a value of {name!r} must not be empty")
        return item.value is not None
    if not item.keys(fields, fields):
        return False
    wrong = [inner for _, inner in item.entries() if inner.value is None or isinstance(inner.value, dict)]
    for inner in wrong:
        inner.problem(f"{inner.name} must be a text, a number, true, false or a list")
    bad = [key for key in fields if not _NAME.fullmatch(key)]
    for key in bad:
        item.down(key).problem(f"{key!r} must be the name of a field: a-z, 0-9 and _, the first a letter")
    return not wrong and not bad


def _check_placeholders(template: DefinitionReader, parameters: Mapping[str, _Parameter]) -> None:
    """Record placeholders that no parameter fills, and parameters that no placeholder names."""
    known = {name: parameter for name, each in parameters.items() for parameter in each.names(name)}
    wanted = {told: False for name, each in parameters.items() for told in each.names(name)}
    for path, text in _texts(template.value, ()):
        for found in _TOKEN.finditer(text):
            name = found[1]
            if name in wanted:
                wanted[name] = True
            elif name is not None and name in known:
                message = f"parameter {name!r} has fields; write one of {', '.join(parameters[name].names(name))}"
                template.problems.add(template.source, path, message)
            elif name is not None:
                message = f"unknown parameter {name!r}"
                template.problems.add(template.source, path, message, name=name, known=wanted)
            elif found[0] == _LITERAL:
                message = "'$(' begins a placeholder like $(product); write $$( for the text itself"
                template.problems.add(template.source, path, message)
    for told, used in wanted.items():
        if not used:
            name, _, field = told.partition(".")
            path = (FOR_EACH, name, 0, field) if field else (FOR_EACH, name)
            template.problems.add(template.source, path, f"parameter {told!r} is used nowhere; write $({told})")


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Walk every text, keys included, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key), key
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, index))


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(inner) for inner in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(inner) for inner in value)
    return 1


class _Expansion:
    """One definition in the making: the template under one combination of values."""

    def __init__(self, source: Source, values: Mapping[str, Any], problems: Problems) -> None:
        self._source = replace(source, expansion=", ".join(f"{name}: {_shown(each)}" for name, each in values.items()))
        self._problems = problems
        self._filling: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, dict):
                self._filling |= {f"{name}.{field}": inner for field, inner in value.items()}
            else:
                self._filling[name] = value
        self._places: dict[Path, tuple[int, int]] = {}

    def run(self) -> Source:
        before = len(self._problems)
        template = {key: value for key, value in self._source.value.items() if key != FOR_EACH}
        self._places[()] = self._source.place(())
        value = self._value(template, (), ())
        readable = len(self._problems) == before
        return replace(self._source, value=value if readable else None, places=self._places, readable=readable)

    def _value(self, value: Any, path: Path, at: Path) -> Any:
        """Fill in a value that stands at `path` in the template and at `at` in the definition."""
        if isinstance(value, str):
            return self._filled(value, path)
        if isinstance(value, list):
            return [self._placed(item, (*path, index), (*at, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        filled: dict[str, Any] = {}
        for key, inner in value.items():
            name = self._text(key, (*path, key))
            if name in filled:
                self._problems.add(self._source, (*path, key), f"key {name!r} again")
            filled[name] = self._placed(inner, (*path, key), (*at, name))
        return filled

    def _placed(self, value: Any, path: Path, at: Path) -> Any:
        if self._source.places:
            self._places[at] = self._source.place(path)
        return self._value(value, path, at)

    def _filled(self, text: str, path: Path) -> Any:
        """Fill in a text; a placeholder that is the whole text gives the value itself."""
        whole = _TOKEN.fullmatch(text)
        return self._filling[whole[1]] if whole is not None and whole[1] is not None else self._text(text, path)

    def _text(self, text: str, path: Path) -> str:
        def fill(found: re.Match[str]) -> str:
            if found[1] is None:
                return _LITERAL
            value = self._filling[found[1]]
            if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
                return str(value)
            self._problems.add(self._source, path, f"parameter {found[1]!r} inside a text must be a text or an integer")
            return ""

        return _TOKEN.sub(fill, text) if "$(" in text else text


def _shown(value: Any) -> str:
    """Show the value of a parameter in a message."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {_shown(inner)}" for key, inner in value.items()) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(map(_shown, value)) + "]"
    elif isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = str(value)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"

"""What pydantic finds wrong with a definition, said in plain words at its path."""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from rules.language.validation import PATTERNS, KeyShape, Path, closest, name_of, nearest

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
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}


_MAPPING_ERRORS: Final = ("dict_type", "mapping_type", "model_type", "model_attributes_type")
KEYS_SHOWN_MAX: Final = 4
"""Keys of a mapping that an error shows, so that it stays one line."""


class Saying(NamedTuple):
    """One thing that is wrong, at a path below the value validated; `known` are right names for `name`."""

    path: Path
    message: str
    name: str | None = None
    known: Iterable[str] = ()


def say(
    model: type[BaseModel], value: Any, above: Path, errors: list[ErrorDetails], keys: Iterable[str] | None = None
) -> Iterator[Saying]:
    """Say the errors that a model found in a value, which stands at `above` in its file.

    `keys` are the right keys of the value itself; an error lists all of them. Without them the model's own are right.
    A key that is missing is passed over where an unknown one was close to it: "did you mean" has said it.
    """
    meant: set[Path] = set()
    said: dict[Path, list[str]] = {}
    for error in errors:
        loc = error["loc"]
        if error["type"] == "extra_forbidden":
            path = _path(value, loc)
            present = _inside(value, path[:-1])
            given = keys if len(loc) == 1 else None
            free = [name for name in given or _field_names(model, loc[:-1]) if name not in present]
            key = str(loc[-1])
            if given is None:
                yield Saying(path, f"unknown key {key!r}", key, free)
            else:
                yield Saying(path, f"unknown key {key!r}{nearest(key, free, len(free))}")
            meant.add((*path[:-1], closest(key, free) or key))
        elif error["type"] != "missing":
            mapping = error["type"] in _MAPPING_ERRORS
            sentence = f"must be a mapping like {_shape_at(model, loc)}" if mapping else _sentence(error)
            said.setdefault(_path(value, loc), []).append(sentence)
    for error in errors:
        path = _path(value, error["loc"][:-1])
        if error["type"] == "missing" and (*path, error["loc"][-1]) not in meant:
            yield Saying(path, f"missing key {error['loc'][-1]!r}")
    for path, sentences in said.items():
        name, sentence = name_of((*above, *path)), _either(sentences)
        yield Saying(path, f"{name} {sentence}" if sentence.startswith("must ") else f"{name}: {sentence}")


def _path(value: Any, loc: Path) -> Path:
    """Keep of pydantic's location what stands in the file (it also names members of unions and the like)."""
    path: list[str | int] = []
    for step in loc:
        within = isinstance(step, int) and step < len(value) if isinstance(value, list) else False
        if within or (isinstance(value, dict) and step in value):
            value = value[step]
            path.append(step)
    return tuple(path)


def _inside(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _sentence(error: ErrorDetails) -> str:
    """Say one error: `must be an integer`."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
    if kind == "too_short":
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least} items"
    if kind == "literal_error":
        said, wrong = f"must be {context['expected']}", error["input"]
        near = closest(wrong, re.findall("'(.*?)'", said)) if isinstance(wrong, str) else None
        return f"{said}, not {wrong!r}; did you mean {near!r}?" if near else said
    if kind in _SENTENCES:
        return _SENTENCES[kind].format_map(context)
    return error["msg"][:1].lower() + error["msg"][1:]


def _either(sentences: list[str]) -> str:
    """Say the errors of one place as one; the members of a union each have their own."""
    told = list(dict.fromkeys(sentences))
    if all(sentence.startswith("must be ") and ";" not in sentence for sentence in told):
        return "must be " + " or ".join(sentence.removeprefix("must be ") for sentence in told)
    return "; or ".join(told)


def _kinds_at(model: type[BaseModel], loc: Path) -> list[Any]:
    """Find the types that may stand at a location."""
    kinds: list[Any] = [model]
    for step in loc:
        kinds = [found for candidate in kinds for found in _step(candidate, step)] or kinds
    return kinds


def _field_names(model: type[BaseModel], loc: Path) -> list[str]:
    """Find the keys that the model at a location takes."""
    return [name for found in _kinds_at(model, loc) if _is_model(found) for name in _keys_of(found)]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [field_info.alias or name for name, field_info in model.model_fields.items()]


def _shape_at(model: type[BaseModel], loc: Path) -> str:
    """Show how the mapping at a location is written: `{type: …}`, `{NAME: {preempt: …}}`."""
    shapes = [_shape(kind) for kind in _kinds_at(model, loc)]
    return next((shape for shape in shapes if shape.startswith("{")), "{NAME: …}")


def _shape(kind: Any) -> str:
    if isinstance(kind, KeyShape):
        return kind.text
    if _is_model(kind):
        needed = [info.alias or name for name, info in kind.model_fields.items() if info.is_required()]
        keys = (needed or _keys_of(kind))[:KEYS_SHOWN_MAX]
        return f"{{{', '.join(f'{key}: …' for key in keys)}}}"
    if get_origin(kind) in (dict, Mapping):
        return f"{{NAME: {next(iter(map(_shape, _flat(get_args(kind)[1]))))}}}"
    return "…"


def _step(kind: Any, step: str | int) -> list[Any]:
    """Go from a type down one step of a location: all types that may stand there."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field_info in kind.model_fields.items():
            if step == (field_info.alias or name):
                shapes = [found for found in field_info.metadata if isinstance(found, KeyShape)]
                return list(shapes) or _flat(field_info.annotation)
        return []
    if origin in (dict, Mapping):
        return _flat(get_args(kind)[1])
    if origin in (list, tuple, set, frozenset):
        return _flat(get_args(kind)[0])
    return []


def _flat(kind: Any) -> list[Any]:
    """Take unions and annotations apart; a mapping whose `KeyShape` is annotated is that shape."""
    origin = get_origin(kind)
    if origin is Annotated:
        shapes = [found for found in get_args(kind)[1:] if isinstance(found, KeyShape)]
        return list(shapes) or _flat(get_args(kind)[0])
    if origin in (Union, UnionType):
        return [found for member in get_args(kind) for found in _flat(member)]
    return [kind]

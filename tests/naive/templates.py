"""Templates: from docs/language.md, Templates. One file with `for_each` stands for several definitions."""

from collections.abc import Iterator, Mapping
from typing import Any


def written_out(definitions: list[Any]) -> list[Any]:
    """Replace every template by the definitions that it makes."""
    return [one for definition in definitions for one in made_of(definition)]


def made_of(definition: Any) -> list[Any]:
    """List the definitions of one file; a file without `for_each` is its own."""
    if "for_each" not in definition:
        return [definition]
    rest = {key: value for key, value in definition.items() if key != "for_each"}
    return [filled(rest, values) for values in combinations(list(definition["for_each"].items()))]


def combinations(parameters: list[tuple[str, list[Any]]]) -> Iterator[dict[str, Any]]:
    """Walk the combinations of the values, the last parameter fastest. Fields are named `parameter.field`."""
    if not parameters:
        yield {}
        return
    (name, values), *others = parameters
    for value in values:
        for rest in combinations(others):
            own = {f"{name}.{field}": one for field, one in value.items()} if isinstance(value, dict) else {name: value}
            yield own | rest


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """Fill the placeholders in."""
    if isinstance(value, dict):
        return {text_of(key, values): filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, values) for inner in value]
    if isinstance(value, str):
        for name, given in values.items():
            if value == f"$({name})":
                return given
        return text_of(value, values)
    return value


def text_of(text: str, values: Mapping[str, Any]) -> str:
    """Fill in a text, from left to right, so that nothing that was filled in is looked at again."""
    head, found, tail = text.partition("$(")
    if not found:
        return text
    if head.endswith("$"):
        return head[:-1] + "$(" + text_of(tail, values)
    name, _, rest = tail.partition(")")
    return head + str(values[name]) + text_of(rest, values)

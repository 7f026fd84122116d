"""JSON read slowly and exactly, for what the fast parser refuses although it may be JSON.

orjson refuses texts nested over 1,024 deep and numbers beyond the doubles (`1e400`) as if they were no JSON. This
reader tells such a text from a wrong one: it keeps its own stack, so that depth never becomes recursion.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

LEVELS_KEPT: Final = 64
"""Containers deeper than this are read but not kept: nobody looks into them."""

_TOKEN: Final = re.compile(
    rb"[ \t\n\r]*+(?:(?P<mark>[{}\[\],:])"
    rb'|(?P<text>"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrtu])*+")'
    rb"|(?P<number>-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)"
    rb"|(?P<word>true|false|null))"
)
_SPACE: Final = b" \t\n\r"

# What may come next, and which state follows. A value at the end of a container is followed by "more", of all by "end".
_VALUE: Final = frozenset({"{", "[", "text", "number", "word"})
_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "value": _VALUE,
    "first item": _VALUE | {"]"},
    "key": frozenset({"text"}),
    "first key": frozenset({"text", "}"}),
    "colon": frozenset({":"}),
    "more": frozenset({",", "]", "}"}),
    "end": frozenset(),
}
_WORDS: Final[Mapping[bytes, Any]] = {b"true": True, b"false": False, b"null": None}


class NotJson(ValueError):
    """A text that is no JSON."""


def parse(text: bytes) -> tuple[Any, int]:
    """Read a JSON text: (value, how many containers deep). The last of equal keys wins, as in orjson.

    Integers beyond 64 bits become floats, as in orjson; numbers beyond the doubles become infinities. Containers below
    LEVELS_KEPT are left out. Raises NotJson. Takes time linear in the text (about 1 µs a token).
    """
    root: list[Any] = []
    stack: list[
        tuple[Any, str | None]
    ] = []  # the containers around, each with the key that the one inside it stands at
    container: Any = root
    key: str | None = None
    state, position, depth = "value", 0, 0
    while (found := _TOKEN.match(text, position)) is not None:
        position = found.end()
        kind = found.lastgroup or ""
        token = found[kind]
        if kind == "mark":
            kind = token.decode()
        if kind not in _ALLOWED[state]:
            raise NotJson(f"unexpected {kind}")
        if state in ("key", "first key") and kind == "text":
            key, state = _literal("text", token), "colon"
        elif kind == ":":
            state = "value"
        elif kind == ",":
            state = "key" if isinstance(container, dict) else "value"
        elif kind in "{[":
            inner: Any = {} if kind == "{" else []
            if len(stack) < LEVELS_KEPT:
                _put(container, key, inner)
            stack.append((container, key))
            container, state = inner, "first key" if kind == "{" else "first item"
            depth = max(depth, len(stack))
        elif kind in "}]":
            if isinstance(container, dict) != (kind == "}"):
                raise NotJson(f"unexpected {kind}")
            container, key = stack.pop()
            state = "more" if stack else "end"
        else:
            _put(container, key, _literal(kind, token))
            state = "more" if stack else "end"
    if state != "end" or text[position:].strip(_SPACE):
        raise NotJson("not JSON to its end")
    return root[0], depth


def _put(container: Any, key: str | None, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        container.append(value)


def _literal(kind: str, token: bytes) -> Any:
    if kind == "word":
        return _WORDS[token]
    try:
        return orjson.loads(token)
    except orjson.JSONDecodeError:
        if kind == "number":
            return float(token)  # grammatical, so it can only be too large
        raise NotJson("text with a wrong escape, half a surrogate pair or bad UTF-8") from None


def depth_of(value: Any) -> int:
    """Count how many containers deep a plain JSON value is: 0 for a scalar, 1 for `{}`."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth

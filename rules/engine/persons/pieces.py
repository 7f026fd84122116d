"""An effect that is larger than a record may be goes in pieces. The target takes it whole, with the last one, or never.

All pieces of an effect are written in one transaction to one partition, so a reader gets them all, in order; records of
others may stand between them. Until the last one has come, pieces wait in the target's profile and say nothing. A piece
is an effect of the same type whose data is `{"piece": {"of": …, "n": 1 …, "count": …, "text": …}}`: `of` names the
effect, and the texts together are its data as JSON.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import orjson

PIECE: Final = "piece"
"""The one key of the data of a piece."""

Waiting: TypeAlias = Mapping[str, tuple[str, ...]]
"""Pieces that wait in a profile: by the effect's name, the texts so far."""


def split(data: bytes, name: str, bytes_max: int) -> list[dict[str, Any]]:
    """Cut the data of an effect, JSON, into the data of pieces, each with a text of at most so many bytes as JSON."""
    texts = [*_texts(data.decode(), max(bytes_max, 16))]
    return [{PIECE: {"of": name, "n": n, "count": len(texts), "text": text}} for n, text in enumerate(texts, 1)]


def _texts(text: str, bytes_max: int) -> Iterator[str]:
    at = 0
    while at < len(text):
        taken = text[at : at + bytes_max]
        while (size := len(orjson.dumps(taken)) - 2) > bytes_max:
            taken = taken[: len(taken) * bytes_max // size]
        yield taken
        at += len(taken)


def gather(waiting: Waiting, data: Mapping[str, Any]) -> tuple[Waiting, Mapping[str, Any] | None]:
    """Take the data of an effect: return the pieces that wait afterwards, and the data of a whole effect, if it is one.

    What is no piece is whole. A piece that does not follow the ones before it says nothing: no worker writes such.
    """
    piece = _read(data)
    if PIECE not in data:
        return waiting, data
    if piece is None:
        return waiting, None
    name, n, count, text = piece
    before = waiting.get(name, ()) if n > 1 else ()
    if len(before) != n - 1:
        return waiting, None
    others = {each: texts for each, texts in waiting.items() if each != name}
    if n < count:
        return {**others, name: (*before, text)}, None
    try:
        whole = orjson.loads("".join((*before, text)))
    except orjson.JSONDecodeError:
        whole = None
    return others, whole if whole.__class__ is dict else None


def _read(data: Mapping[str, Any]) -> tuple[str, int, int, str] | None:
    piece = data.get(PIECE)
    if piece.__class__ is not dict:
        return None
    name, n, count, text = (piece.get(key) for key in ("of", "n", "count", "text"))
    if name.__class__ is not str or text.__class__ is not str or n.__class__ is not int or count.__class__ is not int:
        return None
    return (name, n, count, text) if 1 <= n <= count else None

"""An effect as its target reads it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from rules.engine.decode import Own, is_subject
from rules.engine.persons.effects import EFFECT_TYPES
from rules.engine.persons.pieces import PIECE


class Unreadable(Exception):
    """An effect does not say what it must: it was damaged, or a stranger wrote it. It says nothing."""


@contextmanager
def reading() -> Iterator[None]:
    """Let all that a bad effect may raise where it is read be Unreadable."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, msgspec.MsgspecError) as error:
        raise Unreadable from error


@dataclass(frozen=True, slots=True)
class Received:
    """An effect as its target reads it. A piece of one has no `via`, `way` and `event`: the whole has them."""

    type: str
    subject: str
    via: str
    """The subject that sends it."""
    way: tuple[str, ...]
    """The subjects that it came through, the last one being `via`."""
    event: str
    """What changes name as their event: `source id`."""
    data: Mapping[str, Any]


def read_effect(own: Own) -> Received | None:
    """Read an effect, or a piece of one; None: it is another record, or does not say what it must."""
    data = own.data
    if own.type not in EFFECT_TYPES or data.__class__ is not dict or not is_subject(own.subject):
        return None
    if PIECE in data:
        return Received(own.type, own.subject, "", (), "", data)
    way, event = data.get("way"), data.get("event")
    if way.__class__ is not list or not way or not all(is_subject(each) for each in way) or event.__class__ is not str:
        return None
    return Received(own.type, own.subject, way[-1], tuple(way), event, data)

"""Tell which records of a partition can move one profile, without decoding the others.

A profile's changes depend on its own events, on Segue's own records and on the clock (docs/protocol.md, The log
decides). So an engine that is fed only these records, with the clock of all of them, decides the same for the profile.
To keep a record too many changes nothing. So where a look at the bytes leaves a doubt, the record is kept.
"""

from collections.abc import Sequence
from typing import Final

import orjson

from rules.engine.past import HISTORY_TYPE
from rules.engine.persons.effects import EFFECT_TYPES

_OWN: Final = b"segue."
_HISTORY: Final = HISTORY_TYPE.encode()
_EFFECTS: Final = tuple(f'"type":"{each}"'.encode() for each in sorted(EFFECT_TYPES))
"""Segue writes effects so."""
_ESCAPE: Final = b"\\u"
"""JSON may write the name of a type with escapes; Segue never does. A record with an escape is kept."""
_ESCAPED_SLASH: Final = b"\\/"
"""JSON may write the slash of a subject so; Segue never does. Such a history is kept for each subject with a slash."""


class Concerning:
    """Which records of a partition one profile's state depends on."""

    __slots__ = ("_key", "_written")

    def __init__(self, subject: str) -> None:
        self._key: Final = subject.encode()
        self._written: Final = orjson.dumps(subject)[1:-1]

    def __call__(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
        """Tell whether to keep a record: the subject's own, or perhaps one of Segue's (`segue.*`)."""
        if key == self._key:
            return True
        if value is not None and _is_effect(value):
            return False  # its key is the subject of its target
        if value is not None and _HISTORY in value and _ESCAPE not in value:
            # the history of another profile names that profile only
            return self._written in value or (_ESCAPED_SLASH in value and b"/" in self._key)
        return is_own(value, headers)


def _is_effect(value: bytes) -> bool:
    """Tell whether a record is an effect on a profile. The type at its head decides: data may name types, too."""
    if not any(mark in value for mark in _EFFECTS):
        return False
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return isinstance(read, dict) and read.get("type") in EFFECT_TYPES


def is_own(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
    """Tell whether a record may be one of Segue's own: its bytes say so, or leave a doubt."""
    if value is not None and (_OWN in value or _ESCAPE in value):
        return True
    return any(name == "ce_type" and _OWN in (raw or b"") for name, raw in headers)


class History:
    """The records that bring history to one profile."""

    __slots__ = ("_concerning",)

    def __init__(self, subject: str) -> None:
        self._concerning: Final = Concerning(subject)

    def __call__(self, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
        """Tell whether a record is one; one that is not may be taken for one, never the other way round."""
        return _brings_history(value, headers) and self._concerning(key, value, headers)


def _brings_history(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
    """Tell whether a record may bring history, to any profile."""
    if value is not None and _HISTORY in value:
        return True
    if any(name == "ce_type" and raw == _HISTORY for name, raw in headers):
        return True
    if value is None or _ESCAPE not in value:
        return False
    # text in another script is often written with escapes, so only the type decides
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return True
    return isinstance(read, dict) and read.get("type") == HISTORY_TYPE

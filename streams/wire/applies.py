"""The record of one apply in the topic of catalogues: which catalogue came into force, after which, and how.

The catalogue itself has its hash as its key: compaction keeps one record of each. An apply has a key of its own,
`applied/<instant>/<hash>`, so compaction keeps every one for ever: a few hundred bytes each. It stands right before
the catalogue's record, in the same transaction, so the last record of the topic is always a catalogue.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from rules.catalogue.applied import Applied, read_applied
from rules.ground.instants import format_instant
from streams.records import OutRecord, Stored

PREFIX: Final = b"applied/"


@dataclass(frozen=True, slots=True)
class Apply:
    """One apply: from `at_ms` on its catalogue was in force."""

    catalogue: str
    """The hash."""
    before: str | None
    """The hash of the catalogue in force before; None: there was none, or it is not known."""
    at_ms: int
    applied: Applied | None
    """How; None where an older version of Segue applied it."""
    offset: int = -1
    """The offset of its record in the topic of catalogues; -1: it is not written yet."""


def apply_record(topic: str, catalogue: str, before: str | None, applied: Applied) -> OutRecord:
    """Make the record of an apply."""
    key = PREFIX + f"{format_instant(applied.at_ms)}/{catalogue}".encode()
    value = {"catalogue": catalogue, "before": before, "applied": applied.as_json()}
    return OutRecord(topic, 0, key, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def is_apply(key: bytes | None) -> bool:
    """Tell by its key whether a record of the topic of catalogues is one of an apply, and no catalogue."""
    return key is not None and key.startswith(PREFIX)


def read_apply(record: Stored) -> Apply | None:
    """Read the record of an apply; None if it cannot be read."""
    try:
        value: Any = json.loads(record.value or b"")
        applied = read_applied(value["applied"])
        at_ms = record.timestamp_ms if applied is None else applied.at_ms
        return Apply(str(value["catalogue"]), value.get("before"), at_ms, applied, record.offset)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None

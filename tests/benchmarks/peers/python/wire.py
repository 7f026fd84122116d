"""An event from its bytes, and a change to its bytes: the same for every peer."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from orjson import dumps, loads

__all__ = ["Change", "Event", "dumps", "loads", "read_event", "to_ms", "to_text", "write_change"]


class Event(NamedTuple):
    """One event."""

    subject: str
    type: str
    time_ms: int
    """Its own time."""
    name: str
    """Source and id: with the time, what tells it from every other event of its subject."""
    data: Mapping[str, Any]


class Change(NamedTuple):
    """One profile entered or left one segment."""

    subject: str
    segment: str
    entered: bool
    at_ms: int
    sequence: int
    """Counts the changes of the subject from 1."""
    event: str
    """The event that was evaluated, by source and id; empty: time alone changed it."""


def read_event(value: bytes) -> Event:
    """Read a structured CloudEvent."""
    found = loads(value)
    return Event(
        found["subject"],
        found["type"],
        to_ms(found["time"]),
        f"{found['source']} {found['id']}",
        found.get("data") or {},
    )


def write_change(change: Change) -> bytes:
    """Write a change with the keys of Segue's, without `layers` and the places of conditions."""
    return dumps(
        {
            "id": f"{change.subject}/{change.sequence}",
            "profile": change.subject,
            "segment": change.segment,
            "segment_version": 1,
            "change": "entered" if change.entered else "exited",
            "sequence": change.sequence,
            "effective_at": to_text(change.at_ms),
            "reason": {
                "kind": "entry_rule" if change.entered else "entry_lost",
                "conditions": ["enter"],
                "events": [change.event] if change.event else [],
            },
            "backfill": False,
        }
    )


def to_ms(text: str) -> int:
    """Read an RFC 3339 time as epoch milliseconds."""
    at = datetime.fromisoformat(text)
    return int(at.replace(microsecond=0).timestamp()) * 1_000 + at.microsecond // 1_000


def to_text(at_ms: int) -> str:
    """Write epoch milliseconds as an RFC 3339 time."""
    seconds, ms = divmod(at_ms, 1_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"

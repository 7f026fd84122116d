"""Lines of a file as records with keys, as a preview reads them from Kafka."""

from collections.abc import Sequence

import orjson

from rules.engine.event_time import record_time
from rules.engine.record import Record
from rules.engine.replay import decode_line

DECODE = decode_line


def records_of(lines: Sequence[bytes]) -> list[Record]:
    """Return the lines that have a time, each with the subject as its key."""
    found = []
    for number, line in enumerate(lines):
        text = line.strip()
        if text:
            found.append(Record(number, record_time(text), _key(text), text))
    return found


def _key(text: bytes) -> bytes | None:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    subject = value.get("subject") if isinstance(value, dict) else None
    return subject.encode() if isinstance(subject, str) else None

"""A record of the input as `segue dump` writes it: with any headers, it is decoded to the same event again."""

from collections.abc import Sequence

import orjson
import pytest

from rules.engine.decode import decode
from rules.engine.record import Record
from rules.ground.event import Event
from streams.operations.dump import line, structured
from tests.streams.world import catalogue

AT_MS = 1_772_373_600_000
TIME = "2026-03-01T14:00:00Z"
DICTIONARY = catalogue("visitors|enter: {event: portal.login, within: 1h}").dictionary
ENVELOPE = {"specversion": "1.0", "id": "1", "source": "/s", "type": "portal.login", "subject": "hcp:1", "time": TIME}

BINARY = [(f"ce_{name}", value.encode()) for name, value in ENVELOPE.items()]


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (orjson.dumps({**ENVELOPE, "data": {"topic": "a"}}), []),
        (orjson.dumps({"topic": "a"}), BINARY),
        # an attribute that is no text is not given
        (orjson.dumps({"topic": "a"}), [*BINARY, ("ce_note", b"\xff")]),
        # the content type decides, not an attribute among the headers
        (
            orjson.dumps({**ENVELOPE, "data": {}}),
            [("ce_id", b"another"), ("content-type", b"application/cloudevents+json")],
        ),
    ],
)
def test_it_is_the_same_event_again(value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
    read = decode(value, headers, DICTIONARY, AT_MS)
    assert isinstance(read, Event)
    again = structured(Record(0, AT_MS, b"hcp:1", value, headers))
    assert decode(orjson.dumps(again), (), DICTIONARY, AT_MS) == read


OWN = b'{"type":"segue.%b","subject":"hcp:1","data":{"cut":1,%b}}'


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (OWN % (b"filled", b'"since":1e400'), []),
        (OWN % (b"history", b'"events":' + b"[" * 300 + b"]" * 300), []),
        (b'{"cut":1,"since":1e400}', [("ce_type", b"segue.filled")]),
        (b'{"topic":"a","x":1e400}\n', BINARY),
        (None, [*BINARY, ("ce_data", b"x")]),
        (b" " + orjson.dumps(ENVELOPE | {"recordedtime": 5}).replace(b",", b",\r\n") + b" \n", []),
    ],
)
def test_a_line_says_what_the_record_says_to_the_last_number(
    value: bytes | None, headers: Sequence[tuple[str, bytes]]
) -> None:
    read = decode(value, headers, DICTIONARY, AT_MS)
    written = line(Record(0, AT_MS, b"hcp:1", value, headers), read)
    assert b"\n" not in written
    assert decode(written, (), DICTIONARY, AT_MS) == read

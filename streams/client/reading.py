"""Read a channel's change from a Kafka record.

Two topics carry the same values: the channel's changes, key = subject; and its snapshot, key =
`subject|activation`, compacted: the value of the activation, or a tombstone with a header that names the change which
ended it. Keys that a later version of Segue may add are passed over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson

from .change import ActiveKey, Change, Content, Reason, Standing
from .errors import Unreadable

ID_HEADER: Final = "ce_id"
_CHANGES: Final = {"activated": True, "deactivated": False}


class Record(Protocol):
    """The parts of a Kafka record that are read. aiokafka's `ConsumerRecord` has them."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def read_change(record: Record) -> Change:
    """Read a record of a channel's topic of changes. Raises Unreadable, which names the place and no profile."""
    change = _change(record)
    if record.key != change.subject.encode():
        raise _unreadable(record, "its key is not its profile")
    return change


def read_standing(record: Record) -> Standing:
    """Read a record of a channel's snapshot, a tombstone too. Raises Unreadable, which names the place, no profile."""
    key = _standing_key(record)
    if record.value is None:
        return Standing(key, _sequence_of_header(record), None)
    change = _change(record)
    if not change.activated or key != change.key:
        raise _unreadable(record, "its value is not the activation that its key names")
    return Standing(key, change.sequence, change)


def _change(record: Record) -> Change:
    if record.value is None:
        raise _unreadable(record, "it has no value")
    try:
        read = _Object(orjson.loads(record.value))
    except (orjson.JSONDecodeError, _Wrong):
        raise _unreadable(record, "its value is no JSON object") from None
    try:
        return _from(read, record)
    except _Wrong as wrong:
        raise _unreadable(record, str(wrong)) from None


def _from(read: "_Object", record: Record) -> Change:
    id_, subject, channel = read.text("id"), read.text("profile"), read.text("channel")
    sequence = read.whole("sequence")
    generation = id_.partition("/")[0]
    if id_ != f"{generation}/{subject}/{channel}/{sequence}":
        raise _Wrong("its id is not made of its profile, channel and sequence")
    change = read.text("change")
    if change not in _CHANGES:
        raise _Wrong("'change' is neither activated nor deactivated")
    reason, content = read.object("reason"), read.object("content")
    return Change(
        id=id_,
        generation=generation,
        subject=subject,
        activation=read.text("activation"),
        activation_version=read.whole("activation_version"),
        channel=channel,
        activated=_CHANGES[change],
        sequence=sequence,
        effective_at=read.instant("effective_at"),
        reason=Reason(reason.text("kind"), reason.texts("by"), reason.texts("events"), reason.maybe("was")),
        journey=read.maybe("journey"),
        content=Content(
            intent=content.text("intent"),
            asset=content.maybe("asset"),
            depth=content.maybe("depth"),
            topic=content.maybe("topic"),
            evidence=content.maybe("evidence"),
            call_to_action=content.maybe("call_to_action"),
            claims=content.texts("claims"),
        ),
        arm=read.maybe("arm"),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        value=record.value or b"",
    )


def _standing_key(record: Record) -> ActiveKey:
    try:
        subject, bar, activation = (record.key or b"").decode().partition("|")
    except UnicodeDecodeError:
        bar = ""
    if not bar:
        raise _unreadable(record, "its key is not subject|activation")
    return ActiveKey(subject, activation)


def _sequence_of_header(record: Record) -> int:
    # another program may have written a header without a value
    found = [value or b"" for name, value in record.headers if name == ID_HEADER]
    _, slash, sequence = found[0].rpartition(b"/") if len(found) == 1 else (b"", b"", b"")
    if not slash or not sequence.isdigit():
        raise _unreadable(record, f"it is a tombstone without a change's id in {ID_HEADER}")
    return int(sequence)


def _unreadable(record: Record, what: str) -> Unreadable:
    return Unreadable(record.topic, record.partition, record.offset, what)


class _Wrong(Exception):
    """Names a key, never a value."""


class _Object:
    """A JSON object, read by key and type. Raises _Wrong for a key that is absent, null or of another type."""

    __slots__ = ("_values", "_within")

    def __init__(self, values: Any, within: str = "") -> None:
        if not isinstance(values, dict):
            raise _Wrong(f"'{within}' is no object")
        self._values = values
        self._within = within + "." if within else ""

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if not isinstance(value, str):
            raise self._wrong(key, "text")
        return value

    def maybe(self, key: str) -> str | None:
        return None if self._values.get(key) is None else self.text(key)

    def whole(self, key: str) -> int:
        value = self._values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(key, "whole number")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._values.get(key) or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "list of texts")
        return tuple(values)

    def object(self, key: str) -> "_Object":
        return _Object(self._values.get(key), key)

    def instant(self, key: str) -> datetime:
        try:
            found = datetime.fromisoformat(self.text(key))
        except ValueError:
            raise self._wrong(key, "instant") from None
        if found.tzinfo is None:
            raise self._wrong(key, "instant with an offset")
        return found

    def _wrong(self, key: str, kind: str) -> _Wrong:
        return _Wrong(f"'{self._within}{key}' is no {kind}")

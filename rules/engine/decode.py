"""From a record's bytes to an event, or to the reason why it is none (docs/language.md, Bad input).

Both modes of CloudEvents 1.0 on Kafka are read:
- *structured*: the value is the whole event. Taken where `content-type` says `application/cloudevents…`, and where
  no header begins with `ce_`.
- *binary*: the attributes are headers `ce_id`, `ce_source`, …, the value is the data, JSON; no value or an empty one
  is no data. Another content type than JSON is `not_json`. Size is the value and all `ce_` headers with their names;
  the data stands one level inside the event.

What is not one of the declared attributes is not looked at, once it is known to be JSON and not too deep.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from rules.engine.event_data import DataPlan
from rules.engine.event_time import event_time
from rules.engine.refusal import REFUSALS, Code, Refusal
from rules.ground import json_text
from rules.ground.event import Event, Value
from rules.ground.instants import AHEAD_LIMIT_MS
from rules.ground.partitioning import partition_of
from rules.ground.values import BadNumber, WrongType
from rules.language.dictionary import OWN_PREFIX, Dictionary

SIZE_MAX: Final = 262_144
"""Largest event in bytes."""
DEPTH_MAX: Final = 32
"""Most levels of objects and lists, the whole event being the first."""


@dataclass(frozen=True, slots=True)
class Own:
    """A record of a reserved type `segue.*`, without an event. `data` and `subject` as read, unchecked."""

    type: str
    data: Any
    subject: Any = None


_CE: Final = "ce_"
_BRACKET: Final = 0x5B
"""`[`, as the byte that it is: bytes first take what is sought for a number, and raise within where it is none."""
_is_subject: Final = re.compile(r"[^:|\x00-\x1f\x7f-\x9f]+:[^|\x00-\x1f\x7f-\x9f]+").fullmatch


def is_subject(value: Any) -> bool:
    """Tell whether a value is the name of a profile."""
    return value.__class__ is str and _is_subject(value) is not None


def decode(
    value: bytes | None, headers: Sequence[tuple[str, bytes | None]], dictionary: Dictionary, r_ms: int
) -> Event | Own | Refusal:
    """Decode a record at its instant R: the event, typed; or a record of Segue's own; or why it is bad input.

    Of several reasons the first in `CODES` is given; a record of Segue's own need not even be a CloudEvent. Of a JSON
    object's equal keys the last counts.
    Whether key and partition fit is `check_envelope`'s.
    """
    if headers and is_binary(headers):
        return _decode_binary(value, headers, dictionary, r_ms)
    if value is None:
        return REFUSALS["not_json"]
    if len(value) > SIZE_MAX:
        return _own_beyond(value, "too_large")
    event = _load(value, 0)
    if not isinstance(event, dict):
        if event is REFUSALS["too_deep"]:
            return _own_beyond(value, "too_deep")
        return event if isinstance(event, Refusal) else REFUSALS["not_cloudevent"]
    return _event(event, dictionary, r_ms)


def decode_again(event: Any, dictionary: Dictionary, r_ms: int) -> Event | None:
    """Make the event of a CloudEvent that stands inside a record of Segue's own; None: it is bad input."""
    if event.__class__ is not dict or json_text.depth_of(event) > DEPTH_MAX:
        return None
    decoded = _event(event, dictionary, r_ms)
    return decoded if isinstance(decoded, Event) else None


def check_envelope(event: Event, key: bytes | None, partition: int, partitions: int) -> Code | None:
    """Tell what is wrong with an event's place in Kafka: its key is the subject in UTF-8, its partition the key's."""
    if key is None or key != event.subject.encode():
        return "wrong_key"
    if partition_of(key, partitions) != partition:
        return "wrong_partition"
    return None


def _load(text: bytes, outer_levels: int) -> Any:
    """Read JSON that stands inside `outer_levels` containers: the value, or a Refusal (not_json, too_deep)."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value, depth = json_text.parse(text)
        except json_text.NotJson:
            return REFUSALS["not_json"]
        return value if depth + outer_levels <= DEPTH_MAX else REFUSALS["too_deep"]
    # an upper bound first: counting brackets is a hundred times cheaper than walking the value, and looking for one is
    # cheaper than counting
    brackets = text.count(b"{") + (text.count(b"[") if _BRACKET in text else 0)
    if brackets + outer_levels > DEPTH_MAX and json_text.depth_of(value) + outer_levels > DEPTH_MAX:
        return REFUSALS["too_deep"]
    return value


def _own_beyond(value: bytes, code: Code) -> Own | Refusal:
    """Read what is too large or too deep for an event: a record of Segue's own may be so, anything else is refused."""
    if OWN_PREFIX.encode() in value:
        try:
            event = orjson.loads(value)
        except orjson.JSONDecodeError:
            try:
                event, _ = json_text.parse(value)
            except json_text.NotJson:
                return REFUSALS[code]
        if event.__class__ is dict:
            type_ = event.get("type")
            if type_.__class__ is str and type_.startswith(OWN_PREFIX):
                return Own(type_, event.get("data"), event.get("subject"))
    return REFUSALS[code]


def is_binary(headers: Sequence[tuple[str, bytes | None]]) -> bool:
    """Tell whether headers say that a record is in CloudEvents' binary mode."""
    binary = False
    for name, raw in headers:
        if name.startswith(_CE):
            binary = True
        elif name.lower() == "content-type" and (raw or b"")[:23].lower() == b"application/cloudevents":
            return False
    return binary


def _decode_binary(
    value: bytes | None, headers: Sequence[tuple[str, bytes | None]], dictionary: Dictionary, r_ms: int
) -> Event | Own | Refusal:
    size = len(value or b"")
    event: dict[str, Any] = {}
    json = True
    for name, given in headers:
        # Kafka's headers may be null, which our type does not say: as good as empty
        raw = given or b""
        if name.startswith(_CE):
            size += len(name.encode()) + len(raw)
            try:
                event[name[3:]] = raw.decode()
            except UnicodeDecodeError:
                event[name[3:]] = None
        elif name.lower() == "content-type":
            media = raw.partition(b";")[0].strip().lower()
            json = media.endswith((b"/json", b"+json"))
    if size > SIZE_MAX:
        return REFUSALS["too_large"]
    event["data"] = None
    if value:
        if not json:
            return REFUSALS["not_json"]
        event["data"] = data = _load(value, 1)
        if isinstance(data, Refusal):
            return data
    return _event(event, dictionary, r_ms)


def _event(event: dict[str, Any], dictionary: Dictionary, r_ms: int) -> Event | Own | Refusal:
    """Make the event of its attributes and data."""
    type_ = event.get("type")
    if not isinstance(type_, str):
        return Refusal("not_cloudevent", "type")
    plan: DataPlan | None = dictionary.plans.get(type_)
    if plan is None and type_.startswith(OWN_PREFIX):
        return Own(type_, event.get("data"), event.get("subject"))
    id_, source, subject = event.get("id"), event.get("source"), event.get("subject")
    if not (
        isinstance(id_, str)
        and isinstance(source, str)
        and id_
        and source
        and type_
        and event.get("specversion") == "1.0"
    ):
        return _not_cloudevent(event)
    if not isinstance(subject, str) or _is_subject(subject) is None:
        return REFUSALS["bad_subject"]
    if plan is None:
        declaration = dictionary.events.get(type_)
        if declaration is None:
            return REFUSALS["undeclared_type"]
        plan = dictionary.plans[type_] = DataPlan(type_, declaration, dictionary)
    time_ms = event_time(event.get("time"))
    if time_ms is None:
        return REFUSALS["bad_time"]
    if time_ms > r_ms + AHEAD_LIMIT_MS:
        return REFUSALS["ahead"]
    data = event.get("data")
    if data is None and event.get("data_base64") is not None:
        data = ""  # bytes are data too, but no object: nothing can be read from them
    try:
        values, sets = plan.take(data)
    except WrongType as error:
        return Refusal("wrong_type", _place(error.place))
    except BadNumber as bad:
        return Refusal("bad_number", _place(bad.place))
    if plan.named:
        place = _names_nobody(subject, values, plan.named)
        if place is not None:
            return Refusal("bad_link", _place(place))
    return Event(source, id_, type_, subject, time_ms, values, sets)


def _names_nobody(subject: str, values: Mapping[str, Value], named: Sequence[str]) -> str | None:
    """Return the path that says that a link or an affiliation names nobody: no other subject, no role; None: none does.

    `named`: the path of the other subject, then those that only must have a value.
    """
    other = values.get(named[0])
    if not is_subject(other) or other == subject:
        return named[0]
    return next((path for path in named if path not in values), None)


def _not_cloudevent(event: dict[str, Any]) -> Refusal:
    for name in ("type", "id", "source"):
        given = event.get(name)
        if not isinstance(given, str) or not given:
            return Refusal("not_cloudevent", name)
    return Refusal("not_cloudevent", "specversion")


def _place(path: str) -> str:
    return f"data.{path}" if path else "data"

"""From a record's bytes to an event, or to the reason why it is none (definitions.md section 1, Bad input).

Both modes of CloudEvents 1.0 on Kafka are read:
- *structured*: the value is the whole event. Taken where `content-type` says `application/cloudevents…`, and where
  no header begins with `ce_`.
- *binary*: the attributes are headers `ce_id`, `ce_source`, …, the value is the data, JSON; no value or an empty one
  is no data. Another content type than JSON is `not_json`. Size is the value and all `ce_` headers with their names;
  the data stands one level inside the event.

What is not one of the declared attributes is not looked at, once it is known to be JSON and not too deep.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias, get_args

import orjson

from rules.ground import json_text
from rules.ground.event import Event, Value
from rules.ground.instants import AHEAD_LIMIT_MS, parse_instant
from rules.ground.partitioning import partition_of
from rules.ground.values import COERCERS, BadNumber, WrongType
from rules.language.dictionary import GRANTED, OWN_PREFIX, Dictionary, EventDeclaration

SIZE_MAX: Final = 262_144
"""Largest event in bytes."""
DEPTH_MAX: Final = 32
"""Most levels of objects and lists, the whole event being the first."""

Code: TypeAlias = Literal[
    "too_large",
    "not_json",
    "too_deep",
    "not_cloudevent",
    "bad_subject",
    "undeclared_type",
    "bad_time",
    "ahead",
    "wrong_type",
    "bad_number",
    "wrong_key",
    "wrong_partition",
]
CODES: Final[tuple[Code, ...]] = get_args(Code)
"""Why a record is bad input, in order of precedence."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Bad input: the record goes to the dead-letter topic with this code."""

    code: Code


@dataclass(frozen=True, slots=True)
class Own:
    """A record of a reserved type `segue.*`, without an event. `data` as read, unchecked."""

    type: str
    data: Any


_REFUSALS: Final[Mapping[Code, Refusal]] = {code: Refusal(code) for code in CODES}
_CE: Final = "ce_"
_is_subject: Final = re.compile(r"[^:|\x00-\x1f\x7f-\x9f]+:[^|\x00-\x1f\x7f-\x9f]+").fullmatch


def decode(
    value: bytes | None, headers: Sequence[tuple[str, bytes]], dictionary: Dictionary, r_ms: int
) -> Event | Own | Refusal:
    """Decode a record at its instant R: the event, typed; or a record of Segue's own; or why it is bad input.

    Of several reasons the first in `CODES` is given; a record of Segue's own need not even be a CloudEvent. Of a JSON
    object's equal keys the last counts.
    Whether key and partition fit is `check_envelope`'s.
    """
    if headers and is_binary(headers):
        return _decode_binary(value, headers, dictionary, r_ms)
    if value is None:
        return _REFUSALS["not_json"]
    if len(value) > SIZE_MAX:
        return _REFUSALS["too_large"]
    event = _load(value, 0)
    if event.__class__ is not dict:
        return event if isinstance(event, Refusal) else _REFUSALS["not_cloudevent"]
    return _event(event, dictionary, r_ms)


def check_envelope(event: Event, key: bytes | None, partition: int, partitions: int) -> Code | None:
    """Tell what is wrong with an event's place in Kafka: its key is the subject in UTF-8, its partition the key's."""
    if key is None or key != event.subject.encode():
        return "wrong_key"
    if partition_of(key, partitions) != partition:
        return "wrong_partition"
    return None


def record_time(value: bytes) -> int | None:
    """Read the instant of a line of a file: its `recordedtime`, without one its `time`; None if it cannot be read.

    Bad lines have an instant too, as long as they are JSON objects.
    """
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        try:
            event, _ = json_text.parse(value)
        except json_text.NotJson:
            return None
    if not isinstance(event, dict):
        return None
    recorded = event.get("recordedtime")
    return _instant(event.get("time") if recorded is None else recorded)


def _load(text: bytes, outer_levels: int) -> Any:
    """Read JSON that stands inside `outer_levels` containers: the value, or a Refusal (not_json, too_deep)."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            value, depth = json_text.parse(text)
        except json_text.NotJson:
            return _REFUSALS["not_json"]
        return value if depth + outer_levels <= DEPTH_MAX else _REFUSALS["too_deep"]
    # an upper bound first: counting brackets is a hundred times cheaper than walking the value
    if (
        text.count(b"{") + text.count(b"[") + outer_levels > DEPTH_MAX
        and json_text.depth_of(value) + outer_levels > DEPTH_MAX
    ):
        return _REFUSALS["too_deep"]
    return value


def is_binary(headers: Sequence[tuple[str, bytes]]) -> bool:
    """Tell whether headers say that a record is in CloudEvents' binary mode."""
    binary = False
    for name, raw in headers:
        if name.startswith(_CE):
            binary = True
        elif name.lower() == "content-type" and (raw or b"")[:23].lower() == b"application/cloudevents":
            return False
    return binary


def _decode_binary(
    value: bytes | None, headers: Sequence[tuple[str, bytes]], dictionary: Dictionary, r_ms: int
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
        return _REFUSALS["too_large"]
    event["data"] = None
    if value:
        if not json:
            return _REFUSALS["not_json"]
        event["data"] = data = _load(value, 1)
        if isinstance(data, Refusal):
            return data
    return _event(event, dictionary, r_ms)


def _event(event: dict[str, Any], dictionary: Dictionary, r_ms: int) -> Event | Own | Refusal:
    """Make the event of its attributes and data."""
    get = event.get
    type_ = get("type")
    if type_.__class__ is not str:
        return _REFUSALS["not_cloudevent"]
    plan: _Plan | None = dictionary.plans.get(type_)
    if plan is None and type_.startswith(OWN_PREFIX):
        return Own(type_, get("data"))
    id_, source, subject = get("id"), get("source"), get("subject")
    if not (
        id_.__class__ is str and source.__class__ is str and id_ and source and type_ and get("specversion") == "1.0"
    ):
        return _REFUSALS["not_cloudevent"]
    if subject.__class__ is not str or _is_subject(subject) is None:
        return _REFUSALS["bad_subject"]
    if plan is None:
        declaration = dictionary.events.get(type_)
        if declaration is None:
            return _REFUSALS["undeclared_type"]
        plan = dictionary.plans[type_] = _Plan(type_, declaration, dictionary)
    time_ms = _instant(get("time"))
    if time_ms is None:
        return _REFUSALS["bad_time"]
    if time_ms > r_ms + AHEAD_LIMIT_MS:
        return _REFUSALS["ahead"]
    data = get("data")
    if data is None and get("data_base64") is not None:
        data = ""  # bytes are data too, but no object: nothing can be read from them
    try:
        values, sets = plan.take(data)
    except WrongType:
        return _REFUSALS["wrong_type"]
    except BadNumber:
        return _REFUSALS["bad_number"]
    return _Made(source, id_, type_, subject, time_ms, values, sets)  # type: ignore[return-value]


class _Made:
    """An event in the making: becomes an Event of the same slots, at a third of the cost of the frozen class's way."""

    __slots__ = ("data", "id", "sets", "source", "subject", "time_ms", "type")

    def __init__(
        self,
        source: str,
        id_: str,
        type_: str,
        subject: str,
        time_ms: int,
        data: dict[str, Value],
        sets: tuple[tuple[str, Value | None], ...],
    ) -> None:
        self.source = source
        self.id = id_
        self.type = type_
        self.subject = subject
        self.time_ms = time_ms
        self.data = data
        self.sets = sets
        self.__class__ = Event  # type: ignore[assignment]


class _Plan:
    """How the declared values of one event type are taken out of its data: paths split, coercers looked up."""

    __slots__ = ("_others", "_required", "_sets", "_strings")

    def __init__(self, name: str, declaration: EventDeclaration, dictionary: Dictionary) -> None:
        data = declaration.data
        self._strings = tuple(
            path for path, attribute in data.items() if attribute.type == "string" and "." not in path
        )
        self._others = tuple(
            (path, path.split(".")[0], tuple(path.split(".")[1:]), COERCERS[attribute.type])
            for path, attribute in data.items()
            if path not in self._strings
        )
        # an attribute of the trait's own type was taken already
        self._sets: tuple[tuple[str, str, tuple[str, ...], Callable[[Any], Value] | None], ...] = tuple(
            (
                trait,
                path,
                tuple(path.split(".")),
                None if path in data and data[path].type == kind else COERCERS[kind],
            )
            for trait, path in declaration.sets.items()
            for kind in (dictionary.traits[trait].type,)
        )
        self._required = frozenset({"channel", "purpose"} if name == GRANTED else ())

    def take(self, data: Any) -> tuple[dict[str, Value], tuple[tuple[str, Value | None], ...]]:
        """Take the values by path, and the settings of traits. Raises WrongType, before BadNumber, for the whole."""
        values: dict[str, Value] = {}
        bad_number: BadNumber | None = None
        if data.__class__ is not dict:
            data = self._of_no_object(data)
        get = data.get
        for name in self._strings:
            raw = get(name)
            if raw.__class__ is str:
                if raw:
                    values[name] = raw
            elif raw is not None:
                raise WrongType(name)
        for path, head, rest, coerce in self._others:
            raw = get(head)
            for key in rest:
                if raw.__class__ is dict:
                    raw = raw.get(key)
                elif raw is not None:
                    raise WrongType("on the way to a value something that is no object")
            if raw is not None and raw != "":
                try:
                    values[path] = coerce(raw)
                except BadNumber as error:
                    bad_number = error
        if self._required and not self._required <= values.keys():
            raise WrongType("missing")
        if self._sets or bad_number is not None:
            return values, self._settings(data, values, bad_number)
        return values, ()

    def _of_no_object(self, data: Any) -> dict[str, Any]:
        """Data that is missing is empty; what is no object is wrong, unless nothing is asked of it."""
        if data is not None and (self._strings or self._others or self._sets):
            raise WrongType("data that is no object")
        return {}

    def _settings(
        self, data: dict[str, Any], values: dict[str, Value], bad_number: BadNumber | None
    ) -> tuple[tuple[str, Value | None], ...]:
        """Take the settings; a bad number, found before or here, is raised once all types are known to be right."""
        settings: list[tuple[str, Value | None]] = []
        for trait, path, keys, coerce in self._sets:
            if coerce is None and path in values:
                settings.append((trait, values[path]))
                continue
            raw = _at(data, keys)
            if raw is None or raw == "":
                settings.append((trait, None))
            elif raw is not _ABSENT and coerce is not None:  # without a coercer: a bad number, found already
                try:
                    settings.append((trait, coerce(raw)))
                except BadNumber as error:
                    bad_number = error
        if bad_number is not None:
            raise bad_number
        return tuple(settings)


_ABSENT: Final = object()


def _at(data: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Follow a path; _ABSENT where it ends in nothing or in null on the way. Raises WrongType at what is no object."""
    value: Any = data
    for key in keys:
        if value.__class__ is not dict:
            if value is None:
                return _ABSENT
            raise WrongType("on the way to a value something that is no object")
        value = value.get(key, _ABSENT)
        if value is _ABSENT:
            return _ABSENT
    return value


def _instant(text: Any) -> int | None:
    """Read an event's time: as parse_instant, None where that raises or where it is no text."""
    if text.__class__ is not str:
        return None
    try:
        if len(text) in (20, 24):  # with Z, of whole seconds or milliseconds: nearly all; a third of the time this way
            fraction = _FRACTIONS.get(text[19:])
            second = _SECONDS.get(text[16:19])
            if fraction is not None and second is not None:
                minute_ms: int = _minute(text[:16])
                return minute_ms + second + fraction
        return parse_instant(text)
    except ValueError:
        return None


_SECONDS: Final = {f":{second:02}": second * 1000 for second in range(60)}
_FRACTIONS: Final = {"Z": 0, **{f".{ms:03}Z": ms for ms in range(1000)}}


@lru_cache(maxsize=1 << 13)
def _minute(text: str) -> int:
    return parse_instant(text + ":00Z")

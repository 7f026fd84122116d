"""Decode a line of a file, as docs/language.md says; refusals in its order of precedence."""

import json
import math
import sys
import threading
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.naive.reading import Catalogue
from tests.naive.times import FIVE_MINUTES_MS, instant

BYTES_MAX = 262_144
LEVELS_MAX = 32
DIGITS_MAX = 400
STACK_BYTES = 1 << 30
NOT_JSON = object()
STARTED, ENDED = "affiliation.started", "affiliation.ended"
LINKED, UNLINKED, ERASED = "identity.linked", "identity.unlinked", "privacy.erased"
STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}


@dataclass(frozen=True)
class Event:
    """One event of one profile. `data` and `sets` have the types of the dictionary in force when it arrived."""

    time: int
    source: str
    id: str
    type: str
    subject: str
    data: Mapping[str, Any]
    sets: Mapping[str, Any]
    raw: Any = None
    """The declared data as it came."""
    told_as: str = ""
    """The type as which an organisation told it; a producer sent the others."""

    @property
    def identity(self) -> tuple[int, str, str, str]:
        """(time, source, id), and the type that it is told as. A redelivery has the same; events are ordered by it."""
        return (self.time, self.source, self.id, self.told_as)

    @property
    def is_fact(self) -> bool:
        """Whether it is a fact: no link event and no erasure."""
        return self.type not in (LINKED, UNLINKED, ERASED)


class Refused(Exception):
    """The line is bad input; the argument is its code."""


class Own(Exception):
    """The line is of a type segue.*: a record without an event. It may be larger and deeper than an event."""


@dataclass(frozen=True)
class Line:
    """A line, as far as it could be read."""

    value: Any
    parsed: bool
    timestamp: int | None


def parse(raw: bytes) -> Line:
    """Parse a line and read the timestamp of its record: `recordedtime` or, where that is missing, `time`."""
    try:
        value = read(raw)
    except RecursionError:
        value = deeply(read, raw)
    except ValueError:
        value = NOT_JSON
    if value is NOT_JSON:
        return Line(None, False, None)
    stamp = None
    if isinstance(value, dict):
        stamp = value.get("recordedtime")
        if stamp is None:
            stamp = value.get("time")
    return Line(value, True, instant(stamp) if isinstance(stamp, str) else None)


def read(raw: bytes) -> Any:
    """Read JSON. Raises ValueError for anything else."""
    value = json.loads(raw.decode("utf-8"), parse_constant=no_constant, parse_int=whole)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is not text
    return value


def deeply(reader: Callable[[bytes], Any], raw: bytes) -> Any:
    """Read deeply nested JSON on a stack that is large enough. Raises Refused(not_json) for anything else."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(reader(raw))
        except ValueError:
            found.append(NOT_JSON)

    limit, size = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
    sys.setrecursionlimit(len(raw) + limit)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(size)
    return found[0]


def whole(token: str) -> int | float:
    """Read an integer. One beyond the range of doubles counts as infinite."""
    return int(token) if len(token) < DIGITS_MAX else float(token)


def no_constant(token: str) -> Any:
    """Refuse NaN and the infinities as tokens."""
    raise ValueError(token)


def event_of(raw: bytes, line: Line, catalogue: Catalogue, clock: int) -> Event:
    """Decode a line whose record stands at the instant `clock`. Raises Refused and Own."""
    value = line.value
    if is_own(value):
        raise Own
    if len(raw) > BYTES_MAX:
        raise Refused("too_large")
    if not line.parsed:
        raise Refused("not_json")
    return event_in(value, catalogue, clock, stamped=line.timestamp is not None)


def is_own(value: Any) -> bool:
    """Tell whether a value is a record of Segue itself."""
    return isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"].startswith("segue.")


def event_in(value: Any, catalogue: Catalogue, clock: int, stamped: bool = True) -> Event:
    """Decode an event from its JSON value. `stamped`: whether its record has a timestamp. Raises Refused."""
    if levels(value) > LEVELS_MAX:
        raise Refused("too_deep")
    envelope(value)
    if value["type"] not in catalogue.events:
        raise Refused("undeclared_type")
    time = instant(value["time"]) if isinstance(value.get("time"), str) else None
    if time is None or not stamped:
        raise Refused("bad_time")
    if time > clock + FIVE_MINUTES_MS:
        raise Refused("ahead")
    data, sets = content(value.get("data"), value["type"], catalogue)
    named = {LINKED: "canonical", STARTED: "organisation", ENDED: "organisation"}.get(value["type"])
    if named is not None and (not is_subject(data.get(named)) or data[named] == value["subject"]):
        raise Refused("bad_link")
    if value["type"] in (STARTED, ENDED) and "role" not in data:
        raise Refused("bad_link")
    if value["type"] in (LINKED, UNLINKED, ERASED):
        sets = {}
    return Event(
        time, value["source"], value["id"], value["type"], value["subject"], data, sets, as_declared(value, catalogue)
    )


def as_declared(event: Any, catalogue: Catalogue) -> dict[str, Any]:
    """Keep of the data what its type declares. A value that is none is kept where the type says `reaches`."""
    declared, found = catalogue.events[event["type"]], dict[str, Any]()
    for path in declared["data"]:
        present, raw = at_path(event.get("data"), path)
        if present and (declared.get("reaches") or raw not in (None, "")):
            *way, last = path.split(".")
            inner = found
            for key in way:
                inner = inner.setdefault(key, {})
            inner[last] = raw
    return found


def told_as(event: Event, event_type: str, subject: str, organisation: str, catalogue: Catalogue) -> Event | None:
    """Make what an organisation's event tells to a subject. None: the dictionary has no such event, or refuses it."""
    if event_type not in catalogue.events:
        return None
    raw = {**event.raw, "organisation": organisation}
    try:
        data, sets = content(raw, event_type, catalogue)
    except Refused:
        return None
    return Event(event.time, event.source, event.id, event_type, subject, data, sets, raw, told_as=event_type)


def levels(value: Any) -> int:
    """Count the levels of objects and arrays."""
    found, within = 0, [value]
    while within := [item for item in within if isinstance(item, dict | list)]:
        found += 1
        within = [inner for item in within for inner in (item.values() if isinstance(item, dict) else item)]
    return found


def envelope(value: Any) -> None:
    """Check that it is a CloudEvent 1.0 with a good subject."""
    if not isinstance(value, dict) or value.get("specversion") != "1.0":
        raise Refused("not_cloudevent")
    for name in ("id", "source", "type"):
        if not isinstance(value.get(name), str) or value[name] == "":
            raise Refused("not_cloudevent")
    if not is_subject(value.get("subject")):
        raise Refused("bad_subject")


def is_subject(value: Any) -> bool:
    """Tell whether a value is a valid subject."""
    if not isinstance(value, str) or "|" in value or any(unicodedata.category(sign) == "Cc" for sign in value):
        return False
    kind, colon, name = value.partition(":")
    return bool(kind and colon and name)


def content(data: Any, event_type: str, catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, Any]]:
    """Type the declared attributes and the traits set. A wrong type anywhere is reported before a bad number."""
    declared = catalogue.events[event_type]
    found: dict[str, Any] = {}
    sets: dict[str, Any] = {}
    bad_number = False
    wanted = [(found, path, path, attribute["type"]) for path, attribute in declared["data"].items()]
    wanted += [
        (sets, name, path, catalogue.traits[name]["type"]) for name, path in (declared.get("sets") or {}).items()
    ]
    for target, name, path, kind in wanted:
        present, raw = at_path(data, path)
        if not present:
            continue
        try:
            value = typed(kind, raw)
        except OverflowError:
            bad_number = True
            continue
        if value is not None or target is sets:
            target[name] = value
    if event_type == "consent.granted" and not ("channel" in found and "purpose" in found):
        raise Refused("wrong_type")
    if bad_number:
        raise Refused("bad_number")
    return found, sets


def at_path(data: Any, path: str) -> tuple[bool, Any]:
    """Follow a dotted path: (present, value). Each value on the way must be an object or null."""
    for key in path.split("."):
        if data is None:
            return False, None
        if not isinstance(data, dict):
            raise Refused("wrong_type")
        if key not in data:
            return False, None
        data = data[key]
    return True, data


def typed(kind: str, raw: Any) -> Any:
    """Type a value; None for no value. Raises Refused(wrong_type), and OverflowError for a bad number."""
    if raw is None or raw == "":
        return None
    if kind in ("number", "integer") and isinstance(raw, int | float) and not isinstance(raw, bool):
        if isinstance(raw, float) and not math.isfinite(raw):
            raise OverflowError
        if kind == "number":
            return raw if isinstance(raw, float) or abs(raw) <= 2**53 else float(raw)
        if raw != int(raw):
            raise Refused("wrong_type")
        if abs(raw) > 2**53:
            raise OverflowError
        return int(raw)
    if kind == "boolean" and isinstance(raw, bool):
        return raw
    if kind == "string" and isinstance(raw, str):
        return raw
    if kind == "datetime" and isinstance(raw, str) and instant(raw) is not None:
        return instant(raw)
    if kind == "list" and isinstance(raw, list) and all(isinstance(item, str) for item in raw):
        return tuple(raw)
    raise Refused("wrong_type")


def withdrawal(event: Event) -> tuple[str, str] | None:
    """Return the (channel, purpose) whose consent the event withdraws; None: it withdraws nothing."""
    if event.type == "consent.withdrawn":
        return event.data.get("channel", "all"), event.data.get("purpose", "all")
    if event.type == "message.replied" and event.data.get("text", "").strip().upper() in STOP_WORDS:
        return event.data.get("channel", "all"), "all"
    return None

"""The time of an event and of a line of a file, read from JSON text."""

from functools import lru_cache
from typing import Any, Final

import orjson

from rules.ground import json_text
from rules.ground.instants import parse_instant


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
    return event_time(event.get("time") if recorded is None else recorded)


def event_time(text: Any) -> int | None:
    """Read an event's time: as parse_instant, None where that raises or where it is no text."""
    if text.__class__ is not str:
        return None
    try:
        # with Z, of whole seconds or milliseconds: nearly all; and the second is mostly one that was read just before
        fraction = _FRACTIONS.get(text[19:])
        if fraction is not None:
            second_ms: int = _second(text[:19])
            return second_ms + fraction
        return parse_instant(text)
    except ValueError:
        return None


_SECONDS: Final = {f":{second:02}": second * 1000 for second in range(60)}
_FRACTIONS: Final = {"Z": 0, **{f".{ms:03}Z": ms for ms in range(1000)}}


@lru_cache(maxsize=1 << 10)
def _second(text: str) -> int:
    """Read an instant without its fraction and its Z. Raises as parse_instant."""
    second_ms = _SECONDS.get(text[16:])
    if second_ms is None:
        return parse_instant(text + "Z")
    minute_ms: int = _minute(text[:16])
    return minute_ms + second_ms


@lru_cache(maxsize=1 << 13)
def _minute(text: str) -> int:
    return parse_instant(text + ":00Z")

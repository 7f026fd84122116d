"""Instants and durations of docs/language.md. This is a second, independent reader and writer, on purpose."""

import datetime as dt
import re
from functools import lru_cache
from typing import Any

UNITS_MS = {"ms": 1, "s": 1000, "m": 60 * 1000, "h": 3600 * 1000, "d": 24 * 3600 * 1000, "w": 7 * 24 * 3600 * 1000}
FIVE_MINUTES_MS = 5 * UNITS_MS["m"]
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
DURATION = re.compile(r"(-?)(\d+)(ms|s|m|h|d|w)", re.ASCII)


def days_from_civil(year: int, month: int, day: int) -> int:
    """Count the days from 1970-01-01 to a date. Raises ValueError for a date that does not exist."""
    return dt.date(year, month, day).toordinal() - dt.date(1970, 1, 1).toordinal()


FIRST_MS = days_from_civil(1, 1, 1) * UNITS_MS["d"]
LAST_MS = (days_from_civil(9999, 12, 31) + 1) * UNITS_MS["d"] - 1


@lru_cache(maxsize=65536)
def instant(text: str) -> int | None:
    """Read an RFC 3339 time or a bare date as UTC epoch ms, floored. None: it is neither, or out of range."""
    if found := DATE.fullmatch(text):
        try:
            return days_from_civil(int(found[1]), int(found[2]), int(found[3])) * UNITS_MS["d"]
        except ValueError:
            return None
    found = DATE_TIME.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    offset_hour, offset_minute = (int(found[10]), int(found[11])) if found[9] else (0, 0)
    if hour > 23 or minute > 59 or second > 59 or offset_hour > 23 or offset_minute > 59:
        return None
    try:
        days = days_from_civil(year, month, day)
    except ValueError:
        return None
    ms = days * UNITS_MS["d"] + hour * UNITS_MS["h"] + minute * UNITS_MS["m"] + second * 1000
    ms += int(((found[7] or "") + "000")[:3])
    offset = offset_hour * UNITS_MS["h"] + offset_minute * UNITS_MS["m"]
    ms -= -offset if found[9] == "-" else offset
    return ms if FIRST_MS <= ms <= LAST_MS else None


@lru_cache(maxsize=65536)
def duration(text: str) -> int | None:
    """Read `30d`, with an optional sign, as ms. None: it is not a duration."""
    found = DURATION.fullmatch(text)
    if found is None:
        return None
    length = int(found[2]) * UNITS_MS[found[3]]
    return -length if found[1] else length


def length(text: Any) -> int:
    """Read a duration that the catalogue's checks have accepted."""
    found = duration(text)
    assert found is not None, text
    return found


def date(text: Any) -> int:
    """Read an instant that the catalogue's checks have accepted."""
    found = instant(text)
    assert found is not None, text
    return found


def written(ms: int) -> str:
    """Write an instant with three decimals and `Z`."""
    days, rest = divmod(ms, UNITS_MS["d"])
    day = dt.date.fromordinal(dt.date(1970, 1, 1).toordinal() + days)
    seconds, millis = divmod(rest, 1000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{millis:03}"
    return f"{day.year:04}-{day.month:02}-{day.day:02}T{clock}Z"


def rounded_up(ms: int, bucket: int) -> int:
    """Round an instant up to a multiple of `bucket`, counted from the epoch."""
    return -(-ms // bucket) * bucket

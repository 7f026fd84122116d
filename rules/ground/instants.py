"""Instants and durations: UTC epoch milliseconds and lengths in milliseconds (docs/language.md, Time and identity)."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

MS_PER_DAY: Final = 86_400_000
FOREVER: Final = (1 << 62) - 1
"""An instant that never comes; 'no next flip'. Larger than every real instant plus every duration."""
AHEAD_LIMIT_MS: Final = 300_000
"""How far an event's time may lie after the instant of its record : 5 min (docs/language.md, Time and identity)."""
DURATION_MAX_MS: Final = 1 << 53
"""Longest duration taken (285,000 years): sums with instants stay below FOREVER."""

_UNITS_MS: Final = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": MS_PER_DAY,
    "w": 7 * MS_PER_DAY,
}
_DURATION: Final = re.compile(r"(-?)([0-9]{1,18})(ms|s|m|h|d|w)", re.ASCII)
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]))?",
    re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def parse_instant(text: str) -> int:
    """Read an RFC 3339 date-time (`T` of either case, never a space; `Z` or an offset) or a bare date (00:00Z).

    Returns UTC epoch milliseconds, floored. Raises ValueError: not of that form, second 60,
    or outside the years 1 to 9999 (in UTC).
    """
    if _INSTANT.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 instant or date")
    if len(text) == 10:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    else:
        # fromisoformat keeps six digits of the fraction and drops the rest: a floor, as wanted
        moment = datetime.fromisoformat(text.upper())
    since_epoch = moment - _EPOCH
    ms = since_epoch // _MILLISECOND
    if not _YEAR_1_MS <= ms <= _YEAR_9999_MS:
        raise ValueError("outside the years 1 to 9999")
    return ms


_YEAR_1_MS: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_YEAR_9999_MS: Final = (datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC) - _EPOCH) // _MILLISECOND


def format_instant(instant_ms: int) -> str:
    """Write an instant as `2026-03-01T14:05:00.012Z` (three decimals, always)."""
    second, ms = divmod(instant_ms, 1_000)
    return f"{_second(second)}.{ms:03}Z"


@lru_cache(maxsize=1 << 12)
def _second(second: int) -> str:
    # isoformat pads the year to four digits, strftime("%Y") does not on every platform
    return (_EPOCH + timedelta(seconds=second)).replace(tzinfo=None).isoformat()


def parse_duration(text: str, *, signed: bool = False) -> int:
    """Read `30d`, `500ms`, …: a positive integer and one of `ms s m h d w`; with `signed` also negative.

    Returns milliseconds. Raises ValueError otherwise (zero too), and above DURATION_MAX_MS.
    """
    found = _DURATION.fullmatch(text)
    if found is None or (found[1] and not signed):
        raise ValueError("not a duration: a positive integer and one of ms s m h d w, like 30d")
    length = int(found[2]) * _UNITS_MS[found[3]]
    if not 0 < length <= DURATION_MAX_MS:
        raise ValueError("a duration must be longer than zero and shorter than 285,000 years")
    return -length if found[1] else length


def format_duration(length_ms: int) -> str:
    """Write a duration in its largest whole unit: 86_400_000 → `1d`."""
    sign, length = ("-", -length_ms) if length_ms < 0 else ("", length_ms)
    for unit, size in reversed(_UNITS_MS.items()):
        if length and length % size == 0:
            return f"{sign}{length // size}{unit}"
    return "0ms"

"""What an HTTP answer means for the changes of a request. Pure.

| answer | means |
|---|---|
| 2xx | accepted, but for the items that the platform names as refused |
| 413 | too large: again in halves; a single change is refused |
| 408, 425, 429, 5xx, no answer | later: again, for ever, with back-off; `Retry-After` holds for all requests |
| 401, 402, 403, 407 | the credentials are wrong: stop; nothing is a dead letter for that |
| 3xx, 404, 405, 406, 410, 411, 415, 421, 426 | this is not the endpoint: stop, likewise |
| any other 4xx | refused for good: those that the platform names; else again in halves, until it is one change |
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeAlias

import orjson

WAIT_MAX_MS: Final = 24 * 3_600_000
"""The longest that an endpoint can ask us to wait: a slip of its clock must not stop us for a year."""
_CREDENTIALS: Final = frozenset({401, 402, 403, 407})
_ELSEWHERE: Final = frozenset({404, 405, 406, 410, 411, 415, 421, 426})
_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read to its end (or to the end of what is looked at)."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The platform has them; but for these, by their place in the request."""

    refused: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Refused:
    """Never to be accepted; `named`: only these are at fault, the others were not looked at. Empty: not known which."""

    code: str
    named: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Later:
    """Send it again. `wait_ms`: no earlier than that, and nothing else either."""

    why: str
    wait_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Nothing can be delivered until somebody changes a setting."""

    why: str


Verdict: TypeAlias = Accepted | Refused | Later | Wrong


class Reader(Protocol):
    """What a platform's shape knows of its answers."""

    def named(self, body: Any) -> frozenset[int]:
        """Find the changes that an answer's JSON names as refused, by their place in the request."""
        ...

    def wait_ms(self, headers: Mapping[str, str], wall_ms: int) -> int | None:
        """Read how long to wait from headers of the platform's own, of a 429."""
        ...


def judge(answer: Answer, reader: Reader, changes: int, wall_ms: int) -> Verdict:
    """Say what an answer to a request of so many changes means."""
    status = answer.status
    if 200 <= status < 300:
        return Accepted(_named(answer, reader, changes))
    if status in _LATER or status >= 500:
        asked = [retry_after_ms(answer.headers.get("retry-after"), wall_ms)]
        if status == 429:
            # of a rate: platforms tell it with every answer
            asked.append(reader.wait_ms(answer.headers, wall_ms))
        waits = [wait for wait in asked if wait is not None]
        return Later(said(status), min(max(waits), WAIT_MAX_MS) if waits else None)
    if status in _CREDENTIALS:
        return Wrong(f"it refuses the credentials ({said(status)})")
    if status in _ELSEWHERE or status < 400:
        return Wrong(f"it does not take changes at this address ({said(status)})")
    return Refused("too_large" if status == 413 else f"http_{status}", _named(answer, reader, changes))


def _named(answer: Answer, reader: Reader, changes: int) -> frozenset[int]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return frozenset()
    return frozenset(place for place in reader.named(body) if place < changes)


def retry_after_ms(value: str | None, wall_ms: int) -> int | None:
    """Read `Retry-After`: seconds, or an HTTP date. None: not there, or not to be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return int(text[:12]) * 1000
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0, int(at.timestamp() * 1000) - wall_ms)


def said(status: int) -> str:
    """Say a status: `HTTP 503 Service Unavailable`."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def places(errors: Any, place_of: Callable[[Mapping[str, Any]], Any]) -> frozenset[int]:
    """Read the places out of a list of errors, passing over what is none."""
    if not isinstance(errors, list):
        return frozenset()
    found = (place_of(error) for error in errors if isinstance(error, dict))
    return frozenset(place for place in found if type(place) is int and place >= 0)

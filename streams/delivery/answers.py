"""What an HTTP answer means for the changes of a request. Pure.

| answer | means |
|---|---|
| 2xx | accepted, except the items that the platform names as refused |
| 413 | too large: again in halves; a single change is refused |
| 408, 425, 429, 5xx, no answer | later: again, for ever, with back-off; `Retry-After` delays all requests |
| 401, 402, 403, 407 | the credentials are wrong: stop; nothing is a dead letter for that |
| 3xx, 404, 405, 406, 410, 411, 415, 421, 426 | this is not the endpoint: stop, too |
| any other 4xx | refused for good: the changes that the platform names; else again in halves, until it is one change |
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, Protocol, TypeAlias

import orjson

WAIT_MAX_MS: Final = 24 * 3_600_000
"""The longest wait that an endpoint can ask for: an error of its clock must not stop us for a year."""
REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-correlation-id")
"""Headers in which platforms name a request, so that their support finds it. In lower case, the usual one first."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_CREDENTIALS: Final = frozenset({401, 402, 403, 407})
_ELSEWHERE: Final = frozenset({404, 405, 406, 410, 411, 415, 421, 426})
_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end or to ANSWER_BYTES_MAX."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says for a receipt. The platform's own texts are not kept: they may repeat the request."""

    status: int | None = None
    """None: there was no answer, because the request was never sent."""
    changes: int = 1
    """How many changes the request held."""
    request_id: str | None = None
    deleted: int | None = None
    """How many persons the platform says that it deletes."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The platform has the changes, except the refused ones: their indexes in the request."""

    refused: frozenset[int] = frozenset()
    told: Told = field(default=Told(), compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for good. `named`: the indexes of the changes at fault, others were not looked at; empty: not known."""

    code: str
    named: frozenset[int] = frozenset()
    told: Told = field(default=Told(), compare=False)


@dataclass(frozen=True, slots=True)
class Later:
    """Send the request again. `wait_ms`: the endpoint wants no request at all before that."""

    why: str
    wait_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """The endpoint takes no request until a setting is changed."""

    why: str


AnswerVerdict: TypeAlias = Accepted | Refused | Later | Wrong


class AnswerFormat(Protocol):
    """Reads a platform's own answers."""

    def named(self, body: Any, *, deletes: bool = False) -> frozenset[int]:
        """Return the indexes of the changes that an answer's JSON names as refused. `deletes`: by a deletion."""
        ...

    def wait_ms(self, headers: Mapping[str, str], wall_ms: int) -> int | None:
        """Read from the headers of a 429 how long to wait. None: the platform's headers do not say."""
        ...


def judge(
    answer: Answer, answer_format: AnswerFormat, changes: int, wall_ms: int, *, deletes: bool = False
) -> AnswerVerdict:
    """Say what an answer to a request of so many changes means. `deletes`: it asked to delete persons."""
    status, told = answer.status, _told(answer, changes, deletes=deletes)
    if 200 <= status < 300:
        return Accepted(_named(answer, answer_format, changes, deletes=deletes), told)
    if status in _LATER or status >= 500:
        asked = [retry_after_ms(answer.headers.get("retry-after"), wall_ms)]
        if status == 429:
            # other answers carry these headers too: only with a 429 do they ask for a pause
            asked.append(answer_format.wait_ms(answer.headers, wall_ms))
        waits = [wait for wait in asked if wait is not None]
        return Later(said(status), min(max(waits), WAIT_MAX_MS) if waits else None)
    if status in _CREDENTIALS:
        return Wrong(f"it refuses the credentials ({said(status)})")
    if status in _ELSEWHERE or status < 400:
        return Wrong(f"it does not take changes at this address ({said(status)})")
    code = "too_large" if status == 413 else f"http_{status}"
    return Refused(code, _named(answer, answer_format, changes, deletes=deletes), told)


def _told(answer: Answer, changes: int, *, deletes: bool) -> Told:
    ids = (answer.headers.get(name, "") for name in REQUEST_ID_HEADERS)
    request_id = next((each for each in ids if _REQUEST_ID.fullmatch(each)), None)
    body = _json(answer) if deletes else None
    deleted = body.get("deleted") if isinstance(body, dict) else None
    return Told(answer.status, changes, request_id, deleted if type(deleted) is int and deleted >= 0 else None)


def _json(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def _named(answer: Answer, answer_format: AnswerFormat, changes: int, *, deletes: bool) -> frozenset[int]:
    named = answer_format.named(_json(answer), deletes=deletes)
    return frozenset(index for index in named if index < changes)


def retry_after_ms(value: str | None, wall_ms: int) -> int | None:
    """Read `Retry-After`: seconds, or an HTTP date. None: it is absent or malformed."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return int(text[:12]) * 1000
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return max(0, int(until.timestamp() * 1000) - wall_ms)


def said(status: int) -> str:
    """Say a status: `HTTP 503 Service Unavailable`."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def indexes(errors: Any, index_of: Callable[[Mapping[str, Any]], Any]) -> frozenset[int]:
    """Read an index from each error of a list; pass over errors without one."""
    if not isinstance(errors, list):
        return frozenset()
    found = (index_of(error) for error in errors if isinstance(error, dict))
    return frozenset(index for index in found if type(index) is int and index >= 0)

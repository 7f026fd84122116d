"""What answers mean."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from streams.delivery.answers import (
    WAIT_MAX_MS,
    Accepted,
    Answer,
    AnswerVerdict,
    Later,
    Refused,
    Wrong,
    judge,
    retry_after_ms,
)
from streams.delivery.settings import DeliverySettings
from streams.delivery.shapes import SHAPES, Shape, shape_of
from tests.streams.delivery.platform import API_KEY, SECRET, SITE_ID

NOW_MS = 1_795_305_600_000
"""2026-11-22T00:00:00Z."""


def shape(name: str) -> Shape:
    return shape_of(
        DeliverySettings.model_validate({"shape": name, "secrets": SECRET, "api_key": API_KEY, "site_id": SITE_ID})
    )


def verdict(name: str, status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> AnswerVerdict:
    written = body if isinstance(body, bytes) else orjson.dumps(body)
    return judge(Answer(status, headers or {}, written), shape(name), 4, NOW_MS)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((200, 201, 202, 204), Accepted),
        ((408, 425, 429, 500, 501, 502, 503, 504, 520, 599), Later),
        ((301, 302, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 426), Wrong),
        ((400, 409, 412, 413, 414, 418, 422, 431, 451), Refused),
    ],
)
def test_every_status_means_one_thing_whatever_the_body(name: str, statuses: tuple[int, ...], kind: type) -> None:
    for status in statuses:
        for body in (b"", b"<html>", b"[]", b"null", {"errors": "no"}, {"errors": [None, {"index": "x"}, {}]}):
            found = verdict(name, status, body)
            assert type(found) is kind, status
            if isinstance(found, Accepted):
                assert found.refused == frozenset()
            if isinstance(found, Refused):
                assert found.named == frozenset()


def test_braze_names_what_it_refuses_in_either_list() -> None:
    errors = [
        {"type": "'time' is not valid", "input_array": "events", "index": 2},
        {"type": "'external_id' is required", "input_array": "attributes", "index": 0},
        {"type": "not ours", "input_array": "purchases", "index": 1},
        {"type": "beyond", "input_array": "events", "index": 4},
        {"type": "not a number", "input_array": "events", "index": True},
    ]
    assert verdict("braze", 201, {"message": "success", "errors": errors}) == Accepted(frozenset({0, 2}))
    assert verdict("braze", 400, {"message": "no", "errors": errors}) == Refused("http_400", frozenset({0, 2}))
    assert verdict("braze", 400, {"message": "Bad syntax"}) == Refused("http_400")


def test_customerio_names_what_it_refuses_by_item_two_a_change() -> None:
    errors = [{"batch_index": place, "reason": "invalid", "field": "id", "message": "…"} for place in (0, 1, 6, 8, -1)]
    assert verdict("customerio", 207, {"errors": errors}) == Accepted(frozenset({0, 3}))
    assert verdict("customerio", 413) == Refused("too_large")


def test_a_wait_is_as_long_as_asked_for_by_whichever_header() -> None:
    http_date = "Sun, 22 Nov 2026 00:00:30 GMT"
    assert verdict("standard", 503, b"", {"retry-after": http_date}) == Later("HTTP 503 Service Unavailable", 30_000)
    assert verdict("standard", 429, b"", {"retry-after": "7"}) == Later("HTTP 429 Too Many Requests", 7_000)
    assert verdict("standard", 429, b"", {"x-ratelimit-reset": str(NOW_MS // 1000 + 9)}) == Later(
        "HTTP 429 Too Many Requests", None
    )
    both = {"retry-after": "7", "x-ratelimit-reset": str(NOW_MS // 1000 + 9)}
    assert verdict("braze", 429, b"", both) == Later("HTTP 429 Too Many Requests", 9_000)
    assert verdict("braze", 429, b"", {"x-ratelimit-reset": "soon"}) == Later("HTTP 429 Too Many Requests", None)
    assert verdict("standard", 429, b"", {"retry-after": "9" * 30}) == Later("HTTP 429 Too Many Requests", WAIT_MAX_MS)


def test_a_rate_that_is_told_with_every_answer_holds_back_after_a_429_only() -> None:
    told = {"x-ratelimit-reset": str(NOW_MS // 1000 + 3_600), "x-ratelimit-remaining": "2999"}
    assert verdict("braze", 500, b"", told) == Later("HTTP 500 Internal Server Error", None)
    assert verdict("braze", 503, b"", {**told, "retry-after": "7"}) == Later("HTTP 503 Service Unavailable", 7_000)


@pytest.mark.parametrize(
    ("value", "wait_ms"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("0", 0),
        (" 120 ", 120_000),
        ("Sun, 22 Nov 2026 00:01:00 GMT", 60_000),
        ("Sunday, 22-Nov-26 00:01:00 GMT", 60_000),
        ("Sun, 22 Nov 2026 00:01:00", 60_000),
        ("Sat, 21 Nov 2026 23:00:00 GMT", 0),
        ("Sun, 99 Nov 2026 00:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, wait_ms: int | None) -> None:
    assert retry_after_ms(value, NOW_MS) == wait_ms

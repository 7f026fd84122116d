"""Instants as text."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.ground.instants import format_instant, parse_instant

FIRST_MS = parse_instant("0001-01-01")
LAST_MS = parse_instant("9999-12-31T23:59:59.999Z")


@given(st.integers(FIRST_MS, LAST_MS))
def test_a_written_instant_is_the_calendars_and_reads_back(instant_ms: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=instant_ms)
    written = format_instant(instant_ms)
    assert written == moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    assert parse_instant(written) == instant_ms


@pytest.mark.parametrize(
    ("instant_ms", "written"),
    [(-1, "1969-12-31T23:59:59.999Z"), (FIRST_MS, "0001-01-01T00:00:00.000Z"), (LAST_MS, "9999-12-31T23:59:59.999Z")],
)
def test_three_decimals_always(instant_ms: int, written: str) -> None:
    assert format_instant(instant_ms) == written

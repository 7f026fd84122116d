"""The guard of the input: the broker's stamps."""

import pytest

from streams.intake.guard import AHEAD_OF_WALL_MAX_MS, BadStamp, check_stamps
from tests.streams.world import Read

NOW = 1_000_000_000


def test_a_stamp_five_minutes_ahead_passes_and_one_millisecond_more_does_not() -> None:
    check_stamps([Read(0, NOW + AHEAD_OF_WALL_MAX_MS, None, None)], NOW)
    with pytest.raises(BadStamp, match="ahead"):
        check_stamps([Read(0, NOW, None, None), Read(1, NOW + AHEAD_OF_WALL_MAX_MS + 1, None, None)], NOW)


def test_a_stamp_of_the_producer_is_refused_wherever_it_stands_in_a_batch() -> None:
    with pytest.raises(BadStamp, match="LogAppendTime"):
        check_stamps([Read(0, NOW, None, None), Read(1, NOW, None, None, timestamp_type=0)], NOW)

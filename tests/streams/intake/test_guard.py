"""Guards of the input: the broker's stamps, and the share of refused records."""

import pytest

from streams.intake.guard import AHEAD_OF_WALL_MAX_MS, BadStamp, RefusalShare, TooMuchBadInput, check_stamps
from tests.streams.world import Read

NOW = 1_000_000_000


def test_a_stamp_five_minutes_ahead_passes_and_one_millisecond_more_does_not() -> None:
    check_stamps([Read(0, NOW + AHEAD_OF_WALL_MAX_MS, None, None)], NOW)
    with pytest.raises(BadStamp, match="ahead"):
        check_stamps([Read(0, NOW, None, None), Read(1, NOW + AHEAD_OF_WALL_MAX_MS + 1, None, None)], NOW)


def test_a_stamp_of_the_producer_is_refused_wherever_it_stands_in_a_batch() -> None:
    with pytest.raises(BadStamp, match="LogAppendTime"):
        check_stamps([Read(0, NOW, None, None), Read(1, NOW, None, None, timestamp_type=0)], NOW)


def test_the_share_is_judged_against_the_whole_window_and_forgets_what_left_it() -> None:
    share = RefusalShare(0.1, 100)
    share.add(1, 1)
    for _ in range(9):
        share.add(2, 1)
    share.add(90, 0)
    for _ in range(9):
        share.add(1, 1)
    share.add(20, 0)
    share.add(1, 1)
    with pytest.raises(TooMuchBadInput, match="11 of the last 100"):
        share.add(1, 1)

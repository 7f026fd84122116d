"""What becomes of a lag: from two looks to a sentence."""

import pytest

from streams.operations.outlook import Look, Trend, catches_up_s, outlook, spoken, trend

SHRINKS, GROWS, STILL = Trend(-100, 500), Trend(50, 500), Trend(0, 0)


def test_a_trend_is_what_changed_in_a_second() -> None:
    before, now = Look(10, 1_000, 5_000), Look(14, 600, 9_000)
    assert trend(before, now) == Trend(-100, 1_000)
    assert trend(now, now) is None
    assert trend(before, Look(12, 1_200, 4_000)) == Trend(100, 0), "a state that went back applies nothing"


def test_a_lag_that_shrinks_has_an_end_and_another_has_none() -> None:
    assert catches_up_s(18_000, SHRINKS) == 180
    assert catches_up_s(0, None) == 0
    assert catches_up_s(18_000, GROWS) is None
    assert catches_up_s(18_000, None) is None


@pytest.mark.parametrize(
    ("records", "lag_s", "wakes", "overdue_s", "waits_for", "change", "said"),
    [
        (0, 0.0, 0, 0.0, "", None, "caught up"),
        (0, 0.0, 2, 0.9, "", None, "caught up"),
        (18_000, 60.0, 0, 0.0, "", SHRINKS, "caught up in about 3 min"),
        (18_000, 60.0, 0, 0.0, "", GROWS, "will not catch up: the input is as fast"),
        (18_000, 60.0, 0, 0.0, "", STILL, "will not catch up: nothing is applied"),
        (18_000, 60.0, 0, 0.0, "", None, "behind"),
        (200, 0.4, 0, 0.0, "", SHRINKS, "keeps up"),
        (200, 0.4, 0, 0.0, "", GROWS, "keeps up"),
        (0, 0.0, 0, 0.0, "no worker runs", None, "no worker runs"),
        (5, 3.0, 0, 0.0, "no worker runs", GROWS, "will not catch up: no worker runs"),
        (0, 0.0, 1, 31.0, "no worker runs", None, "will not catch up: no worker runs; 1 wake overdue by 31 s"),
        (0, 0.0, 1_200, 31.0, "", None, "1,200 wakes overdue by 31 s"),
        (18_000, 60.0, 3, 240.0, "", SHRINKS, "caught up in about 3 min; 3 wakes overdue by 4 min"),
        (9, None, 0, 0.0, "", None, "behind"),
    ],
)
def test_a_sentence_says_what_becomes_of_it(
    records: int, lag_s: float | None, wakes: int, overdue_s: float, waits_for: str, change: Trend | None, said: str
) -> None:
    assert outlook(records, lag_s, wakes, overdue_s, waits_for, change) == said


def test_spans_are_spoken_in_the_unit_that_fits() -> None:
    assert [spoken(each) for each in (0.2, 40, 89, 180, 5_400, 86_400, 200_000)] == [
        "1 s",
        "40 s",
        "89 s",
        "3 min",
        "2 h",
        "24 h",
        "2 days",
    ]

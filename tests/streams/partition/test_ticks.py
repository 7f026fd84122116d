"""When an owner appends a tick."""

from streams.partition.ticks import LOST_MS, PAUSE_MS, Ticks

NOW = 1_000_000_000


def test_one_tick_is_outstanding_and_the_next_comes_only_while_something_is_due() -> None:
    ticks = Ticks()
    assert not ticks.wanted(None, NOW)
    assert not ticks.wanted(NOW, NOW), "a wake fires before a record stamped later, not at the same instant"
    assert ticks.wanted(NOW - 1, NOW)
    ticks.asked(NOW - 1, NOW)
    assert not ticks.wanted(NOW - 1, NOW)
    ticks.appended(7)
    ticks.applied(7, NOW, NOW)
    assert not ticks.wanted(NOW - 1, NOW), "the tick itself is not applied yet"
    ticks.applied(8, NOW, NOW)
    assert ticks.wanted(NOW - 1, NOW), "more than a record passes was due"


def test_a_tick_that_did_not_move_the_clock_far_enough_is_followed_after_a_pause() -> None:
    ticks = Ticks()
    ticks.asked(NOW - 1, NOW)
    ticks.appended(7)
    ticks.applied(8, NOW - 1, NOW)
    assert not ticks.wanted(NOW - 1, NOW)
    assert ticks.ask_at_ms(NOW - 1) == NOW + PAUSE_MS
    assert ticks.wanted(NOW - 1, NOW + PAUSE_MS)


def test_a_tick_that_may_be_lost_is_asked_for_again() -> None:
    ticks = Ticks()
    ticks.asked(NOW - 1, NOW)
    ticks.failed(NOW)
    assert not ticks.wanted(NOW - 1, NOW)
    assert ticks.wanted(NOW - 1, NOW + PAUSE_MS)
    ticks.asked(NOW - 1, NOW)
    ticks.appended(7)
    assert ticks.wanted(NOW - 1, NOW + PAUSE_MS + LOST_MS)

"""Guards, ticks, clocks, status: the small parts of a worker."""

import asyncio
import io
import json
import logging

import pytest

from streams import logs
from streams.clock import SystemClock
from streams.intake.guard import AHEAD_OF_WALL_MAX_MS, BadStamp, RefusalShare, TooMuchBadInput, check_stamps
from streams.partition.status import PartitionStatus
from streams.partition.ticks import LOST_MS, PAUSE_MS, Ticks
from streams.worker.status import WorkerStatus
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


async def test_waiting_leaves_the_event_as_it_is() -> None:
    event, clock = asyncio.Event(), SystemClock()
    await clock.wait(event, 1)
    assert not event.is_set()
    event.set()
    await clock.wait(event, 60_000)
    assert event.is_set()


def test_a_worker_is_ready_when_all_it_was_given_runs_or_is_stopped_on_purpose() -> None:
    status = WorkerStatus("g1", NOW)
    assert not status.ready
    status.assigned = True
    assert status.ready
    one = status.partitions[0] = PartitionStatus(0)
    assert not status.ready
    one.state = "running"
    assert status.ready
    one.waiting_for = "the store"
    assert not status.ready
    one.waiting_for, one.state, one.incident = "", "stopped", "why"
    assert status.ready
    status.failure = "a bug"
    assert not status.live
    assert status.pages(lambda: NOW)["/live"]()[0] == 503


def test_counters_of_partitions_let_go_stay_in_the_sums() -> None:
    status = WorkerStatus("g1", NOW)
    status.partitions[3] = PartitionStatus(3, events=5, changes=2, applied_offset=7, end_offset=9)
    status.partitions[3].oldest_unapplied_ms = NOW - 50
    found = status.as_json(NOW)
    assert found["partitions"][0]["lag_records"] == 2
    assert found["partitions"][0]["lag_ms"] == 50
    status.retire(3)
    status.retire(3)
    status.partitions[3] = PartitionStatus(3, events=1)
    assert (status.as_json(NOW)["events"], status.as_json(NOW)["changes"]) == (6, 2)


def test_a_log_line_is_json_and_the_clients_do_not_flood() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        logs.configure(logging.INFO, stream)
        logging.getLogger("streams.worker.worker").info("given %d partitions", 3)
        for _ in range(50):
            logging.getLogger("aiokafka").error("no connection to %s", "x")
        logging.getLogger("aiokafka").info("chatter")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        for name in (*logs.CLIENTS, "streams.intake.app", "streams.intake.transport"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["given 3 partitions", "no connection to x"]
    assert lines[0]["level"] == "info"

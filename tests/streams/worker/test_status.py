"""The status that a worker shows on its pages."""

from streams.dependencies import Away
from streams.partition.status import PartitionStatus
from streams.worker.status import WorkerStatus

NOW = 1_000_000_000


def codes(status: WorkerStatus, wall_ms: int = NOW) -> list[str]:
    return [each.code for each in status.reasons(wall_ms)]


def test_a_worker_is_ready_when_all_it_was_given_runs_or_is_stopped_on_purpose() -> None:
    status = WorkerStatus("g1", NOW)
    status.starting = "the servers are checked"
    assert codes(status) == ["starting"]
    status.starting = ""
    assert codes(status) == ["not_assigned"]
    status.assigned = True
    assert status.ready(NOW)
    one = status.partitions[0] = PartitionStatus(0, catalogue="c")
    assert codes(status) == ["partition_starting"]
    one.state = "running"
    assert codes(status) == []
    one.waiting_for = "the store"
    assert codes(status) == ["partition_waits"]
    one.waiting_for, one.state, one.incident = "", "stopped", "why"
    assert codes(status) == ["partition_stopped"]
    assert status.ready(NOW)
    status.failure = "a bug"
    assert codes(status) == ["failed", "partition_stopped"]
    assert not status.live
    assert status.pages(lambda: NOW)["/live"]()[0] == 503


def test_a_partition_whose_node_of_redis_stands_still_is_told_though_another_node_answers() -> None:
    status = WorkerStatus("g1", NOW, assigned=True)
    status.partitions[0] = PartitionStatus(0, state="running", catalogue="c", store_heard_ms=NOW)
    assert codes(status, NOW + 4_000) == []
    (found,) = status.reasons(NOW + 4_500)
    assert (found.code, found.partition, found.dependency, found.since_ms) == ("partition_waits", 0, "redis", NOW)


def test_a_partition_without_a_catalogue_leaves_a_worker_ready_and_is_told() -> None:
    status = WorkerStatus("g1", NOW, assigned=True)
    status.partitions[0] = PartitionStatus(0, state="running")
    assert codes(status) == ["no_catalogue"]
    code, page = status.pages(lambda: NOW)["/ready"]()
    assert (code, page["ready"], page["reasons"]) == (200, True, [])
    assert page["notices"][0]["partition"] == 0


def test_a_worker_is_not_ready_while_a_partition_is_further_behind_than_the_limit() -> None:
    status = WorkerStatus("g1", NOW, assigned=True, lag_ms_max=60_000)
    one = status.partitions[0] = PartitionStatus(0, state="running", catalogue="c")
    one.oldest_unapplied_ms = NOW - 60_000
    assert status.ready(NOW)
    assert not status.ready(NOW + 1)
    assert codes(status, NOW + 1) == ["partition_behind"]


def test_the_page_says_since_when_each_reason_stands() -> None:
    now = NOW
    status = WorkerStatus("g1", NOW, assigned=True)
    page = status.pages(lambda: now)["/ready"]
    status.dependencies.away["kafka"] = Away("no answer came within 2 s", NOW)
    assert page() == (
        503,
        {
            "ready": False,
            "reasons": [
                {
                    "code": "dependency_away",
                    "sentence": "Kafka cannot be used: no answer came within 2 s",
                    "dependency": "kafka",
                    "since": "1970-01-12T13:46:40.000Z",
                }
            ],
            "notices": [],
            "incidents": {},
        },
    )
    now = NOW + 5_000
    assert page()[1]["reasons"][0]["since"] == "1970-01-12T13:46:40.000Z"
    status.dependencies.away.clear()
    assert page()[0] == 200
    now, status.silent = NOW + 9_000, "nothing was read"
    assert page()[1]["reasons"][0]["since"] == "1970-01-12T13:46:49.000Z"
    now, status.silent = NOW + 10_000, "nothing was read yet"
    assert page()[1]["reasons"][0]["since"] == "1970-01-12T13:46:49.000Z"


def test_a_lag_is_exact_where_the_record_was_read_and_not_known_where_nothing_was_heard() -> None:
    one = PartitionStatus(0, state="running")
    assert (one.lag_records(NOW), one.lag_ms(NOW)) == (-1, None)
    one.applied_offset, one.end_offset, one.heard_ms = 7, 9, NOW
    assert (one.lag_records(NOW), one.lag_ms(NOW)) == (2, None), "no record of this claim says how old they are"
    one.oldest_unapplied_ms = NOW - 70_000
    assert one.lag_ms(NOW) == 70_000
    assert one.lag_ms(NOW + 60_000) == 130_000, "a record that was read grows old, whatever the broker does"


def test_records_that_are_not_read_yet_are_at_most_as_old_as_the_last_one_applied_and_the_last_end() -> None:
    one = PartitionStatus(0, state="running", applied_offset=7, end_offset=9, heard_ms=NOW)
    one.last_record_ms = NOW - 30_000
    assert one.lag_ms(NOW) == 30_000
    one.caught_up_ms = NOW - 40
    assert one.lag_ms(NOW) == 40
    one.applied_offset = 9
    assert one.lag_ms(NOW) == 0


def test_a_lag_is_not_known_five_seconds_after_the_broker_last_told_the_end() -> None:
    one = PartitionStatus(0, state="running", applied_offset=9, end_offset=9, heard_ms=NOW, caught_up_ms=NOW)
    assert (one.lag_records(NOW + 5_000), one.lag_ms(NOW + 5_000)) == (0, 0)
    assert (one.lag_records(NOW + 5_001), one.lag_ms(NOW + 5_001)) == (-1, None)


def test_what_was_known_of_the_end_is_forgotten_with_the_tenure() -> None:
    one = PartitionStatus(0, state="running", applied_offset=7, end_offset=9, heard_ms=NOW, oldest_unapplied_ms=NOW)
    one.move("stopped")
    assert (one.lag_records(NOW), one.lag_ms(NOW)) == (-1, None)


def test_running_is_not_said_while_something_is_tried_again() -> None:
    status = WorkerStatus("g1", NOW, assigned=True)
    one = status.partitions[0] = PartitionStatus(0, state="running")
    assert status.as_json(NOW)["partitions"][0]["state"] == "running"
    one.waiting_for = "the store: READONLY"
    assert status.as_json(NOW)["partitions"][0]["state"] == "retrying"
    one.waiting_for, one.state = "the log", "claiming"
    assert status.as_json(NOW)["partitions"][0]["state"] == "claiming"


def test_counters_of_partitions_let_go_stay_in_the_sums() -> None:
    status = WorkerStatus("g1", NOW)
    status.partitions[3] = PartitionStatus(3, events=5, changes=2, applied_offset=7, end_offset=9)
    status.partitions[3].heard_ms, status.partitions[3].oldest_unapplied_ms = NOW, NOW - 50
    found = status.as_json(NOW)
    assert found["partitions"][0]["lag_records"] == 2
    assert found["partitions"][0]["lag_ms"] == 50
    status.retire(3)
    status.retire(3)
    status.partitions[3] = PartitionStatus(3, events=1)
    assert (status.as_json(NOW)["events"], status.as_json(NOW)["changes"]) == (6, 2)

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

"""The status that a worker shows on its pages."""

from streams.partition.status import PartitionStatus
from streams.worker.status import WorkerStatus

NOW = 1_000_000_000


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

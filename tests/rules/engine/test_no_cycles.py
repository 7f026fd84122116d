"""An event leaves nothing to the garbage collector: a worker's collector does not look at what lived for a while."""

import gc
from collections.abc import Iterator

import pytest

from tests.benchmarks.bench_engine import START_MS, records_of, resumed, warm_up
from tests.benchmarks.load.catalogue import make_catalogue
from tests.benchmarks.load.events import HISTORY_MS, Events

PROFILES = 100


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("in_a_second", [1, 10_000])
def test_events_wakes_and_slices_leave_no_cycle(in_a_second: int, uncollected: None) -> None:
    catalogue = make_catalogue(200)
    events = Events(PROFILES)
    history = records_of(events.history(START_MS - HISTORY_MS, START_MS - 1, 2 * PROFILES), 1)
    # with a second between two events wakes fall due; with ten in a ms some of a profile have the same time
    at_ms = [START_MS + n * 1_000 // in_a_second for n in range(4_000)]
    state = warm_up(catalogue, history, 100)
    records = records_of(events.stream(len(at_ms), at_ms.__getitem__, name="a"), state.last.offset, at_ms)
    partition = resumed(catalogue, state, at_ms[-1] + 1)
    gc.collect()
    for start in range(0, len(records), 500):
        for record in records[start : start + 500]:
            subject = record.key.decode() if record.key else ""
            if partition.lacks(subject):
                partition.give_profile(subject, state.profiles.get(subject))
            partition.feed(record)
        state.take(partition.take_slice())
        for subject in state.last.profiles:
            partition.forget(subject)
    assert partition.changes_total
    assert gc.collect() == 0

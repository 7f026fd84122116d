"""The faults at CI size on real servers: one seed of each that can show what the others cannot, about ten minutes.

`make faults` runs all of them, with all the seeds of CI; `SIZE=full` runs the full sizes.
"""

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.faults.fault import Fault
from tests.faults.runner import run_fault, size_of
from tests.faults.stage import Servers, servers
from tests.faults.table import FAULTS, chosen

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(900)]

FIRST_SEED = int(os.environ.get("SEGUE_FAULTS_SEED", "0"))
ELSEWHERE = {"2a", "7", "11", "11c", "12", "17", "23"}
"""Left to `make faults`: each has a sibling here that covers the same ground, or takes long."""
RUNS = [
    pytest.param(fault, id=f"{fault.number}-{fault.run.__name__}") for fault in FAULTS if fault.number not in ELSEWHERE
]


@pytest.fixture(scope="module")
def running() -> Iterator[Servers]:
    with servers() as started:
        yield started


@pytest.mark.parametrize("fault", RUNS)
def test_nothing_is_lost_and_nothing_twice(fault: Fault, running: Servers) -> None:
    seed = FIRST_SEED
    if not running.kafka.running():
        running.kafka.restart()
    try:
        report = asyncio.run(run_fault(running, fault, seed, size_of(fault, "ci")))
    except BaseException:
        print(f"repeat it: make faults FAULT={fault.number} SEED={seed}")
        raise
    assert report.counted.changes > 0
    print(f"{fault.name}: {report.counted} {report.notes}")


def test_a_number_means_its_whole_family() -> None:
    assert [fault.number for fault in chosen(["2"])] == ["2a", "2b", "2c"]
    assert [fault.number for fault in chosen(["11b"])] == ["11b"]
    assert chosen([]) == list(FAULTS)
    with pytest.raises(KeyError):
        chosen(["99"])

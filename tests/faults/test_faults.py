"""Every fault once on real servers (at the sizes of CI with FAULTS_SIZE=ci); `make faults` runs all seeds.

No test fails because it takes long: deadlines are far away, and measurements are only reported.
"""

import os
import shutil

import pytest

from tests.faults.conftest import Outcome
from tests.faults.fault import Fault
from tests.faults.table import FAULTS, chosen

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.timeout(1_200),
    # an aiokafka client that is closed while it connects leaves that connection open
    pytest.mark.filterwarnings("ignore:Unclosed AIOKafka:ResourceWarning"),
]

FIRST_SEED = int(os.environ.get("SEGUE_FAULTS_SEED", "0"))
RUNS = [
    pytest.param(fault, FIRST_SEED, id=f"{fault.number}-{fault.run.__name__}") for fault in FAULTS if not fault.seldom
]
if shutil.which("redis-server"):
    # their odd seeds run on it
    RUNS += [pytest.param(fault, FIRST_SEED + 1, id=f"{fault.number}-redis") for fault in chosen(["2", "3", "4"])]


@pytest.mark.parametrize(("fault", "seed"), RUNS)
def test_nothing_is_lost_and_nothing_twice(fault: Fault, seed: int, outcome: Outcome) -> None:
    result = outcome(fault, seed)
    print(f"{result.name}: {result.seconds} s {result.counted} {result.notes}")
    assert not result.error, f"{result.error}\nrepeat it: {result.command}"
    assert result.counted["changes"] > 0


def test_a_number_means_its_whole_family() -> None:
    assert [fault.number for fault in chosen(["2"])] == ["2a", "2b", "2c"]
    assert [fault.number for fault in chosen(["11b"])] == ["11b"]
    assert chosen([]) == list(FAULTS)
    with pytest.raises(KeyError):
        chosen(["99"])

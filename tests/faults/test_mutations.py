"""Each safety switched off in real workers, and the fault that must notice it: red, once each.

tests/simulation notices `token`, `epoch`, `fencing`, `progress`, `wall-clock` and `order` too, in seconds.
"""

import os
import re
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.conftest import Outcome
from tests.faults.families.brokers import batch_refused
from tests.faults.families.inputs import wakes_at_once
from tests.faults.families.kills import killed_after_commit, zombie_with_a_write, zombie_with_output
from tests.faults.families.persons import crossed_in_peace, killed_with_effects
from tests.faults.families.stores import lost_its_last_commits
from tests.faults.fault import Context, Fault, Report, Size

pytestmark = [
    pytest.mark.servers,
    pytest.mark.slow,
    pytest.mark.timeout(1_200),
    # aiokafka's clients lose connections that they are making while they are closed
    pytest.mark.filterwarnings("ignore:Unclosed AIOKafka:ResourceWarning"),
]

NOTICED: list[tuple[str, Callable[[Context], Awaitable[Report]], Size, str]] = [
    # mutation, fault, how often, what the checker says
    ("deliveries", batch_refused, Size(1, 1), "L0|O0"),
    ("ticks", killed_after_commit, Size(1, 1), "L0"),
    ("fencing", zombie_with_output, Size(1, 3), "D0|O0|L0"),
    ("token", lost_its_last_commits, Size(1, 3), "S0|L0|D0|O0|C0"),
    ("progress", killed_after_commit, Size(1, 2), "D0|O0"),
    ("epoch", zombie_with_a_write, Size(1, 3), "S0"),
    ("order", wakes_at_once, Size(1, 1, 400), "O0|L0"),
    ("apart", killed_with_effects, Size(1, 1), "E0|L0|D0"),
]
if os.environ.get("FAULTS_SIZE") == "ci":
    # tests/simulation/test_persons.py breaks these in every run of the suite, in seconds
    NOTICED += [
        ("withdrawals", crossed_in_peace, Size(1, seconds=6), "E0|L0|P0"),
        ("twice", crossed_in_peace, Size(1, seconds=6), "E0|L0|D0"),
        ("late-exit", crossed_in_peace, Size(1, seconds=6), "P0|L0|O0"),
    ]
RUNS = [
    pytest.param(Fault(f"without {name}", name, run, size, size, mutation=name), 1, said, id=name)
    for name, run, size, said in NOTICED
]


@pytest.mark.parametrize(("fault", "seed", "said"), RUNS)
def test_a_safety_switched_off_is_noticed(fault: Fault, seed: int, said: str, outcome: Outcome) -> None:
    result = outcome(fault, seed)
    assert result.violated, result.error or "nobody noticed"
    assert re.match(rf"Violated: ({said}) ", result.error), result.error

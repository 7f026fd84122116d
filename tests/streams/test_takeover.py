"""Whoever dies, comes back, is taken over or loses its answers: every change is out once, in order, and right.

A failure names its seed: `python -m pytest "tests/streams/test_takeover.py::test_…[mixture-17]"` repeats it.
"""

import pytest

from tests.streams.simulation import Faults, simulate

MIXTURES = {
    "nothing": Faults(),
    "moves": Faults(moves=8, stalls=0.005),
    "kills": Faults(kills=6, moves=2),
    "lost": Faults(lost=0.01, moves=2, time_outs=0.02, stalls=0.002),
    "rollbacks": Faults(rollbacks=6, moves=1),
    "all": Faults(moves=4, kills=2, rollbacks=3, lost=0.005, time_outs=0.01, stalls=0.002),
}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("mixture", MIXTURES)
async def test_every_change_is_out_once_in_order_and_right(mixture: str, seed: int) -> None:
    await simulate(seed, MIXTURES[mixture])


@pytest.mark.parametrize("seed", range(4))
async def test_three_workers_over_three_partitions(seed: int) -> None:
    await simulate(seed, MIXTURES["all"], partitions=3, workers=3)

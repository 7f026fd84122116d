"""Under every fault, each change is published once, in order and right; and a broken protocol rule is noticed.

A failure names its seed: `make simulate SEED=…` repeats it.
"""

import itertools
import os
import random
from collections import Counter

import pytest

from tests.faults.mutations import patches
from tests.simulation.loop import run
from tests.simulation.mutations import BROKEN
from tests.simulation.seeds import STORM_EVERY, failing, quiet, what
from tests.simulation.storms import storm

SEEDS = int(os.environ.get("SEGUE_SIMULATION_SEEDS", "500"))
BLOCK = 25
TRIED_MAX = 400
"""Seeds to try before a mutation counts as unnoticed."""
NOTICED = {
    "token": range(TRIED_MAX),
    "epoch": range(TRIED_MAX),
    "fencing": range(TRIED_MAX),
    "progress": range(TRIED_MAX),
    "wall-clock": range(0, TRIED_MAX, STORM_EVERY),
    "order": range(0, TRIED_MAX, STORM_EVERY),
}
"""Mutations that the simulation must notice; tests/faults/test_mutations.py has the others."""


SEEN = {
    "lazy_init": 1141,
    "prog_to_lso": 3390,
    "fence_before_claim": 797,
    "token_reused_at_step5": 188,
    "tombstone_before_fence": 126,
    "token_n_reused_after_gap": 124,
    "fence_latest_only": 70,
}
"""Seeds that were seen to fail with a rarely noticed mutation. They are tried first, to save time."""
BROKEN_TRIED_MAX = 3_000
STORMS = range(0, 12 * STORM_EVERY, STORM_EVERY)
"""Storms that together have every kind of event, and a fill that brings somebody in."""
KINDS = {"kill", "rebalance", "zombie", "roll_back", "cut", "fill", "nothing", "entered by a fill"}


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_whatever_happens_the_output_is_that_of_the_records(first: int) -> None:
    with quiet():
        failed = [(seed, what(seed), error) for seed, error in failing(range(first, first + BLOCK)) if error]
    assert not failed, "\n".join(f"seed {seed} ({kind}): {error}" for seed, kind, error in failed)


def test_storms_bring_every_kind_of_event() -> None:
    came: Counter[str] = Counter()
    with quiet():
        for seed in STORMS:
            random.seed(seed)
            came += run(storm(seed))
            if came.keys() == KINDS:
                return
    raise AssertionError(f"in {len(STORMS)} storms there was no {KINDS - came.keys()}")


@pytest.mark.parametrize("mutation", NOTICED)
def test_a_safety_switched_off_is_noticed(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name, instead in patches(mutation):
        monkeypatch.setattr(place, name, instead)
    with quiet():
        assert any(error for _, error in failing(NOTICED[mutation])), f"{TRIED_MAX} seeds held without {mutation}"


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_of_the_protocol_is_noticed(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name, instead in BROKEN[rule]():
        monkeypatch.setattr(place, name, instead)
    seeds = itertools.chain(
        [SEEN[rule]] if rule in SEEN else [], (seed for seed in range(BROKEN_TRIED_MAX) if what(seed) != "storm")
    )
    with quiet():
        assert any(error for _, error in failing(seeds)), f"{BROKEN_TRIED_MAX} seeds held though {rule}"

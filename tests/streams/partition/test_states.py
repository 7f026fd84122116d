"""The tables of states: they are complete, and a move that is not in a table changes nothing."""

from itertools import pairwise, product
from typing import Any, get_args

import pytest

from streams.partition.claim import _Course
from streams.partition.states import CLAIM, STEPS, TENURE, ClaimState, IllegalMove, State, Step, Table
from streams.partition.status import PartitionStatus

TABLES = {"claim": (CLAIM, ClaimState), "tenure": (TENURE, State)}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_every_state_and_each_can_be_reached(name: str) -> None:
    table: Table[Any]
    table, states = TABLES[name]  # type: ignore[assignment]
    assert tuple(table.states) == get_args(states)
    reached = {table.first}
    while more := {after for before, after in table.moves if before in reached} - reached:
        reached |= more
    assert reached == set(table.states)
    assert all(set(move) <= reached for move in table.moves)
    assert all([*table.states.values(), *table.moves.values()])


def test_a_claim_goes_one_way_through_its_steps() -> None:
    assert get_args(Step) == STEPS
    assert list(CLAIM.moves) == list(pairwise([CLAIM.first, *STEPS]))


@pytest.mark.parametrize(("before", "after"), list(product(TENURE.states, repeat=2)))
def test_a_tenure_moves_as_its_table_says_and_a_refused_move_changes_nothing(before: State, after: State) -> None:
    status = PartitionStatus(0, before, waiting_for="the log")
    if (before, after) in TENURE.moves:
        status.move(after)
        assert (status.state, status.waiting_for) == (after, "")
    else:
        with pytest.raises(IllegalMove):
            status.move(after)
        assert status == PartitionStatus(0, before, waiting_for="the log")


def test_a_step_of_a_claim_out_of_its_order_is_refused_and_not_told() -> None:
    told: list[Step] = []
    course = _Course(told.append)
    for n, step in enumerate(STEPS):
        for wrong in (*STEPS[:n], *STEPS[n + 1 :]):
            with pytest.raises(IllegalMove):
                course.done(wrong)
        course.done(step)
    assert told == list(STEPS)

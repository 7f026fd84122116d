"""Whatever the order in which partitions hear of each other, persons are in the end those of the log."""

import random
from typing import Any

import pytest

from rules.engine.replay import Replay
from tests.properties.scattered import FILES, held_in, history, persons_of, scatter
from tests.properties.test_same import HOURS
from tests.transcripts.implementations import compiled

SEEDS = 48
BLOCK = 12
END_MS = HOURS.start + 10_000_000


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_persons_over_several_partitions_end_as_a_replay_says(first: int) -> None:
    for seed in range(first, first + BLOCK):
        rng = random.Random(seed)
        lines = history(rng)
        replay = Replay(compiled(FILES))
        for _ in replay.run(lines, END_MS):
            pass
        found: dict[str, Any] = {}
        for partition in scatter(rng, lines, END_MS, restarting=bool(seed % 2)):
            found |= persons_of(partition, END_MS)
            assert held_in(partition) == {}, f"seed {seed}"
        assert found == persons_of(replay.partition, END_MS), f"seed {seed}"

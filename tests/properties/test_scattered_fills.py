"""Whatever links do while a catalogue changes and its history comes, persons are in the end those of the log."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from rules.engine import plan, step
from rules.engine.persons import lacking
from rules.engine.replay import Replay
from tests.naive.replay import replay as replay_naively
from tests.properties.scattered import FILES, history, persons_of, segment
from tests.properties.scattered_fills import Scattered
from tests.properties.test_same import HOURS
from tests.transcripts.implementations import compiled, plain
from tests.transcripts.transcript import Files

SEEDS = 15
BLOCK = 5
NAIVE_EVERY = 5
TRIED_MAX = 60
END_MS = HOURS.start + 10_000_000


def with_segments(files: Files, *segments: dict[str, Any]) -> Files:
    """Add segments to a catalogue."""
    return {**files, **{f"segments/{each['segment']}.yaml": each for each in segments}}


SECOND = with_segments(
    FILES,
    segment("twice", {"event": "b", "count": {"at_least": 2}, "within": "20d"}),
    segment("rare", {"event": "b", "count": {"at_most": 1}, "within": "20d"}),
    segment("silent", {"absent": "a", "within": "1d"}),
    segment("firm", {"trait": "color", "equals": "blue", "for": "2h"}),
)
THIRD = with_segments(
    SECOND,
    segment("summed", {"aggregate": "sum", "of": "n", "event": "b", "at_least": 4, "within": "20d"}),
    segment("little", {"aggregate": "sum", "of": "n", "event": "b", "at_most": 3, "within": "20d"}),
)
CATALOGUES = (FILES, SECOND, THIRD)
"""Segments that depend on facts and on the instant alone; more come in with each cut."""


def script_of(rng: random.Random, lines: Sequence[bytes]) -> list[bytes | str]:
    """Put two cuts and their fills among events: links come before, between and after them."""
    script: list[bytes | str] = list(lines)
    acts = rng.choice([["cut", "fill 0", "one end", "cut", "fill 1"], ["cut", "cut", "fill 0", "fill 1"]])
    places = sorted((rng.randrange(3, len(lines)) for _ in acts), reverse=True)
    for place, act in zip(places, reversed(acts), strict=True):
        script.insert(place, act)
    return script


def wanted(lines: Sequence[bytes], last: Files) -> dict[str, Any]:
    """Return what a replay knows whose catalogue was in force from the beginning."""
    run = Replay(compiled(last))
    for _ in run.run(lines, END_MS):
        pass
    return persons_of(run.partition, END_MS)


def run(seed: int, *, waits: bool = True) -> tuple[Scattered, dict[str, Any], list[bytes]]:
    rng = random.Random(seed)
    lines = history(rng)
    scattered = Scattered(rng, CATALOGUES, restarting=bool(seed % 2), waits=waits)
    found: dict[str, Any] = {}
    for partition in scattered.run(script_of(rng, lines), END_MS):
        found |= persons_of(partition, END_MS)
    return scattered, found, lines


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_persons_whose_links_move_during_cuts_and_fills_end_as_a_replay_says(first: int) -> None:
    for seed in range(first, first + BLOCK):
        _, found, lines = run(seed)
        assert found == wanted(lines, THIRD), f"seed {seed}"
        if seed % NAIVE_EVERY == 0:
            members = {(subject, name) for subject, each in found.items() for name in each["members"]}
            assert members == members_naively(lines, THIRD), f"seed {seed}"


def members_naively(lines: Sequence[bytes], files: Files) -> set[tuple[str, str]]:
    """Ask the naive evaluator who is in which segment at the end."""
    members: set[tuple[str, str]] = set()
    for value in replay_naively(plain(files), lines, END_MS).changes:
        change = json.loads(value)
        (members.add if change["change"] == "entered" else members.discard)((change["profile"], change["segment"]))
    return members


def left_again(seed: int, *, waits: bool) -> list[str]:
    """Fill a cut while nothing else moves; return who left a new segment: it was entered too early."""
    rng = random.Random(seed)
    lines = history(rng)
    scattered = Scattered(rng, (FILES, SECOND), restarting=bool(seed % 2), waits=waits)
    scattered.run([*lines, "calm", "cut", "fill 0"], END_MS)
    changes = [json.loads(value) for home in scattered.homes for value in home.worker.changes]
    return [each["id"] for each in changes if each["segment"] in NEW and each["change"] == "exited"]


NEW = {name.removeprefix("segments/").removesuffix(".yaml") for name in SECOND.keys() - FILES.keys()}


def test_nobody_is_judged_before_the_past_of_the_whole_person_is_known() -> None:
    for seed in range(BLOCK):
        assert left_again(seed, waits=True) == [], f"seed {seed}"


def test_a_filler_that_does_not_wait_is_noticed() -> None:
    assert any(left_again(seed, waits=False) for seed in range(TRIED_MAX))


MUTATIONS: dict[str, tuple[tuple[object, ...], str, Any]] = {
    "the end of a fill says nothing of what links bring": ((lacking, step), "filled", lambda part, plan: None),
    "effects name states as their partition does": ((plan,), "_foreign", lambda states, numbers: {}),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_a_fill_would_lose_is_noticed(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules, name, instead = MUTATIONS[mutation]
    for module in modules:
        monkeypatch.setattr(module, name, instead)
    for seed in range(TRIED_MAX):
        _, found, lines = run(seed)
        if found != wanted(lines, THIRD):
            return
    pytest.fail(f"{TRIED_MAX} seeds held although {mutation}")

"""Laws of filling: any batching, any order and any repetition of history give the same changes, and nothing is lost."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from rules.catalogue.logic import leaves
from rules.conditions.view import View
from rules.engine.replay import Replay, Then
from streams.partition import wake_pages
from tests.properties.batches import Batched
from tests.properties.fills import clocks, filled_scenes
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, tell
from tests.transcripts.implementations import compiled, engine

pytestmark = pytest.mark.timeout(PATIENCE_S)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_pages, "PAGE", 2)
    monkeypatch.setattr(wake_pages, "LOOKAHEAD_MS", 1)


@checks
@given(filled_scenes(HOURS), st.sets(st.integers(1, 30)))
def test_batching_changes_nothing_while_cuts_are_filled(scene: Scene, boundaries: set[int]) -> None:
    tell(scene)
    note(f"boundaries={sorted(boundaries)}")
    whole, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, True)
    assert Batched(scene.files, scene.cuts, boundaries).run(scene.lines, scene.until) == whole


def is_history(line: bytes) -> bool:
    return b"segue.history" in line


@checks
@given(filled_scenes(HOURS), st.randoms(use_true_random=False))
def test_records_of_history_that_stand_together_add_up_in_any_order_and_as_often_as_they_come(
    scene: Scene, chance: Any
) -> None:
    tell(scene)
    shuffled: list[bytes] = []
    run: list[bytes] = []
    for line in [*scene.lines, b""]:
        if is_history(line):
            run.append(line)
            continue
        again = run + chance.sample(run, chance.randint(0, len(run)))
        chance.shuffle(again)
        shuffled += again
        run = []
        shuffled.append(line)
    for line in shuffled:
        note(f"   {line.decode(errors='replace')}")
    one, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, True)
    other, _ = engine(scene.files, shuffled, scene.cuts, scene.until, True)
    assert one == other


def verdicts(scene: Scene, instants: Sequence[int]) -> dict[str, Any]:
    """Return what every condition without a mark says of every profile at some instants, at the end of a scene."""
    then = [Then(at, compiled(each)) for at, each in scene.cuts]
    run = Replay(compiled(scene.files), then, as_live=scene.as_live)
    for _ in run.run(scene.lines, scene.until):
        pass
    plan = run.partition.current
    assert plan is not None
    found: dict[str, Any] = {}
    for subject, profile in run.partition.profiles.items():
        for segment in plan.segments:
            for rule, node in (("enter", segment.enter), ("exit", segment.exit)):
                for path, leaf, _ in leaves(node, rule) if node is not None else ():
                    if not leaf.segments:
                        views = [View(t_ms, profile, observed_since_ms=profile.known_since_ms) for t_ms in instants]
                        found[f"{subject} {segment.id} {path}"] = [leaf.verdict(view)[0] for view in views]
    return found


@checks
@given(filled_scenes(HOURS, whole=True))
def test_a_condition_that_is_filled_knows_all_that_it_would_know_had_it_always_been_there(scene: Scene) -> None:
    until = max([*clocks(scene.lines), *(at for at, _ in scene.cuts)])
    scene = replace(scene, until=until)
    tell(scene)
    instants = [until + half_hours * 1_800_000 for half_hours in range(16)]
    assert verdicts(scene, instants) == verdicts(replace(scene, as_live=False), instants)

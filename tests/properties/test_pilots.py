"""Pilots: the engine and the naive evaluator agree, in any batching, and a catalogue has all that it needs."""

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.batches import Batched
from tests.properties.pilots import completed, pilot_contacts, pilot_scenes
from tests.properties.test_same import HOURS, Scene, checks, same, tell
from tests.transcripts.implementations import engine


@checks
@given(pilot_scenes(HOURS))
def test_engine_says_what_the_naive_evaluator_says_of_pilots(scene: Scene) -> None:
    same(scene)


@checks
@given(pilot_contacts(HOURS))
def test_engine_says_what_the_naive_evaluator_says_of_piloted_activations(scene: Scene) -> None:
    same(scene)


@checks
@given(st.one_of(pilot_scenes(HOURS), pilot_contacts(HOURS)), st.sets(st.integers(1, 16)))
def test_a_restart_changes_nothing_of_a_pilot(scene: Scene, boundaries: set[int]) -> None:
    tell(scene)
    whole, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, True)
    assert Batched(scene.files, scene.cuts, boundaries).run(scene.lines, scene.until) == whole


@checks
@given(st.one_of(pilot_scenes(HOURS), pilot_contacts(HOURS)))
def test_a_catalogue_with_its_versions_before_needs_no_catalogue_before_it(scene: Scene) -> None:
    tell(scene)
    other = completed(scene)
    one, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    assert engine(other.files, other.lines, other.cuts, other.until, other.as_live)[0] == one

"""The engine and the naive evaluator give the same changes, byte for byte."""

import copy
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from tests.naive.times import instant
from tests.properties.activations import FOCI
from tests.properties.catalogues import catalogues, changed_catalogues, changed_contacts, contacts
from tests.properties.conditions import Place, changed_condition, held_condition
from tests.properties.drawing import DICTIONARY, Condition, Grid
from tests.properties.fillings import with_fillings
from tests.properties.histories import CONTACTS, histories
from tests.transcripts.implementations import engine, naive
from tests.transcripts.transcript import Files

EXAMPLES = int(os.environ.get("SEGUE_EXAMPLES", "40"))
"""Few examples, for every run of the tests; `SEGUE_EXAMPLES=20000` suits a night."""
SEED = int(os.environ.get("SEGUE_SEED", "0")) or (secrets.randbelow(1 << 32) if "SEGUE_EXAMPLES" in os.environ else 1)
"""The seed of all random examples of a run. A failure prints it, so that the run can be repeated. A run without
SEGUE_EXAMPLES always has the same seed: the verdict on a change must not vary from day to day."""
PATIENCE_S = 300 + 3 * EXAMPLES
START = instant("2026-03-01")
assert START is not None
HOURS = Grid("h", START, 40)
T = TypeVar("T", bound=Callable[..., object])
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.timeout(PATIENCE_S)


def checks(test: T, share: int = 1) -> T:
    """Set the number of examples of a property: all examples of a run, or one in `share` of them."""
    checked: T = seed(SEED)(settings(SETTINGS, max_examples=max(1, EXAMPLES // share))(test))
    return checked


@dataclass(frozen=True)
class Scene:
    """All arguments of a replay."""

    files: Files
    lines: list[bytes]
    cuts: list[tuple[int, Files]] = field(default_factory=list)
    until: int | None = None
    as_live: bool = False


@st.composite
def scenes(draw: DrawFn, grid: Grid, cuts: int = 0) -> Scene:
    """A catalogue, a history, and at most `cuts` cuts."""
    files = draw(catalogues(grid))
    made: list[tuple[int, Files]] = []
    last, at = files, 0
    for _ in range(draw(st.integers(min(cuts, 1), cuts))):
        at += draw(st.integers(1, 8))
        last = draw(changed_catalogues(grid, last))
        made.append((grid.at(at), last))
    until = grid.at(draw(st.integers(at, grid.span + 30)))
    return Scene(files, draw(histories(grid)), made, draw(st.sampled_from([None, until, until])), draw(st.booleans()))


@st.composite
def filled_scenes(draw: DrawFn, grid: Grid, cuts: int = 3) -> Scene:
    """A scene as a worker lives it: cuts, and the records that bring their histories."""
    scene = draw(scenes(grid, cuts))
    lines = with_fillings(draw, grid, scene.lines, [at for at, _ in scene.cuts])
    files, later = scene.files, scene.cuts
    if draw(st.integers(0, 3)) == 0:
        files = with_fewer_settings(draw, files)
        later = [(at, with_fewer_settings(draw, each) if draw(st.booleans()) else each) for at, each in later]
    return replace(scene, files=files, lines=lines, cuts=later, as_live=True)


@st.composite
def filled_trait_scenes(draw: DrawFn, grid: Grid) -> Scene:
    """Conditions on the past of traits alone, and fillings that know much or little of it."""
    place = Place(grid, "enter", False, ())
    lines = draw(histories(grid, 12, ["set", "set", "set", "c"]))
    made: list[tuple[int, Files]] = []
    for at in sorted(draw(st.sets(st.integers(3, 24), min_size=1, max_size=2))):
        rules = [held_condition(draw, place) if draw(st.booleans()) else changed_condition(draw, place) for _ in "stuv"]
        made.append((grid.at(at), past_of_traits(draw, rules)))
    files = past_of_traits(draw, [{"everyone": True}])
    if draw(st.integers(0, 3)) == 0:
        files = with_fewer_settings(draw, files)
    lines = with_fillings(draw, grid, lines, [at for at, _ in made], ["set"])
    return Scene(files, lines, made, grid.at(grid.span + 10), as_live=True)


def past_of_traits(draw: DrawFn, rules: list[Condition]) -> Files:
    """A catalogue with a segment a rule; some rules are denied."""
    files: Files = {"dictionary.yaml": DICTIONARY}
    for name, rule in zip("stuv", rules, strict=False):
        enter = {"none": [rule]} if draw(st.booleans()) else rule
        files[f"segments/{name}.yaml"] = {"segment": name, "version": 1, "status": "approved", "enter": enter}
    return files


def with_fewer_settings(draw: DrawFn, files: Files) -> Files:
    """The same catalogue with a dictionary by which events set fewer traits."""
    dictionary = copy.deepcopy(files["dictionary.yaml"])
    settings = dictionary["events"]["set"]["sets"]
    for trait in draw(st.sets(st.sampled_from(sorted(settings)), min_size=1)):
        del settings[trait]
    return {**files, "dictionary.yaml": dictionary}


@st.composite
def filled_contact_scenes(draw: DrawFn, grid: Grid, cuts: int = 3) -> Scene:
    """Activations over segments whose history is filled in."""
    scene = draw(contact_scenes(grid, cuts=cuts))
    lines = with_fillings(draw, grid, scene.lines, [at for at, _ in scene.cuts], CONTACTS)
    return replace(scene, lines=lines, as_live=True)


@st.composite
def contact_scenes(draw: DrawFn, grid: Grid, focus: str | None = None, cuts: int = 4) -> Scene:
    """Activations over plain segments, events that move them, and cuts that change them. `focus`: the key of a mix."""
    mix = FOCI[draw(st.sampled_from(sorted(FOCI))) if focus is None else focus]
    files = draw(contacts(grid, mix))
    made: list[tuple[int, Files]] = []
    last, at = files, 0
    for number in range(cuts):
        at += draw(st.integers(1, 6))
        last = draw(changed_contacts(grid, last, files, mix.restoring() if number % 2 else mix))
        made.append((grid.at(at), last))
    until = grid.at(draw(st.integers(at, grid.span + 10)))
    lines = draw(histories(grid, 16, [*CONTACTS, *mix.events]))
    return Scene(files, lines, made, draw(st.sampled_from([None, until])), draw(st.booleans()))


def tell(scene: Scene) -> None:
    """Print the scene, in case it fails."""
    note(f"SEGUE_SEED={SEED}")
    note(f"files={scene.files!r}")
    note(f"cuts={scene.cuts!r} until={scene.until} as_live={scene.as_live}")
    for number, line in enumerate(scene.lines, 1):
        note(f"{number:2} {line.decode(errors='replace')}")


def same(scene: Scene) -> list[bytes]:
    """Assert that both replays are equal. Returns their changes."""
    tell(scene)
    expected, expected_refusals = naive(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    found, refusals = engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    note("naive:")
    for each in expected:
        note(f"  {each.decode()}")
    note("engine:")
    for each in found:
        note(f"  {each.decode()}")
    assert found == expected
    assert refusals == expected_refusals
    return found


@checks
@given(scenes(HOURS))
def test_engine_says_what_the_naive_evaluator_says(scene: Scene) -> None:
    same(scene)


@checks
@given(scenes(HOURS, cuts=3))
def test_engine_says_what_the_naive_evaluator_says_over_cuts(scene: Scene) -> None:
    same(scene)


@checks
@given(filled_scenes(HOURS))
def test_engine_says_what_the_naive_evaluator_says_of_what_is_filled(scene: Scene) -> None:
    same(scene)


@checks
@given(filled_contact_scenes(HOURS))
def test_engine_says_what_the_naive_evaluator_says_of_activations_of_what_is_filled(scene: Scene) -> None:
    same(scene)


@checks
@given(filled_trait_scenes(HOURS))
def test_engine_says_what_the_naive_evaluator_says_of_the_past_of_traits(scene: Scene) -> None:
    same(scene)

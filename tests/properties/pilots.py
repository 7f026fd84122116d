"""Random pilots on random catalogues, and the scenes that move profiles between the versions."""

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.pilots import with_before
from rules.language.problems import CatalogueErrors
from tests.properties.drawing import Condition, Grid, chance
from tests.properties.histories import histories
from tests.properties.test_same import Scene, contact_scenes, scenes
from tests.transcripts.implementations import compiled
from tests.transcripts.transcript import Files


def pilot(draw: DrawFn) -> Condition:
    """A pilot by market, by share, or by both."""
    found: Condition = {}
    how = draw(st.sampled_from(["markets", "markets", "percent", "both"]))
    if how != "percent":
        found["markets"] = draw(st.sampled_from([["red"], ["green"], ["red", "green"]]))
    if how != "markets":
        found["percent"] = draw(st.sampled_from([0, 30, 50, 70, 100]))
        found["salt"] = draw(st.sampled_from(["one", "two"]))
    return found


def with_pilots(draw: DrawFn, files: Files, before: Catalogue | None) -> tuple[Files, Catalogue]:
    """Make some definitions pilots, as far as the catalogue then still loads after the one before it."""
    found = dict(files)
    for name, value in files.items():
        if name.split("/")[0] in ("segments", "activations") and value["status"] == "approved" and chance(draw, 50):
            tried = {**found, name: {**value, "pilot": pilot(draw)}}
            tried["policy.yaml"] = {"market_trait": "color", "assignment_key": "key", **tried.get("policy.yaml", {})}
            try:
                with_before(compiled(tried), before)
            except CatalogueErrors:
                continue
            found = tried
    return found, with_before(compiled(found), before)


def piloted(draw: DrawFn, scene: Scene) -> Scene:
    """Make some definitions of a scene pilots, in each of its catalogues by itself."""
    files, catalogue = with_pilots(draw, scene.files, None)
    cuts = []
    for at, each in scene.cuts:
        made, catalogue = with_pilots(draw, each, catalogue)
        cuts.append((at, made))
    return replace(scene, files=files, cuts=cuts)


@st.composite
def pilot_scenes(draw: DrawFn, grid: Grid, cuts: int = 3) -> Scene:
    """Segments and a few activations, over cuts."""
    scene = draw(scenes(grid, cuts))
    return replace(piloted(draw, scene), lines=draw(histories(grid)))


@st.composite
def pilot_contacts(draw: DrawFn, grid: Grid) -> Scene:
    """Activations over plain segments, over cuts."""
    return piloted(draw, draw(contact_scenes(grid, draw(st.sampled_from([None, "market"])))))


def completed(scene: Scene) -> Scene:
    """Write the versions before into the catalogues of a scene, as an apply does."""
    catalogue = compiled(scene.files)
    cuts = []
    for at, each in scene.cuts:
        catalogue = with_before(compiled(each), catalogue)
        cuts.append((at, dict(catalogue.files)))
    return replace(scene, cuts=cuts)

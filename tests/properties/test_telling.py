"""Affiliations in a worker: effects that are delivered say what a replay says, and a restart changes nothing."""

from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.engine.affiliations import pages
from rules.engine.replay import Replay
from tests.properties.affiliations import reaching, tied_histories
from tests.properties.catalogues import catalogues
from tests.properties.delivering import Delivered
from tests.properties.persons import LINKS, lines_of
from tests.properties.test_affiliations import ERASING, UNTIL, show
from tests.properties.test_effects import RECORDS_MAX, by_profile, facts_of
from tests.properties.test_same import HOURS, PATIENCE_S, checks
from tests.transcripts.implementations import compiled, engine

pytestmark = pytest.mark.timeout(PATIENCE_S)
Lines = list[bytes]


@st.composite
def told_scenes(draw: st.DrawFn, links: Any = ()) -> tuple[dict[str, Any], Lines]:
    """A catalogue that reaches, and a history of affiliations."""
    return reaching(draw(catalogues(HOURS))), lines_of(draw(tied_histories(HOURS, links=links)))


@pytest.fixture(autouse=True)
def small_pages() -> Any:
    """Split pages of ties at two subjects."""
    with patch.object(pages, "PAGE_MAX", 2):
        yield


@partial(checks, share=2)
@given(told_scenes())
def test_effects_of_affiliations_say_what_a_replay_says(scene: tuple[dict[str, Any], Lines]) -> None:
    files, lines = scene
    show(files, lines)
    whole, _ = engine(files, lines, [], UNTIL, False)
    assert by_profile(Delivered(files, [], set()).deliver(lines, UNTIL)) == by_profile(whole)


@partial(checks, share=2)
@given(told_scenes(links=LINKS))
def test_in_the_end_everybody_knows_what_a_replay_tells(scene: tuple[dict[str, Any], Lines]) -> None:
    files, lines = scene
    show(files, lines)
    replay = Replay(compiled(files))
    for _ in replay.run(lines, UNTIL):
        pass
    delivered = Delivered(files, [], set())
    delivered.deliver(lines, UNTIL)
    assert facts_of(delivered.partition) == facts_of(replay.partition)


@partial(checks, share=2)
@given(told_scenes(links=ERASING), st.data())
def test_a_restart_changes_nothing_that_is_told(scene: tuple[dict[str, Any], Lines], data: st.DataObject) -> None:
    files, lines = scene
    show(files, lines)
    whole = Delivered(files, [], set())
    whole.deliver(lines, UNTIL)
    boundaries = data.draw(st.just(set(range(RECORDS_MAX))) | st.sets(st.integers(1, 60)))
    parts = Delivered(files, [], boundaries)
    parts.deliver(lines, UNTIL)
    assert (parts.changes, parts.effects) == (whole.changes, whole.effects)

"""Laws of the engine alone: batching, duplicates, order, and the shape of published changes."""

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.engine.masks import Masks
from rules.engine.partition import Partition
from rules.engine.slice import Slice
from streams.partition import wake_pages
from tests.naive.times import written
from tests.properties.batches import Batched
from tests.properties.catalogues import catalogues
from tests.properties.histories import an_event, line
from tests.properties.persons import linked_scenes
from tests.properties.test_same import (
    HOURS,
    PATIENCE_S,
    Scene,
    checks,
    contact_scenes,
    filled_contact_scenes,
    filled_scenes,
    scenes,
    tell,
)
from tests.transcripts.implementations import engine

pytestmark = pytest.mark.timeout(PATIENCE_S)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_pages, "PAGE", 2)
    monkeypatch.setattr(wake_pages, "LOOKAHEAD_MS", 1)


@checks
@given(scenes(HOURS, cuts=2), st.sets(st.integers(1, 20)))
def test_batching_changes_nothing(scene: Scene, boundaries: set[int]) -> None:
    tell(scene)
    note(f"boundaries={sorted(boundaries)}")
    whole, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, True)
    assert Batched(scene.files, scene.cuts, boundaries).run(scene.lines, scene.until) == whole


@checks
@given(filled_scenes(HOURS, cuts=2) | filled_contact_scenes(HOURS, cuts=2), st.sets(st.integers(1, 30)))
def test_batching_changes_nothing_of_what_is_filled(scene: Scene, boundaries: set[int]) -> None:
    tell(scene)
    note(f"boundaries={sorted(boundaries)}")
    whole, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, True)
    assert Batched(scene.files, scene.cuts, boundaries).run(scene.lines, scene.until) == whole


@checks
@given(scenes(HOURS, cuts=2), st.sets(st.integers(1, 12)), st.lists(st.integers(0, 2), min_size=1))
def test_a_slice_that_is_packed_in_portions_is_the_slice_that_is_packed_at_once(
    scene: Scene, boundaries: set[int], portions: list[int]
) -> None:
    tell(scene)
    note(f"boundaries={sorted(boundaries)} portions={portions}")
    at_once: list[Slice] = []
    in_portions: list[Slice] = []

    def take(number: int, engine: Partition) -> None:
        if number in boundaries:
            at_once.append(engine.take_slice())

    def pack(number: int, engine: Partition) -> None:
        if engine.to_pack is not None:
            taken = engine.pack_slice(None if number in boundaries else portions[number % len(portions)])
            in_portions.extend([] if taken is None else [taken])
        if number in boundaries:
            engine.begin_slice()

    changes = [Batched(scene.files, scene.cuts, set()).run(scene.lines, scene.until, each) for each in (take, pack)]
    assert changes[0] == changes[1]
    # the last slice may still be in the making
    assert len(at_once) - len(in_portions) in (0, 1)
    assert in_portions == at_once[: len(in_portions)]


@checks
@given(
    scenes(HOURS, cuts=2) | filled_scenes(HOURS, cuts=2) | contact_scenes(HOURS, cuts=2) | linked_scenes(HOURS, cuts=2)
)
def test_looking_also_for_events_that_only_prolong_changes_nothing(scene: Scene) -> None:
    tell(scene)
    found = engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    with pytest.MonkeyPatch.context() as everything:
        everything.setattr(Masks, "lasting_mask", lambda *_: 0)
        assert engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live) == found


@checks
@given(scenes(HOURS, cuts=2))
def test_entries_and_exits_alternate_and_sequences_count_from_one(scene: Scene) -> None:
    tell(scene)
    changes, _ = engine(scene.files, scene.lines, scene.cuts, scene.until, scene.as_live)
    counts: defaultdict[str, int] = defaultdict(int)
    held: set[tuple[str, str]] = set()
    for raw in changes:
        change = json.loads(raw)
        numbered = change["profile"] if "segment" in change else f"{change['profile']}/{change['channel']}"
        counts[numbered] += 1
        assert change["sequence"] == counts[numbered]
        assert change["id"] == f"g1/{numbered}/{change['sequence']}"
        place = (change["profile"], f"segment {change['segment']}" if "segment" in change else change["activation"])
        if change["change"] == "activated" and change["reason"]["kind"] == "definition_changed":
            assert place in held
            continue
        assert (change["change"] in ("exited", "deactivated")) == (place in held)
        held ^= {place}


@st.composite
def shuffled_events(draw: DrawFn) -> tuple[dict[str, Any], list[bytes], list[bytes]]:
    """A catalogue, and the same events in two orders; the second order repeats some of them."""
    events = [
        an_event(draw, HOURS, index, HOURS.at(draw(st.integers(0, 6)))) for index in range(draw(st.integers(2, 10)))
    ]
    for number, event in enumerate(events):
        # every event gets its own id: of two events with one id and different content, either may count
        event["id"] = f"{event['id']}-{number}"
        event["recordedtime"] = written(HOURS.at(8))
    unique = {(event["subject"], event["time"], event["source"], event["id"]): event for event in events}
    assert len(unique) == len(events)
    again = draw(st.permutations(events)) + draw(st.lists(st.sampled_from(events), max_size=4))
    return draw(catalogues(HOURS)), [line(event) for event in events], [line(event) for event in again]


@checks
@given(shuffled_events())
def test_order_and_duplicates_leave_the_states_of_conditions_as_they_are(
    given_: tuple[dict[str, Any], list[bytes], list[bytes]],
) -> None:
    files, lines, again = given_
    note(f"files={files!r}")
    for each in (*lines, b"---", *again):
        note(each.decode())
    states = []
    for order in (lines, again):
        batched = Batched(files, [], set())
        batched.run(order, None)
        states.append(batched.facts([HOURS.at(k) for k in range(8, 24)]))
    assert states[0] == states[1]

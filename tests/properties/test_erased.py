"""What stays of erased subjects may stand under another name, and be read back under any catalogue: nothing changes."""

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from streams.store.erasure_keys import NO_KEYS
from tests.properties.batches import KEYS
from tests.properties.delivering import Delivered
from tests.properties.persons import ERASING, PERSONS, lines_of, linked_contact_scenes, linked_histories, linked_scenes
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, tell

pytestmark = pytest.mark.timeout(PATIENCE_S)
ALL = set(range(2_000))
"""More records than a scene has, with its effects."""
OFTEN = [*ERASING, "privacy.erased", "privacy.erased", "privacy.erased"]


@st.composite
def erasing_scenes(draw: DrawFn) -> Scene:
    """A scene in which subjects are erased often, with cuts, and mostly a policy that lets them begin anew."""
    scene: Scene = draw(linked_scenes(HOURS, cuts=3) | linked_contact_scenes(HOURS, cuts=2))
    return replace(scene, lines=lines_of(draw(linked_histories(HOURS, links=OFTEN))), as_live=False)


def state_of(run: Delivered) -> dict[str, bytes | None]:
    """Return each person's profile as it would be written now."""
    run.store.take(run.partition.take_slice())
    return {subject: run.store.blob(subject) for subject in PERSONS}


@partial(checks, share=4)
@given(erasing_scenes(), st.data())
def test_a_hashed_name_changes_neither_changes_nor_effects_nor_state(scene: Scene, data: st.DataObject) -> None:
    tell(scene)
    boundaries = data.draw(st.just(ALL) | st.sets(st.integers(1, 60)))
    whole = Delivered(scene.files, scene.cuts, set())
    hashed = Delivered(scene.files, scene.cuts, boundaries, KEYS)
    plain = Delivered(scene.files, scene.cuts, boundaries, NO_KEYS)
    for run in (whole, hashed, plain):
        run.deliver(scene.lines, scene.until)
    assert (hashed.changes, hashed.effects) == (plain.changes, plain.effects) == (whole.changes, whole.effects)
    # one that never restarts prunes at other instants: it may keep less of what no window reaches
    assert state_of(hashed) == state_of(plain)


@partial(checks, share=4)
@given(erasing_scenes())
def test_no_name_of_a_forgotten_subject_stands_in_the_store(scene: Scene) -> None:
    tell(scene)
    run = Delivered(scene.files, scene.cuts, ALL)
    run.deliver(scene.lines, scene.until)
    store = run.store
    held: Any = (store.wakes, store.cuts, store.profiles.keys())
    for subject in PERSONS:
        [name] = KEYS.names(subject)
        assert (name in store.erased) <= (subject not in held[0] and subject not in held[2])
        assert subject.encode() not in b"".join(store.erased.values())
        if name in store.erased:
            assert subject not in repr(store.cuts)


@partial(checks, share=4)
@given(erasing_scenes())
def test_sequences_go_on_after_an_erasure_that_was_stored(scene: Scene) -> None:
    tell(scene)
    run = Delivered(scene.files, scene.cuts, ALL)
    run.deliver(scene.lines, scene.until)
    last: dict[tuple[str, str | None], int] = {}
    for raw in run.changes:
        change = json.loads(raw)
        counted = (change["profile"], change.get("channel"))
        assert change["sequence"] == last.get(counted, 0) + 1
        last[counted] = change["sequence"]

"""A preview's numbers are those of the apply that follows, on random pairs of catalogues."""

import json

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.engine.outcome import whole
from rules.engine.partition import Partition
from rules.engine.record import Record
from rules.ground.event import Event
from rules.ground.instants import FOREVER
from rules.preview.found import Found
from rules.preview.lookback import Lookback, Question
from rules.preview.parts import parts_of
from rules.preview.past import wish_for
from rules.preview.subjects import Range, sampled
from rules.preview.tally import ActivationMoves, SegmentMoves, Tally
from tests.naive.times import instant, written
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, contact_scenes, scenes, tell
from tests.rules.preview.lines import DECODE, records_of
from tests.transcripts.implementations import IMPLEMENTATIONS, compiled

pytestmark = pytest.mark.timeout(PATIENCE_S)


def found_in(scene: Scene, subjects: Range, t_ms: int, from_ms: int | None) -> Found:
    """Preview the scene's cut at `t_ms`, over all of its lines."""
    lookback = looking_back(scene, subjects, t_ms, from_ms)
    for record in records_of(scene.lines):
        assert lookback.feed(record) is None
    return lookback.end()


def looking_back(scene: Scene, subjects: Range, t_ms: int, from_ms: int | None) -> Lookback:
    """Begin a preview of the scene's cut at `t_ms`, no line read yet."""
    old, new = compiled(scene.files), compiled(scene.cuts[0][1])
    parts = {each.key: each.catalogue for each in parts_of(old, new) if each.catalogue is not None}
    instants = [t_ms] if from_ms is None else [t_ms, from_ms]
    wish = wish_for([new, *parts.values()], [old], instants)

    def pick(record: Record, r_ms: int) -> bytes | None:
        event = DECODE(record, new.dictionary, r_ms)
        return record.value if isinstance(event, Event) and wish.takes(event) else None

    question = Question(new, parts, from_ms, t_ms)
    engine = Partition("preview", DECODE)
    lookback = Lookback(question, subjects, DECODE, engine, pick)
    lookback.give_catalogue(old.hash, old)
    whole(engine.cut(old, engine.clock_ms))
    return lookback


def filled(scene: Scene, t_ms: int) -> list[bytes]:
    """Return the lines before a cut at `t_ms`, its history and the end of its fill, and the lines after it.

    The history has every event, whether a condition wants it or not.
    """
    dictionary = compiled(scene.cuts[0][1]).dictionary
    before, after, events = list[bytes](), list[bytes](), dict[str, list[object]]()
    r_ms = -FOREVER
    for record in records_of(scene.lines):
        r_ms = max(r_ms, record.timestamp_ms or r_ms)
        if r_ms >= t_ms:
            after.append(record.value or b"")
            continue
        before.append(record.value or b"")
        event = DECODE(record, dictionary, r_ms)
        if isinstance(event, Event):
            events.setdefault(event.subject, []).append(json.loads(record.value or b""))
    told = [own("segue.history", {"cut": t_ms, "events": each}, t_ms, subject) for subject, each in events.items()]
    return [*before, *told, own("segue.filled", {"cut": t_ms}, t_ms), *after]


def own(type_: str, data: object, t_ms: int, subject: str | None = None) -> bytes:
    """Write a record of Segue's own as a line."""
    value = {"specversion": "1.0", "id": "o", "source": "/segue", "type": type_, "data": data}
    return json.dumps(value | {"recordedtime": written(t_ms)} | ({"subject": subject} if subject else {})).encode()


def tally_of(changes: list[bytes], from_ms: int, up_to_ms: int) -> Tally:
    """Count published changes that are effective from one instant to another, both included."""
    tally = Tally()
    for change in map(json.loads, changes):
        if not from_ms <= (instant(change["effective_at"]) or 0) <= up_to_ms:
            continue
        kind = change["reason"]["kind"]
        if "segment" in change:
            moves = tally.segments.setdefault(change["segment"], SegmentMoves())
            if change["change"] == "entered":
                moves.entered += 1
            else:
                moves.left[kind] += 1
            continue
        told = tally.activations.setdefault(change["activation"], ActivationMoves())
        if change["change"] == "deactivated":
            told.deactivated[kind] += 1
        elif kind == "definition_changed":
            told.told_anew += 1
        else:
            told.activated += 1
    return tally


@st.composite
def cut_scenes(draw: DrawFn) -> Scene:
    """One cut, over conditions or over activations."""
    if draw(st.booleans()):
        return draw(scenes(HOURS, cuts=1))
    return draw(contact_scenes(HOURS, cuts=1))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@checks
@given(cut_scenes(), st.integers(1, 30))
def test_the_numbers_of_a_preview_are_those_of_the_apply_that_follows(
    implementation: str, scene: Scene, later: int
) -> None:
    tell(scene)
    t_ms = HOURS.at(HOURS.span + 10 + later)
    apply = IMPLEMENTATIONS[implementation]
    lines = filled(scene, t_ms)
    changes, _ = apply(scene.files, lines, [(t_ms, scene.cuts[0][1])], t_ms, True)
    expected = tally_of(changes, t_ms, t_ms)
    found = found_in(scene, sampled(1), t_ms, None)
    note(f"{expected=}\n{found.cut=}")
    assert found.cut == expected


@checks
@given(cut_scenes(), st.integers(0, 40))
def test_the_window_goes_as_if_the_catalogue_had_been_applied_at_its_beginning(scene: Scene, begins: int) -> None:
    tell(scene)
    from_ms, t_ms = HOURS.at(begins), HOURS.at(HOURS.span + 10)
    lines = [record.value or b"" for record in records_of(scene.lines)]
    apply = IMPLEMENTATIONS["engine"]
    changes, _ = apply(scene.files, filled(scene, from_ms), [(from_ms, scene.cuts[0][1])], t_ms - 1, True)
    actual, _ = apply(scene.files, lines, [], t_ms - 1, True)
    window = found_in(scene, sampled(1), t_ms, from_ms).window
    assert window is not None
    window.supposed.add(window.at_start)
    note(f"{window=}")
    assert window.supposed == tally_of(changes, from_ms, t_ms)
    assert window.actual == tally_of(actual, from_ms, t_ms)


@checks
@given(cut_scenes(), st.integers(0, 30))
def test_ranges_of_subjects_add_up_to_the_whole(scene: Scene, begins: int) -> None:
    tell(scene)
    from_ms, t_ms = HOURS.at(begins), HOURS.at(HOURS.span + 10)
    whole_found = found_in(scene, sampled(1), t_ms, from_ms)
    low, high = sampled(1).halves()
    added = found_in(scene, low, t_ms, from_ms)
    added.add(found_in(scene, high, t_ms, from_ms))
    assert added == whole_found


@checks
@given(cut_scenes(), st.integers(0, 20))
def test_a_pass_that_is_narrowed_counts_its_half_and_the_dropped_half_counts_the_rest(scene: Scene, at: int) -> None:
    tell(scene)
    t_ms = HOURS.at(HOURS.span + 10)
    lookback, dropped = looking_back(scene, sampled(1), t_ms, None), None
    for number, record in enumerate(records_of(scene.lines)):
        if number == at:
            dropped = lookback.narrow()
        assert lookback.feed(record) is None
    found = lookback.end()
    if dropped is not None:
        found.add(found_in(scene, dropped, t_ms, None))
    assert found == found_in(scene, sampled(1), t_ms, None)

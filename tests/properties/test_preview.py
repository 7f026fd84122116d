"""A preview's numbers are those of the apply that follows, on random pairs of catalogues."""

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from rules.catalogue.catalogue import Catalogue
from rules.engine.outcome import whole
from rules.engine.partition import Partition
from rules.engine.replay import RefusedLine, Replay, Then
from rules.preview.found import Found
from rules.preview.lookback import Lookback, Question
from rules.preview.parts import parts_of
from rules.preview.subjects import Range, sampled
from rules.preview.tally import Tally
from rules.preview.wanted import wanted_types
from tests.properties.test_same import HOURS, PATIENCE_S, Scene, checks, contact_scenes, scenes, tell
from tests.rules.preview.lines import DECODE, records_of
from tests.transcripts.implementations import compiled

pytestmark = pytest.mark.timeout(PATIENCE_S)


def found_in(scene: Scene, subjects: Range, t_ms: int, from_ms: int | None) -> Found:
    """Preview the scene's cut at `t_ms`, over all of its lines."""
    old, new = compiled(scene.files), compiled(scene.cuts[0][1])
    parts = {each.key: each.catalogue for each in parts_of(old, new) if each.catalogue is not None}
    question = Question(new, parts, wanted_types([new, *parts.values()], [old]), from_ms, t_ms)
    engine = Partition("preview", DECODE)
    lookback = Lookback(question, subjects, DECODE, engine)
    lookback.give_catalogue(old.hash, old)
    whole(engine.cut(old, engine.clock_ms))
    for record in records_of(scene.lines):
        assert lookback.feed(record) is None
    return lookback.end()


def applied(old: Catalogue, new: Catalogue, lines: list[bytes], t_ms: int) -> tuple[Replay, Tally]:
    """Replay the lines with a cut at `t_ms`, which is after the last line; return what changed at it."""
    replay = Replay(old, [Then(t_ms, new)])
    tally = Tally()
    for each in replay.run(lines, t_ms):
        if not isinstance(each, RefusedLine) and each.effective_ms == t_ms:
            tally.count([each])
    return replay, tally


@st.composite
def cut_scenes(draw: DrawFn) -> Scene:
    """One cut, over conditions or over activations."""
    if draw(st.booleans()):
        return draw(scenes(HOURS, cuts=1))
    return draw(contact_scenes(HOURS, cuts=1))


@checks
@given(cut_scenes(), st.integers(1, 30))
def test_the_numbers_of_a_preview_are_those_of_the_apply_that_follows(scene: Scene, later: int) -> None:
    tell(scene)
    t_ms = HOURS.at(HOURS.span + 10 + later)
    old, new = compiled(scene.files), compiled(scene.cuts[0][1])
    replay, expected = applied(old, new, scene.lines, t_ms)
    found = found_in(scene, sampled(1), t_ms, None)
    note(f"{expected=}\n{found.cut=}")
    assert found.cut == expected
    members = dict.fromkeys(new.order, 0)
    for profile in replay.partition.profiles.values():
        for name, stay in profile.stays.items():
            members[name] = members.get(name, 0) + stay.member
    assert +found.after.members == {name: number for name, number in members.items() if number}


@checks
@given(cut_scenes(), st.integers(0, 40))
def test_the_window_goes_as_a_replay_whose_cut_is_at_its_beginning(scene: Scene, begins: int) -> None:
    tell(scene)
    from_ms, t_ms = HOURS.at(begins), HOURS.at(HOURS.span + 10)
    old, new = compiled(scene.files), compiled(scene.cuts[0][1])
    lines = [record.value or b"" for record in records_of(scene.lines)]
    supposed, actual = Tally(), Tally()
    replay = Replay(old, [Then(from_ms, new)])
    for each in replay.run(lines, t_ms - 1):
        if (
            not isinstance(each, RefusedLine)
            and replay.partition.catalogue == new.hash
            and each.effective_ms >= from_ms
        ):
            supposed.count([each])
    for each in Replay(old).run(lines, t_ms - 1):
        if not isinstance(each, RefusedLine) and each.effective_ms >= from_ms:
            actual.count([each])
    window = found_in(scene, sampled(1), t_ms, from_ms).window
    assert window is not None
    window.supposed.add(window.at_start)
    note(f"{supposed=}\n{window.supposed=}\n{actual=}\n{window.actual=}")
    assert window.supposed == supposed
    assert window.actual == actual


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

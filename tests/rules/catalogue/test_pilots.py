"""Pilots in a catalogue: what loads, and where the version before comes from."""

from collections.abc import Mapping

import pytest

from rules.catalogue.differences import differences
from rules.catalogue.pilots import lacks_before, with_before
from rules.catalogue.stored import catalogue_json, load_catalogue_json
from rules.language.problems import CatalogueErrors
from tests.rules.catalogues import load, refused

POLICY = {"policy.yaml": "market_trait: country\nassignment_key: example\n"}
US = "{markets: [US]}"


def segment(version: int, enter: str, pilot: str = "", name: str = "s") -> str:
    more = f"pilot: {pilot}\n" if pilot else ""
    return f"segment: {name}\nversion: {version}\nstatus: approved\nenter: {enter}\n{more}"


def activation(version: int, pilot: str = "", channel: str = "email") -> str:
    more = f"pilot: {pilot}\n" if pilot else ""
    return (
        f"activation: a\nversion: {version}\nstatus: approved\nchannel: {channel}\naudience: hcp\n"
        f"segments: {{all: [s]}}\ncontent: {{intent: news, review: {{status: approved}}}}\n{more}"
    )


FIRST = {**POLICY, "segments/s.yaml": segment(1, "{event: portal.login}")}
SECOND = {**POLICY, "segments/s.yaml": segment(2, "{everyone: true}", US)}
THIRD = {**POLICY, "segments/s.yaml": segment(3, "{event: portal.viewed}", "{percent: 20, salt: x}")}


def test_the_version_before_is_what_is_in_force() -> None:
    found = with_before(load(SECOND), load(FIRST))
    assert found.before["s"].version == 1
    assert found.files["before/segments/s.yaml"] == load(FIRST).files["segments/s.yaml"]
    assert found.hash != load(SECOND).hash


def test_the_version_before_a_second_pilot_is_the_last_that_governed_everybody() -> None:
    second = with_before(load(SECOND), load(FIRST))
    third = with_before(load(THIRD), second)
    assert third.before["s"].version == 1
    widened = {**POLICY, "segments/s.yaml": segment(2, "{everyone: true}", "{markets: [US, DE]}")}
    assert with_before(load(widened), second).before["s"].version == 1


def test_nothing_is_before_a_pilot_that_is_new_or_was_none_but_a_pilot() -> None:
    second = with_before(load(SECOND), None)
    assert second is not None
    assert lacks_before(second) == ["s"]
    assert with_before(load(THIRD), second).before == {}
    draft = {**FIRST, "segments/s.yaml": FIRST["segments/s.yaml"].replace("approved", "draft")}
    assert with_before(load(SECOND), load(draft)).before == {}


def test_a_catalogue_that_goes_on_with_its_pilot_is_the_same_catalogue() -> None:
    second = with_before(load(SECOND), load(FIRST))
    assert with_before(load(SECOND), second).hash == second.hash


def test_a_version_before_that_the_catalogue_holds_stays() -> None:
    second = with_before(load(SECOND), load(FIRST))
    ended = load({**POLICY, "segments/s.yaml": segment(2, "{everyone: true}")})
    assert with_before(second, ended) is second


def test_a_catalogue_with_a_version_before_survives_json() -> None:
    second = with_before(load(SECOND), load(FIRST))
    again = load_catalogue_json(catalogue_json(second))
    assert (again.hash, again.before["s"].version) == (second.hash, 1)


def test_an_activation_has_a_version_before_too() -> None:
    files = {**FIRST, "activations/a.yaml": activation(1)}
    piloted = {**FIRST, "activations/a.yaml": activation(2, US)}
    assert with_before(load(piloted), load(files)).activations_before["a"].version == 1
    moved = {**FIRST, "activations/a.yaml": activation(2, US, "sms")}
    with pytest.raises(CatalogueErrors, match=r"activations/a\.yaml:8:1: the version before .* from email to sms"):
        with_before(load(moved), load(files))


def test_a_version_before_that_does_not_load_is_told_at_its_pilot() -> None:
    gone = {"segments/g.yaml": segment(1, "{everyone: true}", name="gone")}
    old = load({**FIRST, **gone, "segments/s.yaml": segment(1, "{segment: gone}")})
    with pytest.raises(CatalogueErrors) as caught:
        with_before(load(SECOND), old)
    place = "segments/s.yaml:5:1"
    said = "the version before this pilot, which goes on governing the others: unknown segment 'gone'; known: s"
    assert [str(each) for each in caught.value.problems] == [f"{place}: {said}"]


def test_both_versions_make_the_rank_and_must_not_make_a_circle() -> None:
    two = segment(1, "{everyone: true}", name="t")
    old = load({**FIRST, "segments/s.yaml": segment(1, "{segment: t}"), "segments/t.yaml": two})
    new = {**SECOND, "segments/t.yaml": two}
    assert load(new).order == ("s", "t")
    assert with_before(load(new), old).order == ("t", "s")
    circle = {**SECOND, "segments/t.yaml": segment(2, "{segment: s}", name="t")}
    with pytest.raises(CatalogueErrors, match="in a circle: s → t → s"):
        with_before(load(circle), old)


def test_what_either_version_uses_restricts_the_segment() -> None:
    old = load({**FIRST, "segments/s.yaml": segment(1, "{trait: diagnosis, equals: x}")})
    assert with_before(load(SECOND), old).restricted["s"] == {"health"}


@pytest.mark.parametrize(
    ("pilot", "policy", "told"),
    [
        ("{}", POLICY, "5:1: 'pilot' must have 'markets' or 'percent': they say which subjects it governs"),
        ("{markets: [US]}", {}, "5:9: 'markets' of a pilot needs 'market_trait' in policy.yaml"),
        ("{percent: 5, salt: x}", {}, "5:9: 'percent' of a pilot needs 'assignment_key' in policy.yaml"),
        ("{percent: 5}", POLICY, "5:9: 'percent' of a pilot needs a 'salt': any text, the same as long as it runs"),
        ("{markets: [US], salt: x}", POLICY, "5:24: 'salt' of a pilot means nothing without 'percent'"),
        ("{percent: 120, salt: x}", POLICY, "5:9: 'percent' must be at most 100"),
        ("{market: [US]}", POLICY, "5:9: unknown key 'market'; did you mean 'markets'?"),
    ],
)
def test_what_is_wrong_with_a_pilot_is_told_at_its_place(pilot: str, policy: Mapping[str, str], told: str) -> None:
    assert f"segments/s.yaml:{told}" in refused({**policy, "segments/s.yaml": segment(1, "{everyone: true}", pilot)})


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (segment(1, "{everyone: true}", name="t"), "'t' is no approved pilot in this catalogue; remove this file"),
        (segment(1, "{everyone: true}", US), "the version before governs all other subjects; remove 'pilot'"),
        (segment(1, "{everyone: true}").replace("approved", "draft"), "the version before must be approved"),
    ],
)  # fmt: skip
def test_a_file_of_a_version_before_belongs_to_a_pilot(before: str, told: str) -> None:
    (found,) = refused({**SECOND, "before/segments/s.yaml": before})
    assert found.endswith(told)


def test_differences_say_whom_each_version_governs() -> None:
    first, second = load(FIRST), with_before(load(SECOND), load(FIRST))
    (said,) = [each.said for each in differences(first, second)]
    assert said.startswith("a pilot for markets US; version 1 governs the others")
    third = with_before(load(THIRD), second)
    (said,) = [each.said for each in differences(second, third)]
    assert said.startswith("a pilot for 20 % by salt x; version 1 governs the others")
    ended = load({**POLICY, "segments/s.yaml": segment(3, "{event: portal.viewed}")})
    (said,) = [each.said for each in differences(third, ended)]
    assert said.startswith("its pilot ends: it governs everybody")
    assert differences(second, with_before(load(SECOND), second)) == []

"""Facts that come from a partition under another catalogue, or from before a cut: no verdict on what lacks."""

import json
from typing import Any

import pytest

from rules.catalogue.catalogue import Catalogue
from rules.engine.outcome import Applied
from rules.engine.persons.effects import FACTS_TYPE, Effect
from rules.engine.record import Record
from tests.rules.engine.test_past import DAY, QUIET, TWICE, Log, T, catalogue, event, told

FIVE_MINUTES = 5 * 60_000
ABSENT = catalogue({"absent": "viewed", "within": "5d"})
HELD = catalogue({"trait": "stage", "equals": "trial", "for": "5d"})
CHANGED = catalogue({"absent": "viewed", "within": "5d"}, min_stay="1d")
NEITHER = catalogue({"none": [{"event": "viewed", "within": "5d"}]})


@pytest.fixture(params=[False, True], ids=["at once", "restarting"], autouse=True)
def _restarts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in one go, and with a checkpoint after every record."""
    monkeypatch.setattr(Log, "restarting", request.param)


class Place(Log):
    """A partition with what it tells others."""

    def __init__(self, *catalogues: Catalogue) -> None:
        super().__init__(*catalogues)
        self.effects: list[Effect] = []

    def feed(self, at_ms: int, value: dict[str, Any]) -> list[str]:
        if self.restarting:
            self.restart()
        outcome = self.engine.feed(Record(self.engine.offset, at_ms, None, json.dumps(value).encode()))
        assert isinstance(outcome, Applied), outcome
        self.effects += outcome.effects
        return told(outcome)

    def hear(self, at_ms: int, other: "Place") -> list[str]:
        """Apply what another partition has told, at an instant."""
        heard = [each for effect in other.effects for each in self.feed(at_ms, json.loads(effect.value))]
        other.effects.clear()
        return heard

    def entries(self) -> dict[str, int]:
        """By subject: since when it is a member."""
        found = {}
        for subject, profile in self.engine.profiles.items():
            since_ms = profile.member_since("s")
            if since_ms is not None:
                found[subject] = since_ms
        return found


def link(at_ms: int, subject: str, canonical: str) -> dict[str, Any]:
    return event("identity.linked", at_ms, f"link {subject}", subject, canonical=canonical)


def viewer(place: Place) -> None:
    """Somebody who is known for long, and viewed two days after T."""
    place.feed(T - 9 * DAY, event("updated", T - 9 * DAY, "known", stage="trial"))
    place.feed(T + 2 * DAY, event("viewed", T + 2 * DAY, "view"))
    place.feed(T + 3 * DAY, link(T + 3 * DAY, "hcp:1", "hcp:2"))


def places(origin: list[tuple[int, Catalogue]], target: list[tuple[int, Catalogue]]) -> tuple[Place, Place]:
    """Two partitions with their first catalogue; later cuts are made by `cuts`."""
    found = []
    for cuts in (origin, target):
        place = Place(QUIET, TWICE, ABSENT, HELD, NEITHER, CHANGED)
        for at_ms, each in cuts:
            place.cut(at_ms, each)
        found.append(place)
    return found[0], found[1]


LONG_AGO = T - 20 * DAY


def test_where_both_keep_the_same_states_nothing_lacks() -> None:
    origin, target = places([(LONG_AGO, ABSENT)], [(LONG_AGO, ABSENT)])
    viewer(origin)
    target.hear(T + 3 * DAY, origin)
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 7 * DAY}
    assert target.engine.profiles["hcp:2"].lacking is None


@pytest.mark.parametrize("new", [ABSENT, NEITHER], ids=["absent", "none"])
def test_what_the_target_keeps_and_the_origin_does_not_has_no_verdict_until_its_window_is_later(new: Catalogue) -> None:
    origin, target = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET), (LONG_AGO + DAY, new)])
    viewer(origin)
    assert target.hear(T + 3 * DAY, origin) == []
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 8 * DAY + FIVE_MINUTES}


def test_so_is_what_the_origin_dropped_at_a_cut_that_the_target_has_not_come_to() -> None:
    origin, target = places([(LONG_AGO, ABSENT), (LONG_AGO + DAY, QUIET)], [(LONG_AGO, ABSENT)])
    viewer(origin)
    assert target.hear(T + 3 * DAY, origin) == []
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 8 * DAY + FIVE_MINUTES}


def test_facts_from_before_a_cut_lack_at_a_target_that_became_known_after_it() -> None:
    origin, target = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET)])
    origin.feed(T - 9 * DAY, event("opened", T - 9 * DAY, "known"))
    origin.feed(T - DAY, event("viewed", T - DAY, "view"))
    origin.cut(T, ABSENT)
    target.cut(T, ABSENT)
    origin.feed(T + DAY, link(T + DAY, "hcp:1", "hcp:2"))
    assert target.hear(T + DAY, origin) == []
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 5 * DAY + FIVE_MINUTES}


def test_nothing_lacks_of_an_origin_that_became_known_after_the_cut() -> None:
    origin, target = places([(LONG_AGO, QUIET), (T, ABSENT)], [(LONG_AGO, QUIET), (T, ABSENT)])
    origin.feed(T + 60_000, event("opened", T + 60_000, "first"))
    origin.feed(T + 2 * DAY, link(T + 2 * DAY, "hcp:1", "hcp:2"))
    target.hear(T + 2 * DAY, origin)
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 5 * DAY + 60_000}


def test_what_lacks_stays_lacking_over_a_cut_that_keeps_the_state() -> None:
    origin, target = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET), (LONG_AGO + DAY, ABSENT)])
    viewer(origin)
    target.hear(T + 3 * DAY, origin)
    assert target.cut(T + 4 * DAY, CHANGED) == []
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 8 * DAY + FIVE_MINUTES}
    target.cut(T + 20 * DAY, QUIET)
    target.tick(T + 21 * DAY)
    assert target.engine.profiles["hcp:2"].lacking is None


def test_later_facts_of_the_origin_are_folded_by_the_target() -> None:
    origin, target = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET), (LONG_AGO + DAY, ABSENT)])
    viewer(origin)
    target.hear(T + 3 * DAY, origin)
    origin.feed(T + 6 * DAY, event("viewed", T + 6 * DAY, "again"))
    target.hear(T + 6 * DAY, origin)
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 11 * DAY}


def test_of_a_trait_the_setting_that_stood_is_known() -> None:
    origin, target = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET), (LONG_AGO + DAY, HELD)])
    viewer(origin)
    assert target.hear(T + 3 * DAY, origin) == []
    target.feed(T + 6 * DAY, event("updated", T + 6 * DAY, "same", "hcp:2", stage="trial"))
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:2": T + 8 * DAY + FIVE_MINUTES}


def test_what_lacks_goes_on_with_the_facts_along_a_chain_of_links() -> None:
    origin, between = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET), (LONG_AGO + DAY, ABSENT)])
    _, target = places([], [(LONG_AGO, QUIET), (LONG_AGO + DAY, ABSENT)])
    between.feed(T, link(T, "hcp:2", "hcp:3"))
    target.hear(T, between)
    viewer(origin)
    between.hear(T + 3 * DAY, origin)
    assert target.hear(T + 4 * DAY, between) == []
    target.tick(T + 20 * DAY)
    assert target.entries() == {"hcp:3": T + 8 * DAY + FIVE_MINUTES}


def test_a_link_that_is_taken_back_takes_what_lacks_with_it() -> None:
    origin, target = places([(LONG_AGO, QUIET)], [(LONG_AGO, QUIET), (LONG_AGO + DAY, ABSENT)])
    target.feed(T - 4 * DAY, event("opened", T - 4 * DAY, "own", "hcp:2"))
    viewer(origin)
    assert target.hear(T + 3 * DAY, origin) == ["hcp:2 entered 2026-03-11"]
    assert target.engine.profiles["hcp:2"].lacking
    origin.feed(T + 4 * DAY, event("identity.unlinked", T + 4 * DAY, "back", "hcp:1"))
    target.hear(T + 4 * DAY, origin)
    assert target.engine.profiles["hcp:2"].lacking is None


def test_a_contribution_that_does_not_name_its_states_says_nothing() -> None:
    origin, target = places([(LONG_AGO, ABSENT)], [(LONG_AGO, ABSENT)])
    viewer(origin)
    (effect,) = (each for each in origin.effects if each.type == FACTS_TYPE)
    value = json.loads(effect.value)
    value["data"]["states"] = 1
    target.feed(T + 3 * DAY, value)
    assert not target.engine.profiles["hcp:2"].is_known

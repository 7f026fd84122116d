"""What a link did to running journeys is noted at the end of the links, and forgotten with the facts of the alias."""

from typing import Any

import pytest

from rules.engine.outcome import Mark
from rules.engine.persons.journeys import MOVED_MAX, forget_gone, note_moved, read_active
from rules.engine.persons.part import Part, Way
from rules.engine.persons.person import Person, unpack_person
from rules.engine.profile import Profile

LINK = "/s l"


def end() -> Profile:
    made = Profile("hcp:end", 0, 0, 0)
    made.person = Person("hcp:end")
    made.person.parts[Way("crm:1", "crm:1")] = Part()
    return made


@pytest.mark.parametrize(
    ("alias", "before", "after", "marks"),
    [
        ({}, {}, {}, []),
        ({"mail": None}, {}, {"mail": None}, []),
        ({"mail": "a"}, {"mail": "a"}, {"mail": "a"}, []),
        ({"mail": None}, {}, {}, ["journey_ended"]),
        ({}, {"mail": None}, {}, ["journey_ended"]),
        ({"mail": "a"}, {}, {"mail": "b"}, ["arm_switched"]),
        ({"mail": "a", "call": None}, {}, {"mail": "b"}, ["journey_ended", "arm_switched"]),
        ({}, {}, {"mail": None}, []),
    ],
)
def test_a_journey_that_does_not_go_on_as_it_was_is_marked(
    alias: dict[str, str | None], before: dict[str, str | None], after: dict[str, str | None], marks: list[Mark]
) -> None:
    profile = end()
    assert note_moved(profile, LINK, ("crm:1", alias), before, after) == marks
    assert bool(profile.linked().moved) == bool(marks)


def test_whose_journey_it_was_stands_in_the_state_and_goes_with_the_facts() -> None:
    profile = end()
    note_moved(profile, LINK, ("crm:1", {"mail": "a"}), {"call": None}, {"mail": "b"})
    person = profile.linked()
    expected: list[list[Any]] = [
        ["crm:1", LINK, "crm:1", "mail", "a", "b", False],
        ["crm:1", LINK, "hcp:end", "call", None, None, True],
    ]
    assert unpack_person("hcp:end", person.pack(0)).moved == expected
    forget_gone(person)
    assert person.moved == expected
    person.parts.clear()
    forget_gone(person)
    assert person.moved == []


def test_a_person_remembers_only_so_many() -> None:
    profile = end()
    for number in range(MOVED_MAX + 5):
        note_moved(profile, LINK, (f"crm:{number}", {"mail": None}), {}, {})
    assert [profile.linked().moved[at][0] for at in (0, -1)] == ["crm:5", f"crm:{MOVED_MAX + 4}"]


def test_an_effect_of_no_link_tells_no_journeys() -> None:
    assert read_active(None) is None
    with pytest.raises(ValueError, match="str"):
        read_active({"mail": 1})

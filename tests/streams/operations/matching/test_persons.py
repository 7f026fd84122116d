"""From decided pairs to persons: who stands for whom, and what cannot be one person."""

import pytest

from streams.operations.errors import WrongInput
from streams.operations.matching.link_events import LinkEvent, link_events
from streams.operations.matching.persons import Nonsense, Person, persons
from streams.operations.matching.table import Decision, Line

ORGANISATIONS = ("org", "payer")
NPI, OTHER_NPI = "1234567893", "1679576722"


def line(one: str, other: str, decision: Decision = "accept", npis: tuple[str, str] = ("", "")) -> Line:
    if one > other:
        one, other, npis = other, one, (npis[1], npis[0])
    borne = frozenset(npis[0].split()), frozenset(npis[1].split())
    return Line(f"{one}+{other}", decision, (one, other), borne, ())


def made(*lines: Line, linked: dict[str, str] | None = None, canonical: tuple[str, ...] = ()) -> list[Person]:
    return persons(lines, linked or {}, canonical=canonical, organisations=ORGANISATIONS)


def test_the_first_of_the_given_kinds_stands_for_the_others() -> None:
    lines = line("crm:1", "portal:1"), line("portal:1", "app:1")
    assert made(*lines, canonical=("portal", "crm")) == [Person("portal:1", ("app:1", "crm:1"))]
    assert made(*lines, canonical=("crm",)) == [Person("crm:1", ("app:1", "portal:1"))]


def test_without_kinds_a_subject_with_an_npi_for_a_name_stands_for_the_others_else_the_first() -> None:
    assert made(line("crm:1", f"hcp:{NPI}")) == [Person(f"hcp:{NPI}", ("crm:1",))]
    assert made(line("crm:2", "crm:1")) == [Person("crm:1", ("crm:2",))]


def test_a_kind_that_no_subject_has_is_a_mistake_and_the_nearest_is_told() -> None:
    with pytest.raises(WrongInput, match=r"did you mean 'crm'\?"):
        made(line("crm:1", "crm:2"), canonical=("crn",))


def test_fifty_subjects_are_a_person_and_fifty_one_are_a_mistake() -> None:
    lines = [line("crm:0", f"crm:{number}") for number in range(1, 51)]
    assert len(made(*lines[:49])[0].others) == 49
    with pytest.raises(Nonsense, match="a person of 51 subjects"):
        made(*lines)


def test_a_person_is_no_organisation() -> None:
    with pytest.raises(Nonsense, match=r"crm:1\+org:1: .* a person and an organisation"):
        made(line("crm:1", "crm:2"), line("org:1", "crm:1"))
    assert made(line("org:1", "payer:1")) == [Person("org:1", ("payer:1",))]


def test_two_npis_are_two_persons_directly_and_by_way_of_a_third() -> None:
    with pytest.raises(Nonsense, match=r"hcp:1.*: this pair makes one person with two NPIs"):
        made(line(f"hcp:{NPI}", f"hcp:{OTHER_NPI}"))
    with pytest.raises(Nonsense, match=r"^a:1\+crm:1; crm:1\+z:1: these pairs together make one person with two NPIs"):
        made(line("a:1", "crm:1", npis=(NPI, "")), line("crm:1", "z:1", npis=("", OTHER_NPI)))


def test_an_organisation_may_have_several_npis() -> None:
    assert made(line("org:1", "org:2", npis=(NPI, OTHER_NPI))) == [Person("org:1", ("org:2",))]


def test_a_refused_pair_is_not_made_one_by_others() -> None:
    accepted = line("a:1", "b:1"), line("b:1", "c:1")
    with pytest.raises(Nonsense, match=r"a:1\+c:1: this pair is refused"):
        made(*accepted, line("c:1", "a:1", "refuse"))


def test_what_stands_already_says_nothing_new() -> None:
    lines = [line("crm:1", "hcp:1"), line("portal:1", "crm:1")]
    found = made(*lines, canonical=("hcp",))
    assert link_events(found, lines, {}) == [LinkEvent("crm:1", "hcp:1"), LinkEvent("portal:1", "hcp:1")]
    assert link_events(found, lines, {"crm:1": "hcp:1"}) == [LinkEvent("portal:1", "hcp:1")]
    assert link_events(found, lines, {"crm:1": "hcp:1", "portal:1": "hcp:1"}) == []


def test_a_subject_that_comes_to_stand_for_the_others_is_unlinked_first() -> None:
    lines = [line("crm:1", "hcp:1")]
    linked = {"hcp:1": "crm:1", "portal:1": "crm:1"}
    found = made(*lines, linked=linked, canonical=("hcp",))
    assert link_events(found, lines, linked) == [
        LinkEvent("hcp:1", None),
        LinkEvent("crm:1", "hcp:1"),
        LinkEvent("portal:1", "hcp:1"),
    ]


def test_who_stands_for_the_others_already_goes_on_doing_so_unless_the_kinds_say_otherwise() -> None:
    lines = [line("app:1", "crm:1")]
    linked = {"portal:1": "crm:1", "x:1": "y:1"}
    assert made(*lines, linked=linked) == [Person("crm:1", ("app:1", "portal:1"))]
    assert made(*lines, linked=linked, canonical=("app",)) == [Person("app:1", ("crm:1", "portal:1"))]


def test_nobody_is_linked_with_who_was_erased() -> None:
    with pytest.raises(Nonsense, match=r"app:1\+crm:1: one of this pair was erased"):
        persons([line("app:1", "crm:1")], {}, canonical=(), organisations=(), erased={"crm:1"})


def test_a_link_whose_pair_is_refused_now_is_taken_back_and_no_other() -> None:
    lines = [line("crm:1", "hcp:1", "refuse")]
    linked = {"crm:1": "hcp:1", "portal:1": "hcp:1"}
    found = made(*lines, linked=linked)
    assert link_events(found, lines, linked) == [LinkEvent("crm:1", None)]

"""Links as a graph: ends, persons, rings, and what is odd."""

from streams.operations.links.graph import Linked, Links, Oddity, Person


def links(*pairs: str, erased: tuple[str, ...] = ()) -> Links:
    """Make links out of `a:1>b:1`."""
    known = {subject: Linked(subject, erased_ms=1) for subject in erased}
    for each in pairs:
        subject, _, canonical = each.partition(">")
        known[subject] = Linked(subject, canonical, 0, "/test 1", 1 if subject in erased else None)
    return Links(known.values())


def test_links_lead_to_an_end_over_any_number_of_steps() -> None:
    found = links("a:1>b:1", "b:1>c:1", "d:1>b:1")
    assert found.way("a:1") == ["a:1", "b:1", "c:1"]
    assert [found.end(each) for each in ("a:1", "b:1", "c:1", "d:1", "z:1")] == ["c:1", "c:1", "c:1", "c:1", "z:1"]
    assert [*found.persons()] == [Person("c:1", ("a:1", "b:1", "c:1", "d:1"))]


def test_a_ring_has_no_end_and_is_told_once_with_all_who_lead_into_it() -> None:
    found = links("b:1>c:1", "c:1>a:1", "a:1>b:1", "t:1>c:1", "x:1>y:1")
    assert found.rings() == [("a:1", "b:1", "c:1")]
    assert found.end("t:1") is None
    assert [*found.persons()] == [Person("y:1", ("x:1", "y:1")), Person(None, ("a:1", "b:1", "c:1", "t:1"))]
    assert found.oddities() == [Oddity("ring", "a:1", "c:1", 3)]


def test_two_rings_are_two() -> None:
    assert links("a:1>b:1", "b:1>a:1", "c:1>d:1", "d:1>c:1").rings() == [("a:1", "b:1"), ("c:1", "d:1")]


def test_a_link_to_an_erased_subject_is_odd_at_once_and_over_others() -> None:
    found = links("a:1>b:1", "b:1>c:1", "d:1>e:1", erased=("c:1",))
    assert [each.subject for each in found.to_erased()] == ["a:1", "b:1"]
    assert found.oddities() == [Oddity("erased", "a:1", "c:1"), Oddity("erased", "b:1", "c:1")]


def test_an_erased_subject_that_stands_for_nobody_is_not_odd() -> None:
    assert links("d:1>e:1", erased=("c:1", "d:1")).oddities() == []


def test_fifty_subjects_are_not_odd_and_fifty_one_are() -> None:
    fifty = [f"a:{number}>z:1" for number in range(49)]
    assert links(*fifty).oddities() == []
    assert links(*fifty, "b:1>a:0").oddities() == [Oddity("many", "z:1", count=51)]


def test_thousands_of_links_in_a_row_are_walked() -> None:
    """A person of many subjects in a row ends: nothing here calls itself."""
    found = links(*(f"a:{number}>a:{number + 1}" for number in range(3_000)))
    assert found.end("a:0") == "a:3000"
    assert len(found.subjects_of("a:3000")) == 3_001

"""Who was erased before the first catalogue, and under which names; and how many links are left to send again."""

from rules.engine.persons.packed import Identity
from rules.ground.event import Event
from rules.ground.partitioning import partition_of
from streams.operations.filling.before_first import Early, Told, early_of

A, B, C, D = "hcp:a", "hcp:b", "hcp:c", "hcp:d"


def read(*told: tuple[str, str, int]) -> Early:
    """Read link events (alias, canonical, time), unlinks (alias, "", time) and erasures (subject, "erased", time)."""
    types = {"": "identity.unlinked", "erased": "privacy.erased"}
    found = []
    for offset, (subject, what, time_ms) in enumerate(told):
        type_ = types.get(what, "identity.linked")
        data = {"canonical": what} if type_ == "identity.linked" else {}
        found.append(Told(offset, 0, offset, Event("/s", f"e{offset}", type_, subject, time_ms, data, ())))
    return early_of(found)


def erased(*told: tuple[str, str, int]) -> set[str]:
    return {*read(*told).erased}


def test_the_whole_person_is_erased_whichever_subject_was_named() -> None:
    links = (A, B, 1), (B, C, 2), (D, C, 3)
    for named in (A, B, C, D):
        assert erased(*links, (named, "erased", 9)) == {A, B, C, D}


def test_a_link_that_was_taken_back_reaches_nobody() -> None:
    assert erased((A, B, 1), (A, "", 2), (B, "erased", 9)) == {B}


def test_the_latest_link_counts_whichever_record_came_first() -> None:
    assert erased((A, C, 5), (A, B, 1), (B, "erased", 9)) == {B}


def test_a_link_of_before_an_erasure_that_comes_after_it_erases_its_subject() -> None:
    assert erased((B, "erased", 9), (A, B, 8)) == {A, B}
    assert erased((B, "erased", 9), (A, B, 10)) == {B}


def test_links_that_stand_are_counted_and_those_of_the_erased_are_not() -> None:
    assert read((A, B, 1), (C, D, 2), (B, "erased", 9)).links == 1


def test_each_subject_gets_the_erasure_with_its_own_identity_in_its_own_partition() -> None:
    early = read((A, B, 1), (B, "erased", 9))
    assert early.erased == dict.fromkeys((A, B), Identity(9, "/s", "e1"))
    records = [*early.records("in", 4)]
    assert [(record.key, record.partition) for record in records] == [
        (each.encode(), partition_of(each.encode(), 4)) for each in (A, B)
    ]

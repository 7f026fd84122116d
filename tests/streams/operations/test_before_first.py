"""Who was erased before the first catalogue, under which names; and which links stand."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.structs import ConsumerRecord

from rules.engine.persons.packed import Identity, Link
from rules.ground.partitioning import partition_of
from streams.operations.erase import event_of
from streams.operations.filling.before_first import Early, Told, early_of, read_early
from streams.operations.filling.past import First, Past, Place, Stretch
from tests.properties.batches import now
from tests.streams.world import catalogue

A, B, C, D = "hcp:a", "hcp:b", "hcp:c", "hcp:d"
ERASED = "erased"
DICTIONARY = catalogue("all|enter: {everyone: true}").dictionary


def read(*told: tuple[str, str, int], since: int = 9_999, begins_anew: bool = False) -> Early:
    """Read link events (alias, canonical, time), unlinks (alias, "", time) and erasures (subject, "erased", time).

    `since`: how many of them came before the first catalogue.
    """
    found = []
    for offset, (subject, what, time_ms) in enumerate(told):
        name = Identity(time_ms, "/s", f"e{offset}")
        said = name if what == ERASED else Link(*name, what or None)
        found.append(Told(Place(offset, 0, offset), subject, said, offset < since))
    return early_of(found, begins_anew=begins_anew)


def erased(*told: tuple[str, str, int]) -> set[str]:
    return {*read(*told).erased}


def links(early: Early) -> dict[str, str | None]:
    return {subject: link.canonical for subject, link in early.links.items()}


def test_the_whole_person_is_erased_whichever_subject_was_named() -> None:
    linked = (A, B, 1), (B, C, 2), (D, C, 3)
    for named in (A, B, C, D):
        assert erased(*linked, (named, ERASED, 9)) == {A, B, C, D}


def test_a_link_that_was_taken_back_reaches_nobody() -> None:
    assert erased((A, B, 1), (A, "", 2), (B, ERASED, 9)) == {B}


def test_the_latest_link_counts_whichever_record_came_first() -> None:
    assert erased((A, C, 5), (A, B, 1), (B, ERASED, 9)) == {B}


def test_a_link_of_before_an_erasure_that_comes_after_it_erases_its_subject() -> None:
    assert erased((B, ERASED, 9), (A, B, 8)) == {A, B}
    assert erased((B, ERASED, 9), (A, B, 10)) == {B}


def test_the_latest_link_event_of_each_subject_stands_and_none_of_the_erased() -> None:
    early = read((A, B, 1), (C, D, 2), (C, "", 3), (D, B, 5), (D, A, 4))
    assert (links(early), early.aliases) == ({A: B, C: None, D: B}, 2)
    assert links(read((A, B, 1), (C, D, 2), (B, ERASED, 9))) == {C: D}


@pytest.mark.parametrize(("begins_anew", "stands"), [(False, {}), (True, {A: C})])
def test_an_erased_subject_is_linked_again_if_the_policy_says_so(begins_anew: bool, stands: dict[str, str]) -> None:
    early = read((A, B, 1), (B, ERASED, 9), (A, D, 8), (A, C, 12), begins_anew=begins_anew)
    assert links(early) == stands


def test_an_erased_subject_takes_only_facts_that_came_after_the_erasure_and_are_later() -> None:
    early = read((A, B, 1), (B, ERASED, 9), begins_anew=True)
    for subject in (A, B):
        assert early.takes(subject, 10, Place(2, 0, 2))
        assert not early.takes(subject, 10, Place(0, 0, 0))
        assert not early.takes(subject, 9, Place(2, 0, 2))
        assert not read((A, B, 1), (B, ERASED, 9)).takes(subject, 10, Place(2, 0, 2))
    assert early.takes(C, 0, Place(0, 0, 0))


def test_an_erasure_since_the_first_catalogue_reaches_those_whom_only_early_links_lead_to() -> None:
    early = read((A, B, 1), (A, ERASED, 9), since=1)
    assert {*early.erased} == {A, B}
    assert [record.key for record in early.erasures("in", 4)] == [B.encode()]  # workers have applied that of A


def test_a_link_event_since_the_first_catalogue_is_not_told_again() -> None:
    assert links(read((A, B, 1), (C, B, 2), (A, "", 3), since=2)) == {C: B}
    assert erased((A, B, 1), (A, "", 3), (B, ERASED, 9)) == {B}


@pytest.mark.parametrize("link", [(B, A, 20), (A, B, 20)])
def test_an_erasure_is_not_told_again_where_it_would_erase_somebody_linked_since(link: tuple[str, str, int]) -> None:
    early = read((A, ERASED, 9), (C, ERASED, 9), link, since=2)
    assert ({*early.erased}, {*early.spared}) == ({A, C}, {A})
    assert [record.key for record in early.erasures("in", 4)] == [C.encode()]
    # not where the link was taken back, where it is as old as the erasure, or where both are erased
    assert not read((A, ERASED, 9), link, (link[0], "", 21), since=1).spared
    assert not read((A, ERASED, 9), (B, A, 8), since=1).spared
    assert not read((A, ERASED, 9), (B, ERASED, 9), link, since=2).spared


def test_a_chain_of_links_of_any_length_is_erased_as_a_whole() -> None:
    chain = [(f"hcp:{n}", f"hcp:{n + 1}", n) for n in range(3_000)]
    assert len(erased(*chain, ("hcp:0", ERASED, 9_999))) == 3_001


def test_what_is_spared_is_found_along_all_links_since() -> None:
    early = read((A, ERASED, 9), (C, ERASED, 9), (A, C, 20), (B, C, 21), since=2, begins_anew=True)
    assert early.spared == {A, C}


def test_each_subject_gets_its_events_with_their_own_identity_in_its_own_partition() -> None:
    early = read((A, B, 1), (B, ERASED, 9), (C, D, 5), (D, "", 6))
    assert early.erased == dict.fromkeys((A, B), Identity(9, "/s", "e1"))
    for records, subjects in ((early.erasures("in", 4), (A, B)), (early.link_events("in", 4), (C, D))):
        found = [*records]
        assert [(record.key, record.partition) for record in found] == [
            (each.encode(), partition_of(each.encode(), 4)) for each in subjects
        ]
    linked, unlinked = (record.value or b"" for record in early.link_events("in", 4))
    assert b'"id":"e2"' in linked
    assert b'"canonical":"hcp:d"' in linked
    assert b"1970-01-01T00:00:00.005Z" in linked
    assert b"identity.unlinked" in unlinked


class OneErasure(Past):
    """A log of one record, which has a header without a value."""

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Stretch]:
        value = event_of(A, Identity(9, "/s", "e"), None)
        record = ConsumerRecord("in", partition, 0, 9, 1, A.encode(), value, 0, 0, 0, (("trace", None),))
        yield Stretch([record], end)

    async def first(self, partition: int, t_ms: int) -> First | None:
        raise AssertionError


def test_headers_of_any_producer_may_be_null() -> None:
    found = now(read_early(OneErasure(), {0: (0, 1)}, {0: 1}, DICTIONARY, begins_anew=False))
    assert found.erased == {A: Identity(9, "/s", "e")}

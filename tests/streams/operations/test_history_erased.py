"""What a history tells after an erasure."""

from rules.engine.persons.packed import Identity
from streams.operations.history import _since_erasure
from streams.operations.person_moves import PersonMove

ERASED = PersonMove(20, "erased", None, Identity(20, "/privacy", "x"))


def test_an_alias_from_before_an_erasure_is_not_named_when_its_link_ends() -> None:
    before = PersonMove(10, "joined", "crm:31", None)
    assert _since_erasure([before, ERASED, PersonMove(21, "left", "crm:31", None)]) == [ERASED]


def test_an_alias_of_the_time_after_it_is_named() -> None:
    after = [PersonMove(30, "joined", "crm:32", None), PersonMove(40, "left", "crm:32", None)]
    assert _since_erasure([ERASED, *after]) == [ERASED, *after]

"""Who owns a partition, as an onlooker tells it from the claims and the consumer group."""

import pytest

from streams.log.admin import Group
from streams.operations.owners import Owner, owner_of, why_not_owned
from streams.records import Stored

CLAIM = b'{"ids":["segue-a-0"],"nonce":"n"}'
OWNER = Owner("aabbcc", 3, 1_000)


def test_the_last_claim_that_no_tombstone_hides_is_the_owners() -> None:
    claims = [Stored(1, b"segue-aabbccdd", CLAIM, 1_000), Stored(3, b"segue-112233ff", CLAIM, 2_000)]
    assert owner_of(claims, -1, -1) == Owner("112233", 3, 2_000)
    assert owner_of([*claims, Stored(5, b"segue-112233ff", None, 3_000)], -1, -1) == Owner("aabbcc", 1, 1_000)
    assert owner_of([], -1, -1) is None
    assert owner_of([claims[0], Stored(2, b"segue-aabbccdd", None, 3_000)], 1, 9_000) is None


def test_an_owner_was_heard_when_it_published_last_and_not_when_its_predecessor_did() -> None:
    claims = [Stored(3, b"segue-112233ff", CLAIM, 2_000)]
    assert owner_of(claims, 3, 7_000) == Owner("112233", 3, 7_000)
    assert owner_of(claims, 1, 7_000) == Owner("112233", 3, 2_000)


@pytest.mark.parametrize(
    ("group", "owner", "why"),
    [
        (None, None, ""),
        (Group(0, False, frozenset()), OWNER, "no worker runs"),
        (Group(2, False, frozenset()), OWNER, "the workers are sharing out the partitions"),
        (Group(1, True, frozenset({1})), OWNER, "no worker has this partition"),
        (Group(1, True, frozenset({0})), OWNER, ""),
        (
            Group(1, True, frozenset({0})),
            None,
            "its worker has not claimed it, or has stopped it: see /ready of that worker",
        ),
    ],
)
def test_a_sentence_says_why_nobody_works_on_a_partition(group: Group | None, owner: Owner | None, why: str) -> None:
    assert why_not_owned(group, 0, owner) == why

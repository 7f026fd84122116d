"""Laws of order: each profile's changes go up by one; what came lately may come again; nothing else passes."""

import pytest

from streams.client import Change, Disorder, read_change
from streams.client import order as ordering
from streams.client.order import Order
from tests.streams.client.log import activation
from tests.streams.client.test_change import Read


def change(sequence: int, subject: str = "hcp:secret", name: str = "basics", activated: bool = True) -> Change:
    value = activation(subject, name, activated, sequence).value
    return read_change(Read("activation.email", value, subject.encode(), (), 0, sequence))


def test_a_profile_begins_anywhere_and_goes_on_by_one() -> None:
    order = Order()
    assert all(order.is_new(change(sequence)) for sequence in (7, 8, 9))
    assert order.is_new(change(3, "hcp:another"))


def test_what_was_aborted_and_comes_again_is_dropped_however_often() -> None:
    order = Order()
    assert [order.is_new(change(sequence)) for sequence in (1, 2, 3, 1, 2, 1, 2, 3, 4)] == [
        *(True, True, True, False, False, False, False, False, True)
    ]


@pytest.mark.parametrize(
    ("came", "what"),
    [
        (change(5), "changes are missing: sequence 4 was due, 5 came"),
        (change(2, name="another"), "it came again and differs: sequence 4 was due, 2 came"),
        (change(3, activated=False), "it came again and differs: sequence 4 was due, 3 came"),
    ],
)
def test_anything_else_is_disorder_changes_nothing_and_names_no_profile(came: Change, what: str) -> None:
    order = Order()
    assert all(order.is_new(change(sequence)) for sequence in (1, 2, 3))
    for _ in range(2):
        with pytest.raises(Disorder, match=what) as told:
            order.is_new(came)
        assert "secret" not in str(told.value)
    assert not order.is_new(change(3))
    assert order.is_new(change(4))


def test_what_is_too_old_to_be_known_again_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "REPEATS_MAX", 2)
    order = Order()
    assert all(order.is_new(change(sequence)) for sequence in (1, 2, 3))
    assert not order.is_new(change(2))
    with pytest.raises(Disorder, match="it goes back: sequence 4 was due, 1 came"):
        order.is_new(change(1))


def test_a_profile_that_is_forgotten_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "PROFILES_MAX", 2)
    order = Order()
    for subject in ("hcp:1", "hcp:2"):
        assert order.is_new(change(1, subject))
    assert order.is_new(change(2, "hcp:1"))
    assert order.is_new(change(1, "hcp:3"))
    # of the three profiles, hcp:2 changed the longest time ago
    assert order.is_new(change(9, "hcp:2"))
    with pytest.raises(Disorder):
        order.is_new(change(9, "hcp:3"))

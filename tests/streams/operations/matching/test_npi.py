"""The check digit of an NPI."""

import pytest

from streams.operations.matching.npi import is_npi


@pytest.mark.parametrize("text", ["1234567893", "1679576722", "2000000002"])
def test_a_right_check_digit_makes_an_npi(text: str) -> None:
    assert is_npi(text) == (sum_by_hand(text) % 10 == 0)


def sum_by_hand(text: str) -> int:
    """Compute Luhn's sum as its issuer describes it: 24 for the prefix, every second digit doubled."""
    total = 24
    for place, digit in enumerate(text):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += sum(map(int, str(number)))
    return total


def test_every_other_last_digit_is_wrong() -> None:
    assert [digit for digit in "0123456789" if is_npi("123456789" + digit)] == ["3"]


@pytest.mark.parametrize("text", ["", "123456789", "12345678933", "3234567893", "12345678９3", " 1234567893"])
def test_what_has_not_ten_digits_or_begins_otherwise_is_none(text: str) -> None:
    assert not is_npi(text)

"""The National Provider Identifier of the United States: ten digits, the last of them a check digit."""

import re
from typing import Final

PREFIX: Final = "80840"
"""Stands before the ten digits when the check digit is computed (ISO 7812: health, United States)."""
_TEN_DIGITS: Final = re.compile(r"[12][0-9]{9}").fullmatch


def is_npi(text: str) -> bool:
    """Tell whether a text is an NPI with the right check digit (Luhn, with the prefix)."""
    return _TEN_DIGITS(text) is not None and luhn_sum(PREFIX + text) % 10 == 0


def luhn_sum(digits: str) -> int:
    """Return the sum of Luhn's formula: every second digit from the right counts double, as the sum of its digits."""
    doubled = (int(each) * (2 if place % 2 else 1) for place, each in enumerate(reversed(digits)))
    return sum(each // 10 + each % 10 for each in doubled)

"""Codes of the field: is a text shaped like one, and does its check digit agree. Whether it exists is not known here.

- NPI, the National Provider Identifier of the USA: 10 digits, the last a Luhn check digit over `80840` and the first
  nine (45 CFR 162.406; ISO 7812 with the prefix of health applications in the USA).
- ICD-10-CM, diagnoses: a letter, a digit, a letter or digit, then after a point up to four more; the seventh stands
  only with `X` in what is not used before it.
- NUCC Health Care Provider Taxonomy: 10 characters, three digits first, `X` last.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

NPI_PREFIX: Final = "80840"

_NPI: Final = re.compile(r"[12][0-9]{9}", re.ASCII)
_ICD_10_CM: Final = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?", re.ASCII)
_TAXONOMY: Final = re.compile(r"[0-9]{3}[0-9A-Z]{6}X", re.ASCII)


def is_npi(text: str) -> bool:
    """Tell whether a text is an NPI: 10 digits beginning with 1 or 2, the check digit right."""
    return _NPI.fullmatch(text) is not None and luhn(NPI_PREFIX + text)


def is_icd_10_cm(text: str) -> bool:
    """Tell whether a text has the shape of an ICD-10-CM code, with its point."""
    return _ICD_10_CM.fullmatch(text) is not None


def is_taxonomy(text: str) -> bool:
    """Tell whether a text has the shape of a NUCC taxonomy code."""
    return _TAXONOMY.fullmatch(text) is not None


def luhn(digits: str) -> bool:
    """Tell whether the last digit is the Luhn check digit of those before it."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def npi(first_nine: str) -> str:
    """Complete nine digits to an NPI with its check digit."""
    return next(first_nine + digit for digit in "0123456789" if luhn(NPI_PREFIX + first_nine + digit))


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system: what people call it, and the test of one code."""

    name: str
    accepts: Callable[[str], bool]


_NPI_SYSTEM: Final = CodeSystem("an NPI (10 digits with their check digit)", is_npi)
_ICD_SYSTEM: Final = CodeSystem("an ICD-10-CM code (like C50.911)", is_icd_10_cm)
_TAXONOMY_SYSTEM: Final = CodeSystem("a NUCC taxonomy code (10 characters, X last)", is_taxonomy)

_BY_WORD: Final[Mapping[str, CodeSystem]] = {
    "npi": _NPI_SYSTEM,
    "icd10": _ICD_SYSTEM,
    "icd10cm": _ICD_SYSTEM,
    "icd": _ICD_SYSTEM,
    "taxonomy": _TAXONOMY_SYSTEM,
    "nucc": _TAXONOMY_SYSTEM,
}


def system_of(name: str, definition: str | None) -> CodeSystem | None:
    """Guess the code system that a trait or an attribute holds, by its name and its definition; None: none is told."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    for word in (*words, "".join(words)):
        if word in _BY_WORD:
            return _BY_WORD[word]
    told = (definition or "").lower()
    if "icd-10-cm" in told:
        return _ICD_SYSTEM
    if "nucc" in told:
        return _TAXONOMY_SYSTEM
    return _NPI_SYSTEM if "national provider identifier" in told else None

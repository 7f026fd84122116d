"""Bad input: why a record is refused (docs/language.md, Bad input)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

_Unreadable: TypeAlias = Literal[
    "too_large",
    "not_json",
    "too_deep",
    "not_cloudevent",
    "bad_subject",
    "undeclared_type",
    "bad_time",
    "ahead",
    "wrong_type",
    "bad_number",
    "bad_link",
]
_Misplaced: TypeAlias = Literal["wrong_key", "wrong_partition"]
Code: TypeAlias = Literal[_Unreadable, "erased", _Misplaced]
CODES: Final[tuple[Code, ...]] = get_args(Code)
"""Why a record is bad input, in order of precedence."""
LetterCode: TypeAlias = Literal[_Unreadable, _Misplaced]
LETTER_CODES: Final[tuple[LetterCode, ...]] = get_args(LetterCode)
"""Reasons of dead letters: all but `erased`. What an erased profile refuses is dropped and counted, kept nowhere."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Bad input: the record goes to the dead-letter topic with this code, unless the code is `erased`."""

    code: Code
    place: str = field(default="", compare=False)
    """The path inside the event, of declared names only, never of values: `data.topic`; "": the code says enough."""


PLACES: Final[Mapping[Code, str]] = {
    "bad_subject": "subject",
    "undeclared_type": "type",
    "bad_time": "time",
    "ahead": "time",
}
"""The place of the codes that have only one."""
REFUSALS: Final[Mapping[Code, Refusal]] = {code: Refusal(code, PLACES.get(code, "")) for code in CODES}

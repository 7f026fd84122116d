"""Patterns of `matches`: RE2 syntax, in time linear in the text whatever the pattern (docs/language.md, Operators).

The only module that knows the regular expression library.
"""

from collections.abc import Callable
from typing import Final

import re2

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False  # RE2 would write to stderr; the error is told to the author instead


class BadPattern(ValueError):
    """Not a pattern of RE2; the text says what is wrong with it."""


def whole_match(pattern: str) -> Callable[[str], bool]:
    """Compile a pattern into a test of whole texts.

    Raises BadPattern for what RE2 does not take: wrong syntax, look-around, back references, too large.
    """
    try:
        compiled = re2.compile(pattern, options=_OPTIONS)
    except re2.error as error:
        raise BadPattern(_said(error)) from None
    fullmatch = compiled.fullmatch

    def matches(text: str) -> bool:
        return fullmatch(text) is not None

    return matches


def _said(error: Exception) -> str:
    """Read RE2's message, which the binding hands over as bytes."""
    said = error.args[0] if error.args else ""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)

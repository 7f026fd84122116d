"""What pydantic says of a wrong value, in plain words: for arguments and for settings."""

import re
from collections.abc import Callable
from typing import Final

_REWORDED: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"Value error, "), ""),
    (re.compile(r"Input should be a valid integer, .*"), "it must be a whole number"),
    (re.compile(r"Input should be a valid number, .*"), "it must be a number"),
    (re.compile(r"Input should be a valid boolean, .*"), "it must be true or false"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"it must be \1 or more"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"it must be \1 or less"),
    (re.compile(r"Input should be greater than (\S+)"), r"it must be more than \1"),
    (re.compile(r"Input should be less than (\S+)"), r"it must be less than \1"),
    (re.compile(r"Input should be ('.*)"), r"it must be \1"),
    (re.compile(r"String should match pattern '\^?(.*?)\$?'"), r"it must match \1"),
    (re.compile(r"'([^']*)' is not one of (.*?)\.?$"), r"'\1' is none of \2"),
    (re.compile(r"dir '(.*)' does not exist\.?"), r"there is no folder \1"),
    (re.compile(r"(?:file|path) '(.*)' does not exist\.?"), r"there is no \1"),
    (re.compile(r"dir '(.*)' is a file\.?"), r"\1 is a file, not a folder"),
)


def plain(message: str) -> str:
    """Return a message of pydantic, alone or inside a longer one, in plain words."""
    for pattern, words in _REWORDED:
        message = pattern.sub(words, message)
    return message

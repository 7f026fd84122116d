"""The name of a preview, its *hash*: what it compared, in three parts of 12 hex digits.

The first part begins the hash of the catalogue in force, the second that of the new one. The third is a digest of both
and of all that was read: the offsets of every partition, the instant of the cut, the window, the sample. So
`segue apply --preview` needs nothing stored to tell whether a preview still stands.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson

from streams.operations.errors import WrongRequest

DIGITS: Final = 12
NOTHING_IN_FORCE: Final = "0" * DIGITS
_NAME: Final = re.compile(rf"([0-9a-f]{{{DIGITS}}})-([0-9a-f]{{{DIGITS}}})-([0-9a-f]{{{DIGITS}}})")


@dataclass(frozen=True, slots=True)
class PreviewName:
    """The name, in its parts."""

    before: str
    after: str
    read: str

    def __str__(self) -> str:
        return f"{self.before}-{self.after}-{self.read}"


def name_of(before: str | None, after: str, read: object) -> PreviewName:
    """Name a preview. `before`: hash of the catalogue in force, None: there is none; `read`: a JSON value."""
    digest = sha256(orjson.dumps([before, after, read])).hexdigest()
    return PreviewName(short(before), short(after), digest[:DIGITS])


def read_name(text: str) -> PreviewName:
    """Read a name; raises WrongRequest."""
    matched = _NAME.fullmatch(text.strip())
    if matched is None:
        raise WrongRequest(f"{text!r} is no hash of a preview: copy it from the last line of `segue preview`")
    return PreviewName(*matched.groups())


def short(digest: str | None) -> str:
    """Return the beginning of a catalogue's hash; None: no catalogue."""
    return NOTHING_IN_FORCE if digest is None else digest[:DIGITS]

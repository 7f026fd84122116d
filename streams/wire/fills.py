"""The records of `segue.fills`: how far the history of each cut is filled in, for one partition of the input.

The topic is compacted and has the partitions of the input. Key: the id of the cut's own `segue.catalogue` record in
that partition, so that every cut has its own record. Value: compact JSON,
`{"catalogue":"<sha256>","before":"<sha256>","offset":4711,"cut_ms":1772373905012,"share":0.6,"filled":false,
"since_ms":null}`.

`segue apply` writes the first record of a cut in the transaction that makes the cut. So no cut is forgotten, whatever
dies. A filler writes how far it has come, about once a second, and `filled` at the end. Nothing decides by these
records but which cuts `segue fill` still looks at: to fill a cut twice does no harm. They hold no personal data.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import orjson
from pydantic import Field

from streams.records import OutRecord, Stored
from streams.wire.progress import Strict, read_model

UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Fill:
    """How far the history of one cut is filled in, in one partition."""

    catalogue: str
    """Hash of the catalogue that the cut put into force."""
    before: str | None
    """Hash of the catalogue in force before; null: there was none."""
    offset: int = UNKNOWN
    """The offset of the cut in the input; -1: not known yet."""
    cut_ms: int = UNKNOWN
    """The instant T of the cut; -1: not known yet."""
    share: float = 0.0
    """How much of the work is done, from 0 to 1."""
    filled: bool = False
    """Whether the history is filled in, or nothing had to be."""
    since_ms: int | None = None
    """The instant from which on the log was whole; null: it was whole from its first record."""


@dataclass(frozen=True, slots=True)
class StoredFill:
    """A fill as it stands in the topic. `cut`: the id of the cut's record. `at_ms`: when it was written."""

    cut: str
    fill: Fill
    at_ms: int


class _FillModel(Strict):
    catalogue: str
    before: str | None
    offset: Annotated[int, Field(ge=-1)]
    cut_ms: Annotated[int, Field(ge=-1)]
    share: Annotated[float, Field(ge=0, le=1)]
    filled: bool
    since_ms: int | None


def fill_record(topic: str, partition: int, cut: str, fill: Fill) -> OutRecord:
    """Make the record of a fill."""
    return OutRecord(topic, partition, cut.encode(), orjson.dumps(fill))


def read_fills(records: list[Stored]) -> list[StoredFill]:
    """Return the last record of each cut, in the order of the cuts in the log. Raises MalformedRecord."""
    found: dict[str, StoredFill] = {}
    for record in records:
        if record.key is None:
            continue
        cut = record.key.decode()
        found.pop(cut, None)
        if record.value is not None:
            fill = Fill(**read_model(_FillModel, record.value, "fill").model_dump())
            found[cut] = StoredFill(cut, fill, record.timestamp_ms)
    # a cut whose offset nobody has written yet is newer than every cut whose offset somebody has
    return sorted(found.values(), key=lambda each: (each.fill.offset == UNKNOWN, each.fill.offset))

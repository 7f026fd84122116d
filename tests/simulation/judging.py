"""The changes that one input partition must give, read by the naive evaluator (tests/naive).

The records of a log are not the lines of a file: a cut stands among them at an offset, and a record before it may have
the same instant. So the log is read here, and evaluated there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rules.ground.partitioning import partition_of
from streams.records import Stored
from tests.faults.catalogues import Rules
from tests.faults.model import DIGEST_START, Change, rolled
from tests.naive.candidates import instants
from tests.naive.decode import Own, Refused, event_of, parse
from tests.naive.fillings import Fillings, read_own
from tests.naive.happenings import Record
from tests.naive.lives import Lives
from tests.naive.pending import Era
from tests.naive.reading import Catalogue, read_text
from tests.naive.replay import merge
from tests.transcripts.implementations import plain

CATALOGUE = "segue.catalogue"


@dataclass
class Expected:
    """What a partition must have put out."""

    changes: list[Change] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    """The offsets of the records that become dead letters."""
    digest: str = DIGEST_START
    before: dict[int, str] = field(default_factory=lambda: {0: DIGEST_START})
    """The digest of all changes before an offset, by offset."""

    def digests(self) -> dict[int, str]:
        """Return the digest of all changes before an offset, by offset."""
        return self.before

    def of(self, channel: str = "") -> list[bytes]:
        """Return the changes of one channel, or of the memberships, in order."""
        return [change.value for change in self.changes if change.channel == channel]


def readable(rules: Rules) -> Catalogue:
    """Put a catalogue of the fault runs together for the naive evaluator."""
    return plain({name: read_text(text) for name, text in rules.files().items()})


def refused(partition: int, partitions: int, record: Stored, catalogue: Catalogue, clock_ms: int) -> bool:
    """Tell whether a record must become a dead letter."""
    value = record.value or b""
    if record.key is not None and partition_of(record.key, partitions) != partition:
        return True
    try:
        event_of(value, parse(value), catalogue, clock_ms)
    except Refused:
        return True
    except Own:
        pass
    return False


def expected(partition: int, partitions: int, stored: Sequence[Stored], catalogues: Sequence[Catalogue]) -> Expected:
    """Evaluate the records of a partition up to the last one. `catalogues`: every cut record takes the next one."""
    found = Expected()
    records: list[Record] = []
    era: Era | None = None
    first = Era(catalogues[0], None, (), remembering=True)
    fillings, clock_ms = Fillings(), -1
    for record in stored:
        value = record.value or b""
        line = parse(value)
        clock_ms = max(clock_ms, record.timestamp_ms)
        at = Record(clock_ms)
        if isinstance(line.value, Mapping) and line.value.get("type") == CATALOGUE:
            if era is None:
                era = first
            else:
                before = (*era.before, era)
                era = Era(catalogues[len(before)], clock_ms, before, remembering=False)
                at = Record(clock_ms, era=era)
        elif era is not None and refused(partition, partitions, record, era.catalogue, clock_ms):
            found.refused.append(record.offset)
        elif era is not None:
            try:
                event = event_of(value, line, era.catalogue, clock_ms)
            except Own:
                at = Record(clock_ms, filling=read_own(line.value, era, fillings, clock_ms))
            else:
                at = Record(clock_ms, event, line=record.offset)
        records.append(at)
    lives = Lives(first, instants, linking=False)
    happenings = lives.run(records, clock_ms)
    for record, values in zip(stored, merge(happenings, records, clock_ms), strict=False):
        for each in values:
            found.changes.append(change_of(each, record.offset + 1))
            found.digest = rolled(found.digest, each)
        found.before[record.offset + 1] = found.digest
    return found


def change_of(value: bytes, upto: int) -> Change:
    """Read a change. `upto`: the offset after the record that brought it."""
    read = json.loads(value)
    if "segment" in read:
        return Change("", read["profile"], read["segment"], read["change"] == "entered", value, upto)
    return Change(read["channel"], read["profile"], read["activation"], read["change"] == "activated", value, upto)

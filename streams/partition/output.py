"""The output of input records: the engine's items as records of the output topics, in their order."""

from dataclasses import dataclass, field
from typing import Final

from rules.engine.outcome import Applied, Withdrawal
from streams.intake.bad_input import BadRecord
from streams.intake.decoding import source_of
from streams.metrics.spans import traceparent_of
from streams.metrics.tally import Notes
from streams.partition.outgoing import BYTES_AS_A_CHANGE
from streams.partition.shared import OutputRecords
from streams.records import Fetched, OutRecord

DROPPED: Final = frozenset({"erased"})
"""Reasons of refused records that get no dead letter, and are no bad input: the dead letter would keep what an erasure
took, and nothing is wrong with the producer's records."""


@dataclass(slots=True)
class Output:
    """The output of some records of one partition, up to a record boundary."""

    records: list[OutRecord] = field(default_factory=list)
    changes: int = 0
    withdrawn: int = 0
    """Tombstones of standing memberships whose segment has other topics now."""
    effects: int = 0
    effect_bytes: int = 0
    """The values of the effects together."""
    refused: list[BadRecord] = field(default_factory=list)
    """The records that were refused, in order."""
    applied: int = 0
    """Input records."""
    notes: Notes = field(default_factory=Notes)
    traced: bool = False
    """Whether to note the traces of the records."""

    @property
    def weight(self) -> int:
        """How much it counts towards the limit of a transaction: changes, tombstones and effects."""
        return self.changes + self.withdrawn + max(self.effects, self.effect_bytes // BYTES_AS_A_CHANGE)

    def add(self, partition: int, found: Fetched, applied: Applied, wire: OutputRecords) -> None:
        """Add what one applied record brings: its items in order, its effects, its dead letter if it was refused."""
        self.applied += 1
        self.notes.stamps_ms.append(found.timestamp)
        if self.traced:
            trace = traceparent_of(found.headers)
            if trace is not None:
                self.notes.traces.append(trace)
        for item in applied.items:
            if isinstance(item, Withdrawal):
                self.withdrawn += 1
                self.records.append(wire.withdrawal(partition, item))
            else:
                self.changes += 1
                self.notes.changes.append(item)
                self.records += wire.change_records(partition, item)
        for effect in applied.effects:
            self.effects += 1
            self.effect_bytes += len(effect.value)
            self.notes.effects.append(effect.type)
            self.records.append(wire.effect(effect))
        refusal = applied.refusal
        if refusal is not None and refusal.code in DROPPED:
            return
        if refusal is not None:
            self.notes.refusals.append(refusal.code)
            self.refused.append(BadRecord(found.offset, refusal.code, source_of(found.value, found.headers)))
            self.records.append(wire.dead_letter(partition, found, refusal.code, refusal.place))

"""Effects in `segue verify`: each one that the log makes must stand in the input of its target, once, in order.

The digest of a partition holds the effects that it makes. It does not say whether they arrived: that is seen in the
target's partition. So all partitions that are verified tell what they sent and what they found, and these are compared
at the end. A target that is not verified itself is read for effects only.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import zip_longest
from typing import Final, NamedTuple

import orjson

from rules.engine.persons.effects import EFFECT_TYPES, Effect
from rules.engine.record import Record
from rules.ground.partitioning import partition_of

_MARKS: Final = tuple(f'"type":"{type_}"'.encode() for type_ in sorted(EFFECT_TYPES))
"""An effect has one of these in its bytes: Segue writes them so."""


class Told(NamedTuple):
    """One effect."""

    id: str
    cause_offset: int
    digest: bytes
    """Of its value."""
    offset: int = -1
    """Where it stands in the target's partition; -1: as made of the log."""


@dataclass(slots=True)
class Exchange:
    """What some partitions sent, and what stands in the partitions that were read."""

    partitions: int
    generation: str
    sent: dict[tuple[int, int], list[Told]] = field(default_factory=lambda: defaultdict(list))
    """By (source, target)."""
    found: dict[int, list[Told]] = field(default_factory=lambda: defaultdict(list))
    """By target: the effects of all sources."""
    read_to: dict[int, int] = field(default_factory=dict)
    """By target: the offset after the last record that was taken."""

    def send(self, source: int, effect: Effect) -> None:
        """Take an effect that the log of `source` makes."""
        target = partition_of(effect.subject.encode(), self.partitions)
        event = orjson.loads(effect.value)
        self.sent[source, target].append(_told(event["id"], effect.value))

    def targets(self) -> set[int]:
        """Return the partitions that something was sent to."""
        return {target for _, target in self.sent}

    def take(self, target: int, record: Record) -> None:
        """Take the next record of a target's input; it counts if it is an effect."""
        self.read_to[target] = record.offset + 1
        value = record.value
        if value is None or not any(mark in value for mark in _MARKS):
            return
        try:
            event = orjson.loads(value)
        except orjson.JSONDecodeError:
            return
        if isinstance(event, dict) and event.get("type") in EFFECT_TYPES and isinstance(event.get("id"), str):
            self.found[target].append(_told(event["id"], value)._replace(offset=record.offset))

    def difference(self, source: int, published_offset: int, read: set[int]) -> str:
        """Say what differs of the effects of a source, in words without personal data; "": nothing.

        `read`: the partitions to look at; all that it sent something to were read to their ends.
        """
        return next(self._differences(source, published_offset, read), "")

    def _differences(self, source: int, published_offset: int, read: set[int]) -> Iterator[str]:
        for target in sorted(read):
            sent = self.sent.get((source, target), [])
            ids = {each.id for each in sent}
            found = [
                each
                for each in self.found.get(target, ())
                if each.id in ids or (each.cause_offset < published_offset and self._source(each.id) == source)
            ]
            for wanted, there in zip_longest(sent, found):
                wrong = _compare(wanted, there, target)
                if wrong:
                    yield wrong

    def _source(self, id_: str) -> int:
        """Return the partition of an effect's cause; -1: its id does not name one."""
        generation, _, rest = id_.partition("/")
        cause = rest.rsplit("/", 2)[0]
        return partition_of(cause.encode(), self.partitions) if generation == self.generation and ":" in cause else -1


def _told(id_: str, value: bytes) -> Told:
    parts = id_.rsplit("/", 2)
    offset = int(parts[1]) if len(parts) == 3 and parts[1].isdecimal() else -1
    return Told(id_, offset, blake2b(value, digest_size=16).digest())


def _compare(wanted: Told | None, there: Told | None, target: int) -> str:
    if wanted is None:
        assert there is not None
        return f"partition {target} of the input, offset {there.offset}: no effect of the log"
    at = f"the effect {wanted.id.rsplit('/', 1)[1]} of input offset {wanted.cause_offset}"
    if there is None:
        return f"{at} was never written to partition {target} of the input"
    if wanted.id != there.id:
        return f"{at} is not at its place in partition {target} of the input: offset {there.offset} has another"
    if wanted.digest != there.digest:
        return f"{at}: partition {target} of the input, offset {there.offset} has other bytes"
    return ""

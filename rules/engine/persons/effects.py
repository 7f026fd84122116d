"""Effects: what a record of one profile brings to another profile (docs/language.md, One person, several subjects).

An effect is told to its target by a record of the target's input partition. The record is a CloudEvent in structured
mode, its key is the subject of the target. It is written in the transaction of the changes that it comes with, so it
is there if and only if they are.

Its id is `<generation>/<cause>/<offset>/<n>`: the subject whose record is the cause, the offset of that record, and the
place of the effect among those of the record, from 1. The subject tells the partition of the cause, because the
partitions of a generation never change in number. So the id is a pure function of the log, and the engine makes all of
the bytes: a transaction that was aborted is repeated with the same ones. In the replay of a file the offset is the
number of the line. Of a subject that is very long the digest stands there.

An effect that is larger than a record may be goes in pieces (`rules.engine.persons.pieces`); each is an effect.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from rules.engine.persons.pieces import split
from rules.ground.instants import format_instant

FACTS_TYPE: Final = "segue.facts"
"""A contribution: the facts that a subject brings to another, as states by origin, and what the target takes over."""
FACT_TYPE: Final = "segue.fact"
"""One event, passed on by an alias."""
WITHDRAWN_TYPE: Final = "segue.withdrawn"
"""Origins whose facts no longer come through an alias."""
ERASED_TYPE: Final = "segue.erased"
"""The erasure of another subject of the same person."""
TIED_TYPE: Final = "segue.tied"
"""A subject is tied to an organisation in a role, or is so no more."""
ASKED_TYPE: Final = "segue.asked"
"""An organisation that stands for another asks it what a subject that is tied now is told."""
REACHING_TYPE: Final = "segue.reaching"
"""An organisation goes on telling an event to those that are tied to it."""
REACHED_TYPE: Final = "segue.reached"
"""A fact that an organisation tells."""
EFFECT_TYPES: Final = frozenset(
    {FACTS_TYPE, FACT_TYPE, WITHDRAWN_TYPE, ERASED_TYPE, TIED_TYPE, ASKED_TYPE, REACHING_TYPE, REACHED_TYPE}
)


class Effect(NamedTuple):
    """One effect. Make it without `value`; `seal` adds that once the record's effects are all known."""

    subject: str
    """The target."""
    type: str
    """One of EFFECT_TYPES."""
    data: dict[str, Any]
    """Plain JSON values."""
    value: bytes = b""
    """The record's value: the CloudEvent, canonical JSON (the keys of `data` are sorted)."""
    cause_ms: int = 0
    """R of the record that causes it; `seal` knows it."""


EFFECT_BYTES_MAX: Final = 900_000
"""Largest value and key of an effect together: below the limit of brokers for a record, 1,048,588 bytes by default,
with room for what a batch and headers add."""
PIECE_BYTES: Final = 128
"""Upper bound of what the data of a piece has besides its name and its text."""
CAUSE_BYTES_MAX: Final = 256
"""A longer subject of a cause does not stand in the id: a subject may have as many bytes as an event."""


def seal(
    effects: Iterable[Effect], generation: str, cause: str, offset: int, r_ms: int, bytes_max: int = EFFECT_BYTES_MAX
) -> list[Effect]:
    """Give the effects of one record their values, in order. `cause`: the record's subject; `r_ms`: its R.

    An effect that is too large becomes several. The event's `time` is R of the cause. Two calls with equal arguments
    give equal bytes, whatever the order of keys in `data` is: a profile out of the store may hold them in another order
    than one in memory.
    """
    sealer = _Sealer(generation, cause, offset, r_ms)
    for effect in effects:
        data = orjson.dumps(effect.data, option=orjson.OPT_SORT_KEYS)
        name = sealer.next_id
        head = sealer.head(effect, name)
        free = bytes_max - len(effect.subject.encode()) - len(head)
        if len(data) <= free:
            sealer.add(effect, head, data)
            continue
        for piece in split(data, name, free - len(name) - PIECE_BYTES):
            head = sealer.head(effect, sealer.next_id)
            sealer.add(effect._replace(data=piece), head, orjson.dumps(piece, option=orjson.OPT_SORT_KEYS))
    return sealer.sealed


class _Sealer:
    """The effects of one record so far."""

    def __init__(self, generation: str, cause: str, offset: int, r_ms: int) -> None:
        if len(cause.encode()) > CAUSE_BYTES_MAX:
            cause = blake2b(cause.encode(), digest_size=16).hexdigest()
        self._generation = generation
        self._prefix = f"{generation}/{cause}/{offset}/"
        self._time = format_instant(r_ms)
        self._r_ms = r_ms
        self.sealed: list[Effect] = []

    @property
    def next_id(self) -> str:
        """The id of the effect that is added next."""
        return f"{self._prefix}{len(self.sealed) + 1}"

    def head(self, effect: Effect, id_: str) -> bytes:
        """Write all of an effect's value but its data."""
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": f"/segue/{self._generation}",
            "type": effect.type,
            "subject": effect.subject,
            "time": self._time,
            "datacontenttype": "application/json",
        }
        return orjson.dumps(event)

    def add(self, effect: Effect, head: bytes, data: bytes) -> None:
        """Add an effect with its head and its data as JSON."""
        value = b'%b,"data":%b}' % (head[:-1], data)
        self.sealed.append(Effect(effect.subject, effect.type, effect.data, value, self._r_ms))

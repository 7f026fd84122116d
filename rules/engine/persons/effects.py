"""Effects: what a record of one profile brings to another profile (docs/language.md, One person, several subjects).

An effect is told to its target by a record of the target's input partition. The record is a CloudEvent in structured
mode, its key is the subject of the target. It is written in the transaction of the changes that it comes with, so it
is there if and only if they are.

Its id is `<generation>/<cause>/<offset>/<n>`: the subject whose record is the cause, the offset of that record, and the
place of the effect among those of the record, from 1. The subject tells the partition of the cause, because the
partitions of a generation never change in number. So the id is a pure function of the log, and the engine makes all of
the bytes: a transaction that was aborted is repeated with the same ones. In the replay of a file the offset is the
number of the line.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from rules.ground.instants import format_instant

FACTS_TYPE: Final = "segue.facts"
"""A contribution: the facts that a subject brings to another, as states by origin, and what the target takes over."""
FACT_TYPE: Final = "segue.fact"
"""One event, passed on by an alias."""
WITHDRAWN_TYPE: Final = "segue.withdrawn"
"""Origins whose facts no longer come through an alias."""
ERASED_TYPE: Final = "segue.erased"
"""The erasure of another subject of the same person."""
EFFECT_TYPES: Final = frozenset({FACTS_TYPE, FACT_TYPE, WITHDRAWN_TYPE, ERASED_TYPE})


class Effect(NamedTuple):
    """One effect. Make it without `value`; `seal` adds that once the record's effects are all known."""

    subject: str
    """The target."""
    type: str
    """One of EFFECT_TYPES."""
    data: dict[str, Any]
    """Plain JSON values; `seal` adds nothing to it."""
    value: bytes = b""
    """The record's value: the CloudEvent, canonical JSON (sorted keys)."""
    cause_ms: int = 0
    """R of the record that causes it; `seal` knows it."""


def seal(effects: Iterable[Effect], generation: str, cause: str, offset: int, r_ms: int) -> list[Effect]:
    """Give the effects of one record their values, in order. `cause`: the record's subject; `r_ms`: its R.

    The event's `time` is R of the cause. Two calls with equal arguments give equal bytes, whatever the order of keys in
    `data` is: a profile out of the store may hold them in another order than one in memory.
    """
    time = format_instant(r_ms)
    sealed = []
    for n, effect in enumerate(effects, 1):
        event = {
            "specversion": "1.0",
            "id": f"{generation}/{cause}/{offset}/{n}",
            "source": f"/segue/{generation}",
            "type": effect.type,
            "subject": effect.subject,
            "time": time,
            "datacontenttype": "application/json",
            "data": effect.data,
        }
        sealed.append(effect._replace(value=orjson.dumps(event, option=orjson.OPT_SORT_KEYS), cause_ms=r_ms))
    return sealed

"""The records of `segue.erasures`: what was asked of whom when somebody was erased, and what the platforms answered.

The topic has the partitions of the input, and keeps its records for three years. Key: the erasure, `source id`, as
`reason.events` of its changes has it. Value: compact JSON of one of three kinds.

- `asked`: `segue erase` is about to send the event. A crash after it: the event may not be in the log.
- `told`: the erasure is carried out. It says how many changes tell each channel, and how many subjects a channel told
  of earlier without a change that tells it now.
- `receipt`: `segue deliver` had an answer of a platform. It is written before the change counts as delivered, so an
  answer may have two receipts, and never none.

They name nobody: no subject, and nothing that is made of one. `request` is what a person gave as a reference.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from streams.records import OutRecord
from streams.wire.progress import MalformedRecord


@dataclass(frozen=True, slots=True)
class ErasureAsked:
    """`segue erase` sends the event of an erasure."""

    erasure: str
    """`source id` of the event."""
    request: str | None
    """The reference that was given with it."""
    at: str
    """When, RFC 3339."""
    subjects: int
    """How many subjects the person had."""
    kind: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True)
class ErasureTold:
    """The erasure is carried out, and its changes are published."""

    erasure: str
    """`source id` of the event."""
    channels: Mapping[str, int]
    """By channel: how many changes tell it."""
    silent: Mapping[str, int]
    """By channel: how many subjects it told of earlier, without a change that tells it now."""
    kind: Literal["told"] = "told"


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """What a platform answered when it was asked to delete a person, or was told of the erasure."""

    erasure: str
    """`source id` of the erasure's event."""
    channel: str
    platform: str
    """The shape in which the platform was asked: `braze`, `customerio` or `standard`."""
    host: str
    """Where it was asked."""
    outcome: Literal["accepted", "refused"]
    code: str
    """Why it is refused, as in the header `segue_reason` of the dead letter; empty where it is accepted."""
    status: int | None
    """The HTTP status of the answer; null: it was never sent."""
    request_id: str | None
    """The id that the platform gave the request in a header of its answer; null: it gave none."""
    persons: int
    """How many deletions, or changes, the request held."""
    deleted: int | None
    """How many of these the platform says that it deletes; null: it does not say."""
    at: str
    """When the answer came, RFC 3339."""
    partition: int
    offsets: tuple[int, ...] = ()
    """The changes with the reason `erased` that this answers, in the channel's topic; none: `segue deliver --delete`
    asked for a subject of which no change tells the channel."""
    asking: str | None = None
    """Which run of `segue deliver --delete` asked; null: none did, or one of an earlier version."""
    kind: Literal["receipt"] = "receipt"


NAME_LEAST: Final = 6
"""A shorter name of a subject may stand in a text by chance."""
ErasureRecord: TypeAlias = ErasureAsked | ErasureTold | DeletionReceipt
_READ: Final[TypeAdapter[ErasureRecord]] = TypeAdapter(Annotated[ErasureRecord, Field(discriminator="kind")])


def erasure_record(topic: str, partition: int, said: ErasureRecord) -> OutRecord:
    """Make a record of the topic."""
    return OutRecord(topic, partition, said.erasure.encode(), orjson.dumps(said))


def read_erasures(values: Iterable[bytes | None]) -> list[ErasureRecord]:
    """Read the values of records. Raises MalformedRecord."""
    try:
        return [_READ.validate_json(value) for value in values if value is not None]
    except ValidationError as wrong:
        raise MalformedRecord(f"a record of erasures: {wrong.error_count()} fields cannot be read") from None


def names(text: str, subject: str) -> bool:
    """Tell whether a text repeats a subject: a reference that a person gave, an id in an answer's header."""
    name = subject.partition(":")[2]
    return subject in text or (len(name) >= NAME_LEAST and name in text)

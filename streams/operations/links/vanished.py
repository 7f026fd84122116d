"""Subjects that a link to an erased subject erased, too, as the log tells: the state names nobody who was erased."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiokafka import TopicPartition

from rules.engine.persons.effects import ERASED_TYPE
from rules.ground.instants import format_instant
from streams.operations.servers import Servers
from streams.operations.shadow import FETCH_BYTES, records

_TYPE: Final = f'"type":"{ERASED_TYPE}"'.encode()
"""Segue writes the type of an effect so."""
_LINK: Final = b'"link":'
OnRead = Callable[[int], None]
"""Is called with how many records more were read."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """A subject that was erased because a link led from it, or from whom it stood for, to an erased subject."""

    subject: str
    told_ms: int
    """R of the record that erased it."""
    event: str
    """`source id` of the link event."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {"subject": self.subject, "erased": format_instant(self.told_ms), "event": self.event}


async def read_vanished(servers: Servers, since_ms: int, on_read: OnRead = lambda _: None) -> list[Vanished]:
    """Read the input from an instant on and return whom links erased, each once, the earliest first.

    Raises Unreachable. Takes as long as it takes to read so much of the input.
    """
    topic = servers.deployment.events_topic
    found: dict[str, Vanished] = {}
    async with servers.reading(topic, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, partitions):
        firsts = await consumer.offsets_for_times(dict.fromkeys(partitions, max(0, since_ms)))
        for at in partitions:
            first = firsts.get(at)
            if first is None:
                continue
            _, end = await servers.log.offsets(topic, at.partition)
            consumer.assign([at])
            consumer.seek(at, first.offset)
            await _read(consumer, at, end, found, on_read)
    return sorted(found.values(), key=lambda each: (each.told_ms, each.subject))


async def _read(consumer: Any, at: TopicPartition, end: int, found: dict[str, Vanished], on_read: OnRead) -> None:
    read = 0
    async for record in records(consumer, at, end):
        read += 1
        if read % 10_000 == 0:
            on_read(10_000)
        if record.value is not None and _TYPE in record.value and _LINK in record.value:
            vanished = vanished_of(record.value, record.timestamp_ms or 0)
            if vanished is not None:
                found.setdefault(vanished.subject, vanished)
    on_read(read % 10_000)


def vanished_of(value: bytes, t_ms: int) -> Vanished | None:
    """Return whom a record erased because of a link; None: it is another record."""
    try:
        read = orjson.loads(value)
    except ValueError:
        return None
    if not isinstance(read, dict) or read.get("type") != ERASED_TYPE or not isinstance(read.get("data"), dict):
        return None
    subject, event = read.get("subject"), read["data"].get("link")
    return Vanished(subject, t_ms, event) if isinstance(subject, str) and isinstance(event, str) else None

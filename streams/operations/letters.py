"""Dead letters: what was refused, of which reasons, from which sources, and where in the event.

A summary holds no subject and no value. `letter` and `export` give the records themselves, as they were refused.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Final

import orjson
from aiokafka import TopicPartition

from rules.engine.record import Record
from rules.engine.refusal import LETTER_CODES
from rules.ground.instants import format_instant
from rules.language.validation import nearest
from streams.intake.bad_input import OTHERS, UNNAMED
from streams.intake.decoding import source_of
from streams.log.consumers import Consumer
from streams.operations.errors import NoLetter, NoLettersOfChannel, TopicMissing, WrongRequest
from streams.operations.filling.selection import structured
from streams.operations.holds import refusals
from streams.operations.partitions import OnOffset, chosen
from streams.operations.servers import Servers
from streams.operations.shadow import records
from streams.wire.topics import delivery_topic

GROUPS_MAX: Final = 1_000
"""Groups that are told apart; further sources count as OTHERS."""
MARK: Final = "segue_"
"""How the names of the headers begin that a dead letter adds."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are asked for. An empty tuple asks for all."""

    partitions: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since_ms: int | None = None
    """Those written since then."""
    channel: str | None = None
    """Those of this channel's platform; None: those of the input."""

    def takes(self, reason: str, source: str) -> bool:
        """Tell whether a letter is asked for."""
        return (not self.reasons or reason in self.reasons) and (not self.sources or source in self.sources)


@dataclass(slots=True)
class Group:
    """The letters of one reason, source and place."""

    reason: str
    source: str
    place: str
    """The path inside the event; "": not known."""
    count: int = 0
    first_ms: int = 0
    last_ms: int = 0
    last: str = ""
    """PARTITION:OFFSET of the last one in the topic of dead letters."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "reason": self.reason,
            "source": self.source,
            "place": self.place,
            "count": self.count,
            "first": format_instant(self.first_ms),
            "last": format_instant(self.last_ms),
            "last_letter": self.last,
        }


@dataclass(slots=True)
class Letters:
    """All groups, the largest first, and why partitions are held."""

    topic: str
    groups: list[Group] = field(default_factory=list)
    held: Mapping[int, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many letters there are."""
        return sum(group.count for group in self.groups)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return {
            "topic": self.topic,
            "count": self.count,
            "letters": [group.as_json() for group in self.groups],
            "held": self.held,
        }


@dataclass(slots=True)
class Exported:
    """What was written to a file."""

    lines: int = 0
    unreadable: int = 0
    """Letters that are no JSON object: they have no line that could be mended."""


async def letters(servers: Servers, wanted: LetterFilter, on_offset: OnOffset) -> Letters:
    """Count the dead letters by reason, source and place.

    Raises WrongRequest, TopicMissing, NoLettersOfChannel; Unreachable.
    """
    found: dict[tuple[str, str, str], Group] = {}
    async with _reading(servers, wanted, on_offset) as (topic, letters_of):
        async for partition, record in letters_of:
            reason, source, place = _about(record)
            if not wanted.takes(reason, source):
                continue
            key = (reason, source, place)
            if key not in found and len(found) >= GROUPS_MAX:
                key = (reason, OTHERS, "")
            group = found.setdefault(key, Group(*key, first_ms=record.timestamp_ms or 0))
            group.count += 1
            group.first_ms = min(group.first_ms, record.timestamp_ms or 0)
            if (record.timestamp_ms or 0) >= group.last_ms:
                group.last_ms, group.last = record.timestamp_ms or 0, f"{partition}:{record.offset}"
    held = {} if wanted.channel else {one.partition: one.said for one in await refusals(servers) if one.held}
    groups = sorted(found.values(), key=lambda group: (-group.count, group.reason, group.source, group.place))
    return Letters(topic, groups, held)


async def letter(servers: Servers, partition: int, offset: int, channel: str | None = None) -> dict[str, Any]:
    """Return one dead letter: its headers, its key, its value as JSON or as text. It may hold personal data.

    Raises NoLetter, NoLettersOfChannel, WrongRequest, TopicMissing; Unreachable.
    """
    topic = dead_letters_topic(servers, channel)
    chosen([partition], servers.deployment.partitions)
    await _expect(servers, topic, channel)
    start, end = await servers.log.offsets(topic, partition)
    if not start <= offset < end:
        raise NoLetter(topic, partition, offset)
    at = TopicPartition(topic, partition)
    async with servers.reading(topic) as (consumer, _):
        consumer.assign([at])
        consumer.seek(at, offset)
        async for record in records(consumer, at, offset + 1):
            return _shown(topic, partition, record)
    raise NoLetter(topic, partition, offset)


async def export(servers: Servers, wanted: LetterFilter, to: BinaryIO, on_offset: OnOffset) -> Exported:
    """Write the letters asked for as structured events, one a line, to be mended. Raises as `letters`."""
    done = Exported()
    async with _reading(servers, wanted, on_offset) as (_, letters_of):
        async for _, record in letters_of:
            reason, source, _ = _about(record)
            if not wanted.takes(reason, source):
                continue
            line = structured(record.value, _own_headers(record))
            if _is_object(line):
                to.write(line + b"\n")
                done.lines += 1
            else:
                done.unreadable += 1
    return done


def dead_letters_topic(servers: Servers, channel: str | None) -> str:
    """Return the topic of dead letters: of the input, or of a channel."""
    return servers.deployment.dead_letter_topic if channel is None else delivery_topic(servers.deployment, channel).name


async def _expect(servers: Servers, topic: str, channel: str | None) -> None:
    try:
        await servers.expect_topics(topic)
    except TopicMissing:
        if channel is None:
            raise
        raise NoLettersOfChannel(channel) from None


@asynccontextmanager
async def _reading(
    servers: Servers, wanted: LetterFilter, on_offset: OnOffset
) -> AsyncIterator[tuple[str, AsyncIterator[tuple[int, Record]]]]:
    """Have the topic, and the letters of the partitions asked for, from the instant asked for to the end."""
    topic = dead_letters_topic(servers, wanted.channel)
    for reason in wanted.reasons:
        if wanted.channel is None and reason not in LETTER_CODES:
            raise WrongRequest(
                f"no record is refused with the reason {reason!r}{nearest(reason, LETTER_CODES, len(LETTER_CODES))}"
            )
    partitions = chosen(wanted.partitions, servers.deployment.partitions)
    await _expect(servers, topic, wanted.channel)
    async with servers.reading(topic) as (consumer, _):
        yield topic, _each(servers, consumer, [TopicPartition(topic, one) for one in partitions], wanted, on_offset)


async def _each(
    servers: Servers,
    consumer: Consumer,
    partitions: Sequence[TopicPartition],
    wanted: LetterFilter,
    on_offset: OnOffset,
) -> AsyncIterator[tuple[int, Record]]:
    for at in partitions:
        consumer.assign([at])
        start, end = await servers.log.offsets(at.topic, at.partition)
        if wanted.since_ms is not None:
            found = (await consumer.offsets_for_times({at: wanted.since_ms}))[at]
            start = end if found is None else found.offset
        consumer.seek(at, start)
        tell = partial(_tell, on_offset, at.partition, end)
        async for record in records(consumer, at, end, tell):
            yield at.partition, record


def _tell(on_offset: OnOffset, partition: int, end: int, offset: int) -> None:
    on_offset(partition, offset, end)


def _about(record: Record) -> tuple[str, str, str]:
    """Return reason, source and place. Of several headers with one name the last counts."""
    told = {name: value for name, value in record.headers if name.startswith(MARK)}
    reason, place = ((told.get(f"{MARK}{name}") or b"").decode(errors="replace") for name in ("reason", "place"))
    return reason or "(no reason)", source_of(record.value, record.headers) or UNNAMED, place


def _own_headers(record: Record) -> list[tuple[str, bytes]]:
    """Return the headers that the record had before it became a dead letter."""
    return [(name, value) for name, value in record.headers if not name.startswith(MARK)]


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _shown(topic: str, partition: int, record: Record) -> dict[str, Any]:
    value: Any = None
    if record.value is not None:
        try:
            value = orjson.loads(record.value)
        except orjson.JSONDecodeError:
            value = record.value.decode(errors="backslashreplace")
    return {
        "topic": topic,
        "partition": partition,
        "offset": record.offset,
        "at": format_instant(record.timestamp_ms or 0),
        "headers": list(_texts(record.headers)),
        "key": None if record.key is None else record.key.decode(errors="backslashreplace"),
        "value": value,
    }


def _texts(headers: Sequence[tuple[str, bytes]]) -> Iterator[list[str]]:
    for name, value in headers:
        yield [name, (value or b"").decode(errors="backslashreplace")]

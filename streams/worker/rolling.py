"""Keep the broker compacting: append to compacted topics of profiles that are quiet.

Kafka compacts closed segments only, closes a segment only when something is appended, and looks for work only where
something is new. So in a quiet partition the last records would stay on disk for ever, an erased person's among them.
A worker appends an empty record there, to the partitions that it holds, once nothing came for SEGUE_ROLL_AFTER_MS.
Two such records after a tombstone take its key off the disk, too (`streams.wire.staying` adds up how long that takes).

The record's key is `segue|roll`, which no profile has: a subject has a colon. It is a tombstone, so it vanishes itself,
and it has a header `ce_id`, as readers of tombstones ask.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import orjson

from streams.actions import told
from streams.clock import Clock
from streams.errors import NotReachable
from streams.log.terms import Log
from streams.records import OutRecord
from streams.settings import Deployment
from streams.wire.names import channel_topics, restricted_topics

log = logging.getLogger(__name__)

LOOKS: Final = 12
"""Looks in SEGUE_ROLL_AFTER_MS: an append comes at most a twelfth of it late."""
FIRST_MS: Final = 60_000
"""The first look waits so long, or as long as any other if that is shorter: it asks for the end and the last record of
every partition, and a worker that starts has its backlog to drain."""
KEY: Final = b"segue|roll"


def roll_record(topic: str, partition: int) -> OutRecord:
    """Make the record that lets a quiet partition roll its segment."""
    return OutRecord(topic, partition, KEY, None, (("ce_id", b"segue/roll/0"),))


class Rolling:
    """Appends to the quiet partitions of one worker."""

    def __init__(self, source: Log, deployment: Deployment, held: Callable[[], Iterable[int]], clock: Clock) -> None:
        """`held` returns the partitions that this worker has."""
        self._source = source
        self._deployment = deployment
        self._held = held
        self._clock = clock
        self._channels = Channels(source, deployment)
        self._seen: dict[tuple[str, int], tuple[int, int]] = {}
        """By topic and partition: the end at the last look, and the timestamp of the last record before it."""

    async def run(self) -> None:
        """Look for ever."""
        every_ms = self._deployment.roll_after_ms / LOOKS
        await self._clock.sleep(min(FIRST_MS, every_ms))
        while True:
            try:
                await self.look()
            except NotReachable as error:  # the parts that need the log say why
                log.info("quiet topics are looked at later", extra=told("roll_put_off", why=type(error).__name__))
            await self._clock.sleep(every_ms)

    async def look(self) -> None:
        """Append to each quiet partition once. Raises NotReachable."""
        for topic in await self._topics():
            for partition in list(self._held()):
                await self._look(topic, partition)

    async def _look(self, topic: str, partition: int) -> None:
        start, end = await self._source.offsets(topic, partition)
        if start == end:
            return
        seen_end, last_ms = self._seen.get((topic, partition), (-1, 0))
        if seen_end != end:
            last = await self._source.last(topic, partition)
            last_ms = 0 if last is None else last.timestamp_ms
            self._seen[topic, partition] = end, last_ms
        if self._clock.wall_ms() - last_ms >= self._deployment.roll_after_ms:
            await self._source.append(roll_record(topic, partition))

    async def _topics(self) -> list[str]:
        """List the compacted topics of profiles: of segments, of restricted ones, of each channel that ever was."""
        deployment = self._deployment
        channels = [channel_topics(deployment, channel)[1] for channel in await self._channels.ever()]
        return [deployment.current_topic, restricted_topics(deployment)[1], *channels]


class Channels:
    """The channels of all catalogues that were ever applied: a channel that was dropped keeps its topics."""

    def __init__(self, source: Log, deployment: Deployment) -> None:
        self._source = source
        self._topic = deployment.catalogues_topic
        self._end = 0
        self._found: frozenset[str] = frozenset()

    async def ever(self) -> list[str]:
        """Name them, in order. Raises NotReachable."""
        _, end = await self._source.offsets(self._topic, 0)
        if end != self._end:
            stored = await self._source.read_to_end(self._topic, 0)
            self._found |= {channel for each in stored for channel in _channels(each.value)}
            self._end = end
        return sorted(self._found)


def _channels(stored: bytes | None) -> Iterator[str]:
    """Name the channels of one stored catalogue, of any version of the rules."""
    try:
        files = orjson.loads(stored or b"{}").get("files", {})
    except (ValueError, AttributeError):
        return
    for file, definition in files.items():
        if file.startswith("activations/") and isinstance(channel := definition.get("channel"), str):
            yield channel

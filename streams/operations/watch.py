"""Follow the published changes of memberships and activations, as they are committed."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from time import monotonic
from typing import Any, Final, TypeAlias

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from rules.catalogue.catalogue import Catalogue
from rules.language.validation import nearest
from streams.operations.errors import NoChannel, OperationError
from streams.operations.naming import channels_of, unknown_channel
from streams.operations.servers import Servers, compiled
from streams.operations.sight import Sight
from streams.operations.watch_sight import WatchSight
from streams.records import Stored
from streams.wire.applies import is_apply
from streams.wire.names import channel_topics, restricted_topics

POLL_MS: Final = 200
CLOCKS_MS: Final = 60_000
"""By how much the clock of a machine that applies a catalogue may be ahead of a worker's."""

OnNote: TypeAlias = Callable[[str], None]
"""Is called with a sentence for people: a name that is probably mistyped, a catalogue that cannot be read."""


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """Which changes are asked for, and when to end. An empty set asks for all."""

    memberships: bool = True
    channels: tuple[str, ...] | None = None
    """Whose activations; None: those of the catalogue in force, and of each that is applied meanwhile."""
    segments: frozenset[str] = frozenset()
    activations: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    count: int | None = None
    """End after so many changes; None: never."""
    seconds: float | None = None
    """End after so long; None: never."""
    from_start: bool = False
    """Begin with the oldest change kept, not with the next one."""
    restricted: bool = False
    """Show changes of restricted segments and activations, too."""

    def includes(self, change: Mapping[str, Any]) -> bool:
        """Return whether a change is asked for."""
        if self.subjects and change["profile"] not in self.subjects:
            return False
        if "activation" in change:
            return not self.activations or change["activation"] in self.activations
        return not self.segments or change["segment"] in self.segments


@dataclass(frozen=True, slots=True)
class Published:
    """One published change: its bytes, and the same read as JSON."""

    value: bytes
    change: Mapping[str, Any]


async def follow(
    servers: Servers, wanted: WatchFilter, on_note: OnNote = lambda _: None
) -> AsyncGenerator[Published, None]:
    """Yield the changes asked for as they are committed: each once, in order for each profile and topic.

    Changes that arrive together come in order of time. Raises UnknownName for a channel that never had a topic,
    Restricted, NoChannel, TopicMissing; Unreachable.
    """
    news = TopicPartition(servers.deployment.catalogues_topic, 0)
    in_force = await _in_force(servers)
    catalogue = _catalogue(in_force)
    sight = WatchSight(servers, catalogue, restricted=wanted.restricted)
    channels = wanted.channels
    if channels is None:
        channels = () if catalogue is None else tuple(channels_of(catalogue))
    topics = await _topics(servers, wanted, channels)
    if catalogue is not None:
        _note_unknown(catalogue, wanted, on_note)
        _note_left_out(catalogue, wanted, sight.sight, on_note)
    left = wanted.count
    until_s = None if wanted.seconds is None else monotonic() + wanted.seconds
    async with servers.reading(topics[0]) as (consumer, _):
        partitions = [TopicPartition(topic, n) for topic in topics for n in range(servers.deployment.partitions)]
        consumer.assign([*partitions, news])
        await (consumer.seek_to_beginning if wanted.from_start else consumer.seek_to_end)(*partitions)
        consumer.seek(news, 0 if in_force is None else in_force.offset + 1)
        # seek_to_end is lazy: without asking for the positions, changes before the first poll would be missed
        await asyncio.gather(*map(consumer.position, partitions))
        while until_s is None or monotonic() < until_s:
            wait_ms = POLL_MS if until_s is None else max(1, min(POLL_MS, int((until_s - monotonic()) * 1000)))
            fetched = await consumer.getmany(timeout_ms=wait_ms)
            for applied in fetched.pop(news, ()):
                if is_apply(applied.key):
                    continue
                brought = await _take_up(servers, wanted, consumer, applied, on_note)
                if brought is not None:
                    sight.take_up(brought)
            for published in _in_order(fetched):
                if not wanted.includes(published.change) or not await sight.shows(published.change):
                    continue
                yield published
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


async def _take_up(
    servers: Servers, wanted: WatchFilter, consumer: AIOKafkaConsumer, applied: Any, on_note: OnNote
) -> Catalogue | None:
    """Take up a catalogue that was applied meanwhile; return it, None where this version of Segue cannot read it.

    Where no channels were named, also read those that it has brought, from the instant at which it was applied.
    """
    try:
        catalogue = compiled(applied.value or b"")
    except (OperationError, ValueError):
        on_note("a catalogue was applied that this version of Segue cannot read; its channels are not followed")
        return None
    if wanted.channels is None:
        await _follow_channels(servers, consumer, channels_of(catalogue), applied.timestamp)
    return catalogue


async def _follow_channels(
    servers: Servers, consumer: AIOKafkaConsumer, channels: Sequence[str], applied_ms: int
) -> None:
    followed = {tp: await consumer.position(tp) for tp in consumer.assignment()}
    known = {tp.topic for tp in followed}
    topics = [topic for channel in channels if (topic := channel_topics(servers.deployment, channel)[0]) not in known]
    if not topics:
        return
    partitions = [TopicPartition(topic, n) for topic in topics for n in range(servers.deployment.partitions)]
    consumer.assign([*followed, *partitions])
    # a channel that comes back has older changes: begin at the end, or at the first change since the apply
    ends = await consumer.end_offsets(partitions)
    since = await consumer.offsets_for_times(dict.fromkeys(partitions, applied_ms - CLOCKS_MS))
    begins = {tp: ends[tp] if since[tp] is None else since[tp].offset for tp in partitions}
    for tp, offset in (followed | begins).items():
        consumer.seek(tp, offset)


async def _topics(servers: Servers, wanted: WatchFilter, channels: Sequence[str]) -> list[str]:
    """Return the topics to read; all of them exist."""
    deployment = servers.deployment
    if wanted.channels:
        await _expect_channels(servers, wanted.channels)
    topics = [channel_topics(deployment, channel)[0] for channel in channels]
    if wanted.memberships:
        topics.insert(0, deployment.membership_topic)
        if wanted.restricted:
            topics.insert(1, restricted_topics(deployment)[0])
    if not topics:
        raise NoChannel
    await servers.expect_topics(*topics)
    return topics


async def _in_force(servers: Servers) -> Stored | None:
    """Return the catalogue in force, as stored; None before the first is applied."""
    await servers.expect_topics(servers.deployment.catalogues_topic)
    return await servers.latest_catalogue()


def _catalogue(stored: Stored | None) -> Catalogue | None:
    return None if stored is None or stored.value is None else compiled(stored.value)


def _channels(stored: Stored | None) -> tuple[str, ...]:
    catalogue = _catalogue(stored)
    return () if catalogue is None else tuple(channels_of(catalogue))


def _note_left_out(catalogue: Catalogue, wanted: WatchFilter, sight: Sight, on_note: OnNote) -> None:
    """Refuse what is named and restricted, and note how many of the others are left out."""
    for name in sorted(wanted.segments & catalogue.segments.keys()):
        sight.expect("segment", name)
    for name in sorted(wanted.activations & catalogue.activations.keys()):
        sight.expect("activation", name)
    if wanted.memberships and not wanted.segments:
        sight.shown("segment", catalogue.order)
    if not wanted.activations:
        approved = (each for each in catalogue.approved_activations.values())
        sight.shown(
            "activation", (each.id for each in approved if wanted.channels is None or each.channel in wanted.channels)
        )
    if sight.note:
        on_note(sight.note)


def _note_unknown(catalogue: Catalogue, wanted: WatchFilter, on_note: OnNote) -> None:
    """Note the names that the catalogue in force lacks: their past can still be read, but most are mistyped."""
    for kind, names, known in (
        ("segment", wanted.segments, catalogue.segments),
        ("activation", wanted.activations, catalogue.activations),
    ):
        for name in sorted(names - known.keys()):
            on_note(f"the catalogue in force has no {kind} {name!r}{nearest(name, known)}")


async def _expect_channels(servers: Servers, channels: Sequence[str]) -> None:
    """See that each channel has a topic. One that no activation uses any more has one still: its past can be read."""
    by_topic = {channel_topics(servers.deployment, channel)[0]: channel for channel in channels}
    async with servers.cluster() as cluster:
        existing = await cluster.existing(list(by_topic))
    for topic, channel in by_topic.items():
        if topic not in existing:
            raise unknown_channel(channel, _channels(await _in_force(servers)))


_RANKS: Final = {"entered": 0, "exited": 0, "deactivated": 1, "activated": 2}
"""The order of one evaluation's changes: memberships, then deactivations, then activations."""


def _in_order(fetched: Mapping[TopicPartition, Sequence[Any]]) -> Iterator[Published]:
    """Merge fetched records by time; each partition keeps its own order."""
    read = [[(each, orjson.loads(each.value)) for each in records] for records in fetched.values()]
    merged = merge(*read, key=lambda each: (each[0].timestamp, each[1]["effective_at"], _RANKS[each[1]["change"]]))
    return (Published(record.value, change) for record, change in merged)

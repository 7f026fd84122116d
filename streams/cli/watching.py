"""Following the published changes of memberships and activations, and saying the rule or reason behind each."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from time import monotonic
from typing import Any, Final

import orjson
from aiokafka import TopicPartition
from rich.text import Text

from rules.catalogue.catalogue import Catalogue
from rules.catalogue.logic import leaves
from rules.language.validation import nearest
from streams.cli.render.terminal import out, tell, write_line
from streams.operations.errors import OperationError, WrongInput
from streams.operations.naming import channels_of
from streams.operations.reason_words import why
from streams.operations.servers import Servers, compiled
from streams.records import Stored
from streams.wire.names import channel_topics, restricted_topics

POLL_MS: Final = 200
CATALOGUES_AGAIN_S: Final = 2.0
"""How soon catalogues are read again for a change whose definition is not among those read."""
CLOCKS_MS: Final = 60_000
"""By how much the clock of who applies a catalogue may be ahead of a worker's."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which changes are shown, and when it ends; empty sets: all."""

    memberships: bool
    channels: tuple[str, ...] | None
    """None: those of the catalogue in force, and those of each that is applied meanwhile."""
    segments: frozenset[str]
    activations: frozenset[str]
    subjects: frozenset[str]
    count: int | None
    seconds: float | None
    from_start: bool
    restricted: bool

    def asks(self, change: Any) -> bool:
        """Tell whether a change is wanted."""
        if self.subjects and change["profile"] not in self.subjects:
            return False
        if "activation" in change:
            return not self.activations or change["activation"] in self.activations
        return not self.segments or change["segment"] in self.segments


async def follow(servers: Servers, wanted: Wanted, as_json: bool) -> None:
    """Show changes as they are committed until there were enough."""
    news, at = TopicPartition(servers.deployment.catalogues_topic, 0), None
    channels = wanted.channels
    if channels is None:
        in_force = await _in_force(servers)
        at = 0 if in_force is None else in_force.offset + 1
        channels = _channels(in_force)
    topics = await _topics(servers, wanted, channels)
    await _tell_unknown(servers, wanted)
    rules = _RuleTexts(servers)
    left = wanted.count
    until = None if wanted.seconds is None else monotonic() + wanted.seconds
    async with servers.reading(topics[0]) as (consumer, _):
        partitions = [TopicPartition(topic, n) for topic in topics for n in range(servers.deployment.partitions)]
        consumer.assign(partitions if at is None else [*partitions, news])
        await (consumer.seek_to_beginning if wanted.from_start else consumer.seek_to_end)(*partitions)
        if at is not None:
            consumer.seek(news, at)
        # seek_to_end is lazy: without this, what is published before the first poll would be missed
        await asyncio.gather(*map(consumer.position, partitions))
        while until is None or monotonic() < until:
            wait_ms = POLL_MS if until is None else max(1, min(POLL_MS, int((until - monotonic()) * 1000)))
            fetched = await consumer.getmany(timeout_ms=wait_ms)
            for applied in fetched.pop(news, ()):
                await _take_up(servers, consumer, applied)
            for value, change in _in_order(fetched):
                if not wanted.asks(change):
                    continue
                if as_json:
                    write_line(value)
                else:
                    out.print(await line_of(change, rules), soft_wrap=True)
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


async def _take_up(servers: Servers, consumer: Any, applied: Any) -> None:
    """Read the channels that a catalogue has brought, too, from when it was applied."""
    try:
        channels = channels_of(compiled(applied.value or b""))
    except (OperationError, ValueError):
        tell("note: a catalogue was applied that this version of Segue cannot read; its channels are not followed")
        return
    followed = {tp: await consumer.position(tp) for tp in consumer.assignment()}
    known = {tp.topic for tp in followed}
    topics = [topic for channel in channels if (topic := channel_topics(servers.deployment, channel)[0]) not in known]
    if not topics:
        return
    partitions = [TopicPartition(topic, n) for topic in topics for n in range(servers.deployment.partitions)]
    consumer.assign([*followed, *partitions])
    # a channel that had been gone has a past: the ends first, then what was published since
    ends = await consumer.end_offsets(partitions)
    since = await consumer.offsets_for_times(dict.fromkeys(partitions, applied.timestamp - CLOCKS_MS))
    begins = {tp: ends[tp] if since[tp] is None else since[tp].offset for tp in partitions}
    for tp, offset in (followed | begins).items():
        consumer.seek(tp, offset)


async def _topics(servers: Servers, wanted: Wanted, channels: Sequence[str]) -> list[str]:
    """Name the topics to read: they are there, or the command ends."""
    deployment = servers.deployment
    if wanted.channels:
        await _expect_channels(servers, wanted.channels)
    topics = [channel_topics(deployment, channel)[0] for channel in channels]
    if wanted.memberships:
        topics.insert(0, restricted_topics(deployment)[0] if wanted.restricted else deployment.membership_topic)
    if not topics:
        raise WrongInput("no activation of the catalogue in force is approved: there is no channel")
    await servers.expect_topics(*topics)
    return topics


async def _in_force(servers: Servers) -> Stored | None:
    """The catalogue in force, as stored; None before the first is applied."""
    await servers.expect_topics(servers.deployment.catalogues_topic)
    return await servers.latest_catalogue()


def _catalogue(stored: Stored | None) -> Catalogue | None:
    return None if stored is None or stored.value is None else compiled(stored.value)


def _channels(stored: Stored | None) -> tuple[str, ...]:
    catalogue = _catalogue(stored)
    return () if catalogue is None else tuple(channels_of(catalogue))


async def _tell_unknown(servers: Servers, wanted: Wanted) -> None:
    """Say which names nothing in force has: their past may still be shown, but more likely they are mistyped."""
    catalogue = _catalogue(await _in_force(servers)) if wanted.segments or wanted.activations else None
    if catalogue is None:
        return
    for kind, names, known in (
        ("segment", wanted.segments, catalogue.segments),
        ("activation", wanted.activations, catalogue.activations),
    ):
        for name in sorted(names - known.keys()):
            tell(f"note: the catalogue in force has no {kind} {name!r}{nearest(name, known)}")


async def _expect_channels(servers: Servers, channels: Sequence[str]) -> None:
    """See that channels have, or once had, a topic: of one that no activation uses any more the past can be read."""
    by_topic = {channel_topics(servers.deployment, channel)[0]: channel for channel in channels}
    async with servers.cluster() as cluster:
        existing = await cluster.existing(list(by_topic))
    for topic, channel in by_topic.items():
        if topic not in existing:
            known = _channels(await _in_force(servers))
            said = f"no activation of the catalogue in force has the channel {channel!r}{nearest(channel, known)}"
            raise WrongInput(said)


def _in_order(fetched: Mapping[TopicPartition, Sequence[Any]]) -> Iterator[tuple[bytes, Any]]:
    """Merge what was fetched by time, each partition's own order kept: (value, change)."""
    read = [[(each, orjson.loads(each.value)) for each in records] for records in fetched.values()]
    merged = merge(*read, key=lambda each: (each[0].timestamp, each[1]["effective_at"], _RANKS[each[1]["change"]]))
    return ((record.value, change) for record, change in merged)


_RANKS: Final = {"entered": 0, "exited": 0, "deactivated": 1, "activated": 2}
"""Of one evaluation: memberships first, then what ends, then what begins."""
_WAYS: Final = {
    "entered": ("→ in", "bold green"),
    "exited": ("← out", "bold red"),
    "activated": ("● activated", "bold green"),
    "deactivated": ("○ deactivated", "bold red"),
}
_WAY_WIDTH: Final = max(len(way) for way, _ in _WAYS.values())


async def line_of(change: Any, rules: "_RuleTexts") -> Text:
    """Write a change as one readable line: when, which way, who, what, why."""
    reason = change["reason"]
    line = Text(change["effective_at"][:-1].replace("T", " ") + "  ", "dim")
    way, style = _WAYS[change["change"]]
    line.append(way.ljust(_WAY_WIDTH) + "  ", style)
    line.append(change["profile"], "bold")
    line.append("  ")
    if "activation" in change:
        _add_activation(line, change)
    else:
        await _add_membership(line, change, rules)
    for event in reason["events"]:
        line.append(f"  [{event}]", "dim")
    return line


def _add_activation(line: Text, change: Any) -> None:
    line.append(change["activation"], "cyan")
    line.append(f" v{change['activation_version']}", "dim")
    line.append(f"  {change['channel']}", "magenta")
    if change["arm"] is not None:
        line.append(f"  arm {change['arm']}", "blue")
    line.append(f"  {why(change['reason'])}", "yellow")


async def _add_membership(line: Text, change: Any, rules: "_RuleTexts") -> None:
    reason = change["reason"]
    line.append(change["segment"], "cyan")
    line.append(f" v{change['segment_version']}", "dim")
    if change["backfill"]:
        line.append(" (backfill)", "dim")
    line.append(f"  {reason['kind'].replace('_', ' ')}", "yellow")
    said = await rules.say(change["segment"], change["segment_version"], reason["conditions"])
    if said:
        line.append(": " + "; ".join(said))


class _RuleTexts:
    """Conditions in plain words by segment, version and path: from the catalogues that were applied, newest first."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._texts: dict[tuple[str, Any], dict[str, str]] = {}
        self._read_at = -CATALOGUES_AGAIN_S
        self._known: set[bytes] = set()

    async def say(self, segment: str, version: Any, paths: Sequence[str]) -> list[str]:
        """Say the conditions at these paths; a path itself where its text is not known."""
        if not paths:
            return []
        if (segment, version) not in self._texts and monotonic() - self._read_at >= CATALOGUES_AGAIN_S:
            await self._read()
        known = self._texts.get((segment, version), {})
        return [known.get(path, path) for path in paths]

    async def _read(self) -> None:
        self._read_at = monotonic()
        topic = self._servers.deployment.catalogues_topic
        stored = await self._servers.log.read_to_end(topic, 0)
        for record in reversed(stored):
            if record.key is None or record.value is None or record.key in self._known:
                continue
            self._known.add(record.key)
            try:
                self._add(compiled(record.value))
            except (OperationError, ValueError):
                continue  # of another version of Segue: paths must do

    def _add(self, catalogue: Catalogue) -> None:
        for segment in catalogue.segments.values():
            if (segment.id, segment.version) in self._texts:
                continue
            rules = {"enter": segment.enter, "exit": segment.exit}
            self._texts[segment.id, segment.version] = {
                path: leaf.describe()
                for rule, node in rules.items()
                if node is not None
                for path, leaf, _ in leaves(node, rule)
            }

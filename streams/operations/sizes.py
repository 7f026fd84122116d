"""How many members each segment has, and how many profiles each activation and channel reaches."""

from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from rules.catalogue.catalogue import Catalogue
from streams.operations.naming import channels_of
from streams.operations.servers import Servers
from streams.operations.snapshots import standing
from streams.store.redis import RedisStore

OnPartition: TypeAlias = Callable[[str, int, int], None]
"""Is called with (channel, partitions read, partitions in all) after each partition of a channel's snapshot."""


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """An approved segment and its members."""

    segment: str
    members: int
    audience: str | None
    title: str | None


@dataclass(frozen=True, slots=True)
class ActivationSize:
    """An approved activation and the profiles for which it is active."""

    activation: str
    channel: str
    active: int
    audience: str
    journey: str | None
    exclusive_group: str | None


@dataclass(frozen=True, slots=True)
class ChannelSize:
    """A channel and the profiles for which any of its activations is active."""

    channel: str
    profiles: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes under the catalogue in force."""

    catalogue: str
    """Hash of the catalogue."""
    segments: tuple[SegmentSize, ...]
    """The largest first, then by id."""
    memberships: int
    """Members of all segments together."""
    activations: tuple[ActivationSize, ...]
    """By channel; within it the largest first, then by id."""
    channels: tuple[ChannelSize, ...]
    """By name."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return asdict(self)


async def count_sizes(servers: Servers, on_partition: OnPartition = lambda *_: None) -> Sizes:
    """Count members as last written to Redis, and active profiles as last published in the channels' snapshots.

    Reads every snapshot whole. Raises WrongInput where nothing is in force or a topic is missing; Unreachable.
    """
    catalogue = await servers.catalogue()
    segments = await _segments(servers, catalogue)
    active, channels = Counter[str](), []
    for channel in channels_of(catalogue):
        profiles, found = await _channel(servers, channel, on_partition)
        active.update(found)
        channels.append(ChannelSize(channel, profiles))
    activations = [
        ActivationSize(each.id, each.channel, active[each.id], each.audience, each.journey, each.exclusive_group)
        for each in catalogue.activations.values()
        if each.status == "approved"
    ]
    return Sizes(
        catalogue.hash,
        tuple(segments),
        sum(each.members for each in segments),
        tuple(sorted(activations, key=lambda each: (each.channel, -each.active, each.activation))),
        tuple(channels),
    )


async def _segments(servers: Servers, catalogue: Catalogue) -> list[SegmentSize]:
    async def sizes(_: int, store: RedisStore) -> list[int]:
        return [await store.size(segment) for segment in catalogue.order]

    totals = [sum(found) for found in zip(*await servers.in_each(sizes), strict=True)]
    counted = [
        SegmentSize(name, size, catalogue.approved[name].layers.audience, catalogue.approved[name].title)
        for size, name in zip(totals, catalogue.order, strict=True)
    ]
    return sorted(counted, key=lambda each: (-each.members, each.segment))


async def _channel(servers: Servers, channel: str, on_partition: OnPartition) -> tuple[int, Counter[str]]:
    """Return how many profiles a channel reaches, and how many each of its activations."""
    profiles, active, read = 0, Counter[str](), 0
    async with aclosing(standing(servers, channel)) as snapshot:
        async for found in snapshot:
            profiles += len({subject for subject, _ in found})
            active.update(name for _, name in found)
            read += 1
            on_partition(channel, read, servers.deployment.partitions)
    return profiles, active

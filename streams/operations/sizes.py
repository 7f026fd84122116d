"""How many members each segment has, and how many profiles each activation and channel reaches."""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from rules.catalogue.catalogue import Catalogue
from streams.operations.naming import channels_of
from streams.operations.servers import Servers
from streams.operations.sight import Sight
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
    not_shown: dict[str, int]
    """How many restricted segments and activations were left out; they count nowhere."""
    note: str
    """The same as a sentence; "": nothing was left out."""

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        value = asdict(self)
        del value["note"]
        return value


async def count_sizes(
    servers: Servers, on_partition: OnPartition = lambda *_: None, *, restricted: bool = False
) -> Sizes:
    """Count members as last written to Redis, and active profiles as last published in the channels' snapshots.

    Leaves out what uses restricted data, unless `restricted`. Reads every snapshot whole. Raises WrongInput where
    nothing is in force or a topic is missing; Unreachable.
    """
    catalogue = await servers.catalogue()
    sight = Sight.of(catalogue, restricted)
    segments = await _segments(servers, catalogue, sight.shown("segment", catalogue.order))
    approved = [*catalogue.approved_activations]
    seen = set(sight.shown("activation", approved))
    active, channels = Counter[str](), []
    for channel in channels_of(catalogue):
        profiles, found = await _channel(servers, channel, seen, on_partition)
        active.update(found)
        channels.append(ChannelSize(channel, profiles))
    activations = [
        ActivationSize(each.id, each.channel, active[each.id], each.audience, each.journey, each.exclusive_group)
        for each in catalogue.activations.values()
        if each.id in seen
    ]
    return Sizes(
        catalogue.hash,
        tuple(segments),
        sum(each.members for each in segments),
        tuple(sorted(activations, key=lambda each: (each.channel, -each.active, each.activation))),
        tuple(channels),
        sight.as_json(),
        sight.note,
    )


async def _segments(servers: Servers, catalogue: Catalogue, names: Sequence[str]) -> list[SegmentSize]:
    async def sizes(_: int, store: RedisStore) -> list[int]:
        return await store.sizes(names)

    totals = [sum(found) for found in zip(*await servers.in_each(sizes), strict=True)]
    counted = [
        SegmentSize(name, size, catalogue.approved[name].layers.audience, catalogue.approved[name].title)
        for size, name in zip(totals, names, strict=True)
    ]
    return sorted(counted, key=lambda each: (-each.members, each.segment))


async def _channel(
    servers: Servers, channel: str, seen: Container[str], on_partition: OnPartition
) -> tuple[int, Counter[str]]:
    """Return how many profiles a channel reaches with the activations seen, and how many each of these."""
    profiles, active, read = 0, Counter[str](), 0
    async with aclosing(standing(servers, channel)) as snapshot:
        async for standing_there in snapshot:
            found = [(subject, name) for subject, name in standing_there if name in seen]
            profiles += len({subject for subject, _ in found})
            active.update(name for _, name in found)
            read += 1
            on_partition(channel, read, servers.deployment.partitions)
    return profiles, active

"""How far deliveries of a channel are behind: changes published and not delivered yet."""

from dataclasses import asdict, dataclass
from typing import Any

from streams.clock import SystemClock
from streams.delivery.route import group_of
from streams.operations.behind import FETCH_BYTES, Reached, behind
from streams.operations.deliver import expect_channel
from streams.operations.servers import Servers
from streams.wire.names import channel_topics


@dataclass(frozen=True, slots=True)
class PartitionDeliveryLag:
    """The delivery lag of one partition. Offsets are next records."""

    partition: int
    end: int
    delivered: int | None
    """None: nothing was delivered yet."""
    lag_changes: int
    lag_seconds: float
    """Age of the oldest change that is not delivered; 0: there is none."""


@dataclass(frozen=True, slots=True)
class DeliveryLag:
    """The delivery lag of a channel, by partition."""

    channel: str
    group: str
    """The consumer group whose offsets say what is delivered."""
    partitions: tuple[PartitionDeliveryLag, ...]

    @property
    def lag_changes(self) -> int:
        """The changes of all partitions that are not delivered."""
        return sum(each.lag_changes for each in self.partitions)

    @property
    def lag_seconds(self) -> float:
        """The age of the oldest change of all partitions that is not delivered."""
        return max(each.lag_seconds for each in self.partitions)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON value, for programs."""
        return asdict(self) | {"lag_changes": self.lag_changes, "lag_seconds": self.lag_seconds}


async def delivery_lag(servers: Servers, channel: str) -> DeliveryLag:
    """Return how far the deliveries of a channel are behind, now. Raises TopicMissing where nothing is published."""
    topic, _ = channel_topics(servers.deployment, channel)
    async with servers.cluster() as cluster:
        existing = await cluster.existing([topic])
    await expect_channel(servers, channel, topic, existing)
    group = group_of(servers.settings, channel)
    async with servers.reading(topic, group_id=group, max_partition_fetch_bytes=FETCH_BYTES) as (consumer, partitions):
        reached = []
        for tp in partitions:
            _, end = await servers.log.offsets(topic, tp.partition)
            reached.append(Reached(tp.partition, end, await consumer.committed(tp), None, ""))
        counted = await behind(consumer, [each for each in reached if each.end > each.behind_from])
    now_ms = SystemClock().wall_ms()
    return DeliveryLag(
        channel, group, tuple(_lag(each, *counted.get(each.partition, (0, None)), now_ms) for each in reached)
    )


def _lag(reached: Reached, changes: int, oldest_ms: int | None, now_ms: int) -> PartitionDeliveryLag:
    age_s = 0.0 if oldest_ms is None else max(0, now_ms - oldest_ms) / 1000
    return PartitionDeliveryLag(reached.partition, reached.end, reached.applied, changes, age_s)

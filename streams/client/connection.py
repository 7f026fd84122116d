"""A channel's clients of Kafka: consumers, and the questions that are asked beside the reading."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import signature
from typing import Any, Final, Literal, Self, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from aiokafka.structs import OffsetAndMetadata

from .errors import NoChannel
from .stopping import stop_whole

Isolation: TypeAlias = Literal["read_committed", "read_uncommitted"]
COORDINATOR_TRIES: Final = 10
AGAIN_S: Final = 1.0


class Connection:
    """Makes consumers, and asks for partitions, ends and a group's offsets. Enter it before asking."""

    def __init__(self, changes_topic: str, current_topic: str, options: dict[str, Any]) -> None:
        """`options`: of aiokafka's clients, all that they have in common."""
        self._changes_topic: Final = changes_topic
        self._current_topic: Final = current_topic
        self._options: Final = options
        known = signature(AIOKafkaAdminClient).parameters
        self._admin_options: Final = {name: each for name, each in options.items() if name in known}
        self._admin: Any = None
        self._closing: Final = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect. Raises KafkaError where Kafka is not reachable."""
        async with AsyncExitStack() as opening:
            self._admin = AIOKafkaAdminClient(**self._admin_options)
            opening.push_async_callback(self._admin.close)
            await self._admin.start()
            self._closing.push_async_exit(opening.pop_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._closing.aclose()

    async def partitions(self, wanted: Collection[int] | None) -> list[int]:
        """List the channel's partitions, or check and list the wanted ones. Raises NoChannel, ValueError."""
        # asks for all topics: a request that names a topic may create it
        topics = {each["topic"]: each["partitions"] for each in await self._admin.describe_topics()}
        for topic in (self._changes_topic, self._current_topic):
            if not topics.get(topic):
                raise NoChannel(f"there is no topic {topic}: was an activation of this channel ever applied?")
        known = {each["partition"] for each in topics[self._changes_topic]}
        asked = known if wanted is None else set(wanted)
        if not asked <= known:
            raise ValueError(f"{self._changes_topic} has {len(known)} partitions, counted from 0")
        return sorted(asked)

    async def committed(self, group: str, tps: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Return what a group has committed, -1 where nothing. Raises KafkaError."""
        for _ in range(COORDINATOR_TRIES):
            found: dict[TopicPartition, OffsetAndMetadata] = await self._admin.list_consumer_group_offsets(
                group, partitions=tps
            )
            if found.keys() >= set(tps):
                return found
            # a broker that does not coordinate the group answers with no offsets, and aiokafka passes that on
            await asyncio.sleep(AGAIN_S)
        raise GroupCoordinatorNotAvailableError

    async def ends(self, isolation: Isolation, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the ends as a reader of that isolation sees them. Raises KafkaError."""
        async with self.consumer(isolation) as another:
            ends: dict[TopicPartition, int] = await another.end_offsets(tps)
            return ends

    def make_consumer(self, isolation: Isolation, group: str | None = None) -> Any:
        """Make a consumer, not started, that commits nothing by itself and begins nowhere by itself."""
        own = {
            "group_id": group,
            "isolation_level": isolation,
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
        }
        return AIOKafkaConsumer(**{**self._options, **own})

    @asynccontextmanager
    async def consumer(self, isolation: Isolation) -> AsyncIterator[Any]:
        """Have a consumer that has no partitions yet."""
        async with running(self.make_consumer(isolation)) as consumer:
            yield consumer


@asynccontextmanager
async def running(consumer: Any) -> AsyncIterator[Any]:
    """Start a consumer, and stop it whole at the end."""
    try:
        await consumer.start()
        # aiokafka's tasks must have begun: stopping one that has not raises CancelledError
        await asyncio.sleep(0)
        yield consumer
    finally:
        await stop_whole(consumer, consumer.stop)

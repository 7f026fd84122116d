"""Make the topics of an engine that is not Segue."""

import asyncio
from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.benchmarks.peers.engine import Ground


def make_topics(ground: Ground, topics: Sequence[tuple[str, bool]]) -> None:
    """Make topics of the ground's partition count; True: the broker stamps the records. Blocks."""
    asyncio.run(_make(ground, topics))


async def _make(ground: Ground, topics: Sequence[tuple[str, bool]]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=ground.bootstrap)
    await admin.start()
    try:
        await admin.create_topics(
            [
                NewTopic(
                    name,
                    ground.partitions,
                    1,
                    topic_configs={"message.timestamp.type": "LogAppendTime" if stamped else "CreateTime"},
                )
                for name, stamped in topics
            ]
        )
    finally:
        await admin.close()
